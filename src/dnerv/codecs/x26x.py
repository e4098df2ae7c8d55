"""x264 and x265 through FFmpeg: what a neural codec has to beat, given every advantage.

Notable decisions:
- The note of some 700 bytes in which x264 lists its settings is taken out, x265's is never written: on short clips
  they would weigh.
- x264 runs one thread (FFmpeg would cut each frame into a slice per core, 8 % of the bytes at 128x160) and
  x265 without wavefronts and frame threads: best compression. Even so x264's bytes vary from run to run, by a
  few tenths of a percent of whole sets (docs/log.md).
- `tune=psnr` switches off psychovisual choices, since PSNR is what is compared.
- 8 bits; SVT-AV1, libaom and VVC code 10.
"""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from typing import ClassVar

import av
from av.error import FFmpegError

from dnerv.codecs.codec import EFFORTS, Codec, CountedFrames, Settings
from dnerv.codecs.colour import ColourConverter, pad_frame
from dnerv.codecs.keyframes import Packet, Planes
from dnerv.errors import InputError


class _X26x(Codec):
    """What the two share: names of presets, range of crf, and FFmpeg's way to be told."""

    crf_range = (1.0, 51.0)
    crf_step = 1 / 16
    usual_crf = 34.0
    slope = -0.087
    efforts: ClassVar[Mapping[str, str]] = {effort: effort for effort in EFFORTS}

    def _code(self, frames: CountedFrames, settings: Settings) -> list[Packet]:
        height, width = frames.padded_size(self.smallest_side)
        try:
            encoder = self._open_encoder(height, width, settings)
            converter = ColourConverter(Planes(depth=8))
            packets: list[Packet] = []
            for index, frame in enumerate(frames):
                picture = converter.to_yuv(pad_frame(frame, height, width))
                picture.pts, picture.time_base = index, encoder.time_base
                packets += map(_take, encoder.encode(picture))
            packets += map(_take, encoder.encode(None))
        except FFmpegError as error:
            raise InputError(f"{self.title} cannot code {width}x{height} frames: {error.strerror}") from error
        return packets

    def _words(self, settings: Settings) -> list[str]:
        return [word for name, value in self._options(settings).items() for word in (f"-{name}", value)]

    def _options(self, settings: Settings) -> dict[str, str]:
        return {"preset": settings.preset, "crf": str(settings.crf), "tune": "psnr"} | self._own_options(settings)

    @abstractmethod
    def _own_options(self, settings: Settings) -> dict[str, str]:
        """What only this encoder is told."""

    def _open_encoder(self, height: int, width: int, settings: Settings) -> av.VideoCodecContext:
        encoder = av.CodecContext.create(self.encoder, "w")
        assert isinstance(encoder, av.VideoCodecContext)
        encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
        encoder.framerate, encoder.time_base = settings.fps, 1 / settings.fps
        encoder.options = self._options(settings)
        return encoder


class X264(_X26x):
    """H.264."""

    name = "x264"
    title = "x264"
    suffix = ".h264"
    encoder = "libx264"
    decoder = "h264"
    smallest_side = 16

    def _own_options(self, settings: Settings) -> dict[str, str]:
        return {"x264-params": f"threads=1:sliced-threads=0:keyint={settings.restart}"}


class X265(_X26x):
    """H.265. It corrupts its heap on frames with a side below 64 pixels: they are padded."""

    name = "x265"
    title = "x265"
    suffix = ".hevc"
    encoder = "libx265"
    decoder = "hevc"

    def _own_options(self, settings: Settings) -> dict[str, str]:
        quiet = "info=0:log-level=none"
        return {"x265-params": f"{quiet}:pools=none:frame-threads=1:wpp=0:keyint={settings.restart}"}


def _take(packet: av.Packet[av.VideoStream]) -> Packet:
    return Packet(_without_settings_note(bytes(packet)), packet.is_keyframe)


def _without_settings_note(packet: bytes) -> bytes:
    """Take out the SEI in which x264 writes down its version and settings; no decoder needs it."""
    text = packet.find(b"x264 - core")
    if text < 0:
        return packet
    start = packet.rfind(b"\x00\x00\x01\x06\x05", 0, text)
    end = packet.find(b"\x00\x00\x01", text)
    return packet if start < 0 or end < 0 else packet[:start] + packet[end:]
