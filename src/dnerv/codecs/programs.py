"""libaom and VVC (libvvenc), through the ffmpeg program of `imageio-ffmpeg`: encoders that PyAV does not have.

    frames uint8 [H, W, 3] --yuv420p10le--> ffmpeg ──> elementary stream

Notable decisions:
- 10 bits, as SVT-AV1 codes here.
- One thread, constant quality. FFmpeg's wrapper of libvvenc takes the distance of restarts in seconds alone, and codes
  delimiters unless told not to: a third of the bytes of small streams.
- VVC is told to leave perceptual optimisation out and libaom is tuned for PSNR, since PSNR is what is compared.
- Frames go through a pipe, one by one; the stream comes back in a temporary file.
"""

from __future__ import annotations

import subprocess
from abc import abstractmethod
from collections.abc import Mapping
from contextlib import suppress
from importlib.metadata import version
from tempfile import TemporaryFile
from typing import IO, ClassVar

import av
import numpy as np

from dnerv.codecs.av1 import Av1Codec
from dnerv.codecs.codec import Codec, CountedFrames, Settings
from dnerv.codecs.colour import ColourConverter, pad_frame
from dnerv.codecs.ffmpeg_program import ffmpeg_names, ffmpeg_program, ffmpeg_version, last_words
from dnerv.codecs.keyframes import Packet
from dnerv.codecs.obu import pack_temporal_unit
from dnerv.errors import InputError


class _ByProgram(Codec):
    """An encoder that only the program has."""

    crf_range = (1.0, 63.0)
    crf_step = 1.0

    def missing(self) -> str | None:
        """See `Codec.missing`."""
        try:
            if self.encoder not in ffmpeg_names("encoders"):
                return f"imageio-ffmpeg's program {ffmpeg_program()} has no {self.encoder}"
        except InputError as error:
            return str(error)
        return self._missing_decoder()

    def library(self) -> str:
        """See `Codec.library`."""
        return f"{self.encoder} of ffmpeg {ffmpeg_version()} (imageio-ffmpeg {version('imageio-ffmpeg')})"

    def _code(self, frames: CountedFrames, settings: Settings) -> list[Packet]:
        reason = self.missing()
        if reason is not None:
            raise InputError(reason)
        height, width = frames.padded_size(self.smallest_side)
        given = ["-f", "rawvideo", "-pix_fmt", "yuv420p10le", "-s", f"{width}x{height}", "-r", str(settings.fps)]
        command = [ffmpeg_program(), "-v", "error", *given, "-i", "-", *self._words(settings), "-"]
        with TemporaryFile() as stream, TemporaryFile() as complaints:
            if not _feed(command, frames, (height, width), stream, complaints):
                complaints.seek(0)
                reason = last_words(complaints.read())
                raise InputError(f"{self.title} cannot code {width}x{height} frames: {reason}")
            stream.seek(0)
            with av.open(stream, "r", format=self.suffix[1:]) as container:
                coded = [packet for packet in container.demux(video=0) if packet.size]
                return [self._packet(packet, is_first=not index) for index, packet in enumerate(coded)]

    @abstractmethod
    def _packet(self, packet: av.Packet[av.VideoStream], *, is_first: bool) -> Packet:
        """As the stream keeps it."""


class Aom(_ByProgram, Av1Codec):
    """AV1 by libaom."""

    name = "aom"
    title = "libaom"
    encoder = "libaom-av1"
    efforts: ClassVar[Mapping[str, str]] = {"veryslow": "1", "slow": "2", "medium": "4", "fast": "6", "ultrafast": "8"}

    def _packet(self, packet: av.Packet[av.VideoStream], *, is_first: bool) -> Packet:
        return Packet(pack_temporal_unit(bytes(packet)), packet.is_keyframe)

    def _words(self, settings: Settings) -> list[str]:
        quality = ["-crf", f"{settings.crf:g}", "-b:v", "0", "-cpu-used", settings.preset, "-tune", "psnr"]
        return ["-c:v", self.encoder, "-threads", "1", *quality, "-g", str(settings.restart), "-f", "obu"]


class Vvc(_ByProgram):
    """VVC by libvvenc.

    It restarts, but FFmpeg's decoder gives other frames when it begins there: only the first packet counts as one.
    """

    name = "vvc"
    title = "VVC"
    suffix = ".vvc"
    setting = "qp"
    usual_crf = 36.0
    slope = -0.087
    encoder = "libvvenc"
    decoder = "vvc"
    efforts: ClassVar[Mapping[str, str]] = {
        "veryslow": "slower",
        "slow": "slow",
        "medium": "medium",
        "fast": "fast",
        "ultrafast": "faster",
    }

    def _words(self, settings: Settings) -> list[str]:
        seconds = max(1, round(settings.restart / settings.fps))
        bare = ["-period", str(seconds), "-vvenc-params", "accessunitdelimiter=0"]
        quality = ["-qp", f"{settings.crf:g}", "-qpa", "0", "-preset", settings.preset]
        return ["-c:v", self.encoder, "-threads", "1", *quality, *bare, "-f", "vvc"]

    def _packet(self, packet: av.Packet[av.VideoStream], *, is_first: bool) -> Packet:
        return Packet(bytes(packet), is_first)


def _feed(
    command: list[str], frames: CountedFrames, size: tuple[int, int], stream: IO[bytes], complaints: IO[bytes]
) -> bool:
    """Run the command with the frames as its input; whether it ended well."""
    process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=stream, stderr=complaints)
    assert process.stdin is not None
    broken, converter = False, ColourConverter()
    try:
        for frame in frames:
            process.stdin.write(_planes(converter.to_yuv(pad_frame(frame, *size))))
        process.stdin.close()
    except BrokenPipeError:  # it has given up, and said why
        broken = True
    except BaseException:
        process.kill()
        raise
    finally:
        with suppress(OSError):
            process.stdin.close()
        process.wait()
    return not broken and process.returncode == 0


def _planes(picture: av.VideoFrame) -> bytes:
    """Y, U, V without the padding that FFmpeg adds to lines."""
    return np.ascontiguousarray(picture.to_ndarray()).astype("<u2", copy=False).tobytes()
