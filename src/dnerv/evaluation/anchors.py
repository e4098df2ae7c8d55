"""Conventional codecs on the same frames: what a neural codec has to beat, given every advantage.

    frames uint8 [H, W, 3] --encode_anchor--> AnchorStream --decode--> frames uint8 [H, W, 3]

Notable decisions:
- Bytes are those of the elementary stream: parameter sets and slices, no container. The note of some 700
  bytes in which x264 lists its settings is taken out, x265's is never written: on short clips they would
  weigh.
- x264 runs one thread (FFmpeg would cut each frame into a slice per core, 8 % of the bytes at 128x160) and
  x265 without wavefronts and frame threads: best compression. Even so x264's bytes vary from run to run, by a
  few tenths of a percent of whole sets (docs/log.md).
- `tune="psnr"` switches off psychovisual choices, since PSNR is what is compared; `tune="visual"` leaves them
  on, as most published anchors do.
- x264 and x265 code 8-bit 4:2:0 in BT.601, with the very colour conversion of the keyframes. `svtav1` is the
  keyframes' own encoder (10 bits) on every frame, restarting every 250 frames as x264 and x265 do.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import chain
from typing import Literal, get_args

import av
import numpy as np
import torch
from av.error import FFmpegError
from torch import Tensor

from dnerv.codecs import SvtAv1, decode_packets, nearest_crf
from dnerv.codecs.codec import Frame, checked_frames
from dnerv.codecs.colour import ColourConverter, pad_frame, padded_size
from dnerv.errors import InputError
from dnerv.evaluation.metrics import mse_per_frame

AnchorCodec = Literal["x264", "x265", "svtav1"]
Tune = Literal["psnr", "visual"]

_SVT_PRESETS = {"veryslow": 2, "slower": 3, "slow": 4, "medium": 6, "fast": 8, "ultrafast": 10}
_X26X_PRESETS = ("placebo", "veryslow", "slower", "slow", "medium", "fast", "faster", "veryfast", "ultrafast")
RESTART = 250  # frames; the default of x264 and x265
_SMALLEST_SIDE = {"x264": 16, "x265": 64}  # pixels; x265 corrupts its heap on smaller frames


@dataclass(frozen=True)
class AnchorStream:
    """One video coded by a conventional codec."""

    codec: AnchorCodec
    crf: float
    height: int  # pixels, before padding
    width: int
    frame_count: int
    packets: tuple[bytes, ...]  # in coding order; parameter sets travel in the packets

    @property
    def size(self) -> int:
        """Bytes of the whole stream."""
        return sum(map(len, self.packets))

    def decode(self) -> Iterator[Frame]:
        """The decoded frames, uint8 [height, width, 3] RGB, in display order."""
        if self.codec == "svtav1":
            return decode_packets(self.packets, height=self.height, width=self.width)
        return _decode_x26x(self)

    def mse_per_frame(self, frames: Iterable[Frame]) -> Tensor:
        """Errors against the original frames, float64 [T]; `metrics.psnr` turns them into dB."""
        pairs = zip(frames, self.decode(), strict=True)
        return torch.cat([mse_per_frame(_as_clip(original), _as_clip(decoded)) for original, decoded in pairs])


def encode_anchor(
    codec: AnchorCodec,
    frames: Iterable[Frame],
    *,
    fps: float | Fraction,
    crf: float,
    preset: str = "veryslow",
    tune: Tune = "psnr",
    restart: int = RESTART,
) -> AnchorStream:
    """Code one video with a conventional codec at constant quality.

    Args:
        codec: `x264`, `x265` or `svtav1`. frames: uint8 [H, W, 3] RGB, all of one size; drawn one by one. Odd
        sizes are padded, and cropped again. fps: frames per second; the rate control of x264 and x265 looks
        at it.
        crf: x264 and x265: 1 to 51, any fraction; svtav1: 1 to 70, rounded to quarters.
        preset: x264's names; for svtav1 they stand for its presets, veryslow 2, slow 4, medium 6, fast 8.
        tune: see the module; SVT-AV1 is always tuned for PSNR.
        restart: frames from one keyframe to the next, at most; decoding can begin at each of them.

    Raises:
        InputError: an option out of range, no frame, or a frame that cannot be coded.
    """
    low, high = crf_range(codec)
    if not low <= crf <= high:
        raise InputError(f"crf is {crf}; {codec} takes {low:g} to {high:g}")
    if preset not in (_SVT_PRESETS if codec == "svtav1" else _X26X_PRESETS):
        raise InputError(f"preset is {preset!r}; {codec} takes {', '.join(_presets(codec))}")
    if fps <= 0 or tune not in get_args(Tune):
        raise InputError(f"fps is {fps} and tune {tune!r}; fps is positive and tune one of {get_args(Tune)}")
    if restart < 1:
        raise InputError(f"restart is {restart}; it is at least 1 frame")
    source = _Counted(frames)
    if codec == "svtav1":
        encoder = SvtAv1(crf=nearest_crf(crf), preset=_SVT_PRESETS[preset], group=restart)
        packets = [packet.data for packet in encoder.encode(source)]
    else:
        packets = _encode_x26x(codec, source, Fraction(fps).limit_denominator(90000), crf, preset, tune, restart)
    height, width = source.size
    return AnchorStream(codec, crf, height, width, source.count, tuple(packets))


def crf_range(codec: AnchorCodec) -> tuple[float, float]:
    """Best and smallest quality setting of a codec. Raises InputError for an unknown codec."""
    if codec not in get_args(AnchorCodec):
        raise InputError(f"codec is {codec!r}; anchors are {', '.join(get_args(AnchorCodec))}")
    return (1.0, 70.0) if codec == "svtav1" else (1.0, 51.0)


def anchor_options(
    codec: AnchorCodec, *, crf: float, preset: str = "veryslow", tune: Tune = "psnr", restart: int = RESTART
) -> dict[str, str]:
    """FFmpeg's options for what `encode_anchor` is asked for; of svtav1 what is not the keyframes'."""
    if codec == "svtav1":
        return {"preset": str(_SVT_PRESETS[preset]), "crf": str(nearest_crf(crf)), "keyint": str(restart)}
    options = {"preset": preset, "crf": str(crf)} | ({"tune": "psnr"} if tune == "psnr" else {})
    if codec == "x264":
        return options | {"x264-params": f"threads=1:sliced-threads=0:keyint={restart}"}
    return options | {"x265-params": f"info=0:log-level=none:pools=none:frame-threads=1:wpp=0:keyint={restart}"}


def _presets(codec: AnchorCodec) -> Iterable[str]:
    return _SVT_PRESETS if codec == "svtav1" else _X26X_PRESETS


class _Counted:
    """Notes number and size of frames on their way into an encoder, which draws each only once."""

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = checked_frames(frames)
        self.count = 0
        self.size = (0, 0)  # height, width

    def __iter__(self) -> Iterator[Frame]:
        for frame in self._frames:
            self.size = (frame.shape[0], frame.shape[1])
            self.count += 1
            yield frame


def _encode_x26x(
    codec: AnchorCodec, frames: Iterable[Frame], fps: Fraction, crf: float, preset: str, tune: Tune, restart: int
) -> list[bytes]:
    source = iter(frames)
    first = next(source, None)
    if first is None:
        raise InputError("there are no frames to code; a video has at least one")
    height, width = padded_size(first.shape[0], first.shape[1], smallest=_SMALLEST_SIDE[codec])
    try:
        encoder = _open_x26x(codec, height, width, fps, crf, preset, tune, restart)
        converter = ColourConverter()
        packets: list[bytes] = []
        for index, frame in enumerate(chain([first], source)):
            picture = converter.to_yuv(pad_frame(frame, height, width), "yuv420p")
            picture.pts, picture.time_base = index, encoder.time_base
            packets += map(bytes, encoder.encode(picture))
        packets += map(bytes, encoder.encode(None))
    except FFmpegError as error:
        raise InputError(f"{codec} cannot code {width}x{height} frames: {error.strerror}") from error
    return [_without_settings_note(packets[0]), *packets[1:]]


def _open_x26x(
    codec: AnchorCodec, height: int, width: int, fps: Fraction, crf: float, preset: str, tune: Tune, restart: int
) -> av.VideoCodecContext:
    encoder = av.CodecContext.create(f"lib{codec}", "w")
    assert isinstance(encoder, av.VideoCodecContext)
    encoder.width, encoder.height, encoder.pix_fmt = width, height, "yuv420p"
    encoder.framerate, encoder.time_base = fps, 1 / fps
    encoder.options = anchor_options(codec, crf=crf, preset=preset, tune=tune, restart=restart)
    return encoder


def _without_settings_note(packet: bytes) -> bytes:
    """Take out the SEI in which x264 writes down its version and settings; no decoder needs it."""
    text = packet.find(b"x264 - core")
    if text < 0:
        return packet
    start = packet.rfind(b"\x00\x00\x01\x06\x05", 0, text)
    end = packet.find(b"\x00\x00\x01", text)
    return packet if start < 0 or end < 0 else packet[:start] + packet[end:]


def _decode_x26x(stream: AnchorStream) -> Iterator[Frame]:
    decoder = av.CodecContext.create({"x264": "h264", "x265": "hevc"}[stream.codec], "r")
    assert isinstance(decoder, av.VideoCodecContext)
    converter = ColourConverter()
    for data in [*stream.packets, None]:
        for frame in decoder.decode(None if data is None else av.Packet(data)):
            yield np.ascontiguousarray(converter.to_rgb(frame)[: stream.height, : stream.width])


def _as_clip(frame: Frame) -> Tensor:
    """uint8 [H, W, 3] -> uint8 [1, 3, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None]
