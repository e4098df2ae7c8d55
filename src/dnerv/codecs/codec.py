"""What every video codec is here: frames in, a stream of packets out, frames again; and the facts that others ask for.

    frames uint8 [H, W, 3] ── Codec.encode ──> Stream ──┬─ frames() ──────────────────────────────> frames again
                                                        └─ write(path) ─ counted_bytes, decode_file ─┘

Notable decisions:
- Colour is 4:2:0 with one conversion for all (`colour`), BT.601 in limited range but where SVT-AV1 is told otherwise;
  odd and small frames are padded by repeating their border, and cropped again after decoding.
- Bytes are those of the elementary stream: parameter sets and pictures, no container and nothing that any container
  would restore.
- A codec is asked for a quality and an effort, in names common to all; what it makes of them is its own affair.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import ClassVar

import av
import numpy as np
from av.error import FFmpegError

from dnerv.codecs.colour import ColourConverter, padded_size
from dnerv.codecs.keyframes import Frame, Packet
from dnerv.errors import ArchiveError, InputError

EFFORTS = ("veryslow", "slow", "medium", "fast", "ultrafast")
RESTART = 250  # frames from one picture at which decoding can begin to the next, at most: the default of x264 and x265


@dataclass(frozen=True)
class Stream:
    """One video, coded."""

    codec: Codec
    crf: float
    height: int  # pixels, before padding
    width: int
    packets: tuple[bytes, ...]  # in coding order; parameter sets travel in them
    restarts: tuple[int, ...]  # packets at which decoding can begin

    @property
    def size(self) -> int:
        """Bytes of the whole stream."""
        return sum(map(len, self.packets))

    def frames(self) -> Iterator[Frame]:
        """Decoded: uint8 [height, width, 3] RGB, in display order."""
        return self.codec.decode(self.packets, self.height, self.width)

    def write(self, path: Path) -> None:
        """As a file that players know; `path` ends in the codec's suffix."""
        with path.open("wb") as file:
            for packet in self.packets:
                file.write(self.codec.packet_to_file(packet))


@dataclass(frozen=True)
class Settings:
    """What an encoder is asked for, checked."""

    crf: float  # on the codec's grid
    preset: str  # the encoder's own word for the effort
    fps: Fraction  # frames per second
    restart: int  # frames


class Codec(ABC):
    """One codec. Its facts are class variables; there is nothing else to be remembered."""

    name: ClassVar[str]  # in options and records
    title: ClassVar[str]  # in tables
    suffix: ClassVar[str]  # of files, and FFmpeg's name of their format after the dot
    setting: ClassVar[str] = "crf"  # the codec's own word for its quality
    crf_range: ClassVar[tuple[float, float]]  # best and smallest
    crf_step: ClassVar[float]  # finer values are rounded
    usual_crf: ClassVar[float]  # near 0.05 bits per pixel of ordinary videos
    slope: ClassVar[float]  # of log bytes by crf, about
    efforts: ClassVar[Mapping[str, str]]  # EFFORTS to the encoder's own presets
    encoder: ClassVar[str]  # FFmpeg's names
    decoder: ClassVar[str]
    smallest_side: ClassVar[int] = 64  # pixels, after padding

    def missing(self) -> str | None:
        """Why it cannot be used here, or None."""
        if self.encoder not in av.codecs_available:
            return f"this build of PyAV has no {self.encoder}"
        return self._missing_decoder()

    def library(self) -> str:
        """The encoder and where it comes from, with versions."""
        return f"{self.encoder} of FFmpeg {av.ffmpeg_version_info} (PyAV {av.__version__})"

    @classmethod
    def nearest_crf(cls, crf: float) -> float:
        """The closest value that the codec can use."""
        low, high = cls.crf_range
        return min(max(round(crf / cls.crf_step) * cls.crf_step, low), high)

    def encode(
        self,
        frames: Iterable[Frame],
        *,
        fps: float | Fraction,
        crf: float,
        effort: str = "veryslow",
        restart: int = RESTART,
    ) -> Stream:
        """Code one video at constant quality.

        Args:
            frames: uint8 [H, W, 3] RGB, all of one size; drawn one by one.
            fps: frames per second; the rate control of some codecs looks at it.
            crf: within `crf_range`; rounded to `crf_step`.
            effort: one of `EFFORTS`.
            restart: frames from one picture at which decoding can begin to the next, at most.

        Raises:
            InputError: an option out of range, no frame, a frame that cannot be coded, or the codec is `missing`.
        """
        settings = self._settings(crf, effort, fps, restart)
        source = CountedFrames(frames)
        packets = self._code(source, settings)
        data, restarts = (packet.data for packet in packets), (i for i, packet in enumerate(packets) if packet.sync)
        return Stream(self, settings.crf, source.height, source.width, tuple(data), tuple(restarts))

    def describe(self, crf: float, effort: str, *, fps: float | Fraction, restart: int = RESTART) -> str:
        """The encoder's options in its own words, for records."""
        return " ".join(self._words(self._settings(crf, effort, fps, restart)))

    def decode(self, packets: Sequence[bytes], height: int, width: int) -> Iterator[Frame]:
        """Frames of all packets of a stream, uint8 [height, width, 3] RGB, in display order.

        Raises ArchiveError for packets that cannot be decoded.
        """
        decoder = av.CodecContext.create(self.decoder, "r")
        assert isinstance(decoder, av.VideoCodecContext)
        pictures = (
            picture
            for data in [*packets, None]
            for picture in decoder.decode(None if data is None else av.Packet(data))
        )
        return _frames(pictures, height, width, f"the {self.title} stream")

    def decode_file(self, path: Path, height: int, width: int) -> Iterator[Frame]:
        """Frames of the stream at `path`, uint8 [height, width, 3] RGB in display order.

        Raises ArchiveError for a file that cannot be decoded.
        """
        with self._opened(path) as container:
            container.streams.video[0].codec_context.thread_count = 1  # videos are decoded side by side
            yield from _frames(container.decode(video=0), height, width, str(path))

    def counted_bytes(self, path: Path) -> int:
        """Bytes of the stream at `path`, but for what every container drops and restores."""
        return path.stat().st_size

    def packet_to_file(self, packet: bytes) -> bytes:
        """What a file holds of a packet."""
        return packet

    def _missing_decoder(self) -> str | None:
        return None if self.decoder in av.codecs_available else f"this build of PyAV cannot decode {self.title}"

    @abstractmethod
    def _code(self, frames: CountedFrames, settings: Settings) -> list[Packet]:
        """All frames' packets, in coding order."""

    @abstractmethod
    def _words(self, settings: Settings) -> list[str]:
        """The encoder's options."""

    def _settings(self, crf: float, effort: str, fps: float | Fraction, restart: int) -> Settings:
        low, high = self.crf_range
        if not low <= crf <= high:
            raise InputError(f"{self.setting} is {crf}; {self.title} takes {low:g} to {high:g}")
        if effort not in self.efforts:
            raise InputError(f"effort is {effort!r}; {self.title} takes {', '.join(self.efforts)}")
        if fps <= 0 or restart < 1:
            raise InputError(f"fps is {fps} and restart {restart}; fps is positive and restart at least 1 frame")
        return Settings(self.nearest_crf(crf), self.efforts[effort], Fraction(fps).limit_denominator(90000), restart)

    def _opened(self, path: Path) -> av.container.InputContainer:
        try:
            return av.open(str(path), format=self.suffix[1:])
        except FFmpegError as error:
            raise ArchiveError(f"{path}: the stream cannot be read ({error.strerror})") from error


def _frames(pictures: Iterable[av.VideoFrame], height: int, width: int, name: str) -> Iterator[Frame]:
    converter, is_empty = ColourConverter(), True
    try:
        for picture in pictures:
            is_empty = False
            yield np.ascontiguousarray(converter.to_rgb(picture)[:height, :width])
    except FFmpegError as error:
        raise ArchiveError(f"{name} cannot be decoded ({error.strerror})") from error
    if is_empty:
        raise ArchiveError(f"{name} cannot be decoded: there is no frame in it")


class CountedFrames:
    """Checks frames and notes their number and size on their way into an encoder, which draws each only once.

    Raises InputError where there is none.
    """

    def __init__(self, frames: Iterable[Frame]) -> None:
        self._frames = checked_frames(frames)
        first = next(self._frames, None)
        if first is None:
            raise InputError("there are no frames to code; a video has at least one")
        self._first = first
        self.height, self.width = first.shape[:2]
        self.count = 0

    def padded_size(self, smallest: int) -> tuple[int, int]:
        """Height and width that are even, and `smallest` at least."""
        return padded_size(self.height, self.width, smallest=smallest)

    def __iter__(self) -> Iterator[Frame]:
        self.count += 1
        yield self._first
        for frame in self._frames:
            self.count += 1
            yield frame


def checked_frames(frames: Iterable[Frame]) -> Iterator[Frame]:
    """The same frames; raises InputError at the first that is not uint8 [H, W, 3] of the first one's size."""
    shape = None
    for index, frame in enumerate(frames):
        if frame.dtype != np.uint8 or frame.ndim != 3 or frame.shape[2] != 3 or 0 in frame.shape:
            raise InputError(f"frame {index} is {frame.dtype} {frame.shape}; it must be uint8 [H, W, 3]")
        if frame.shape != (shape or frame.shape):
            raise InputError(f"frame {index} is {frame.shape}; the first one was {shape}")
        shape = frame.shape
        yield frame
