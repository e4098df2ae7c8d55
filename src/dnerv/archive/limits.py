"""What a file may ask for, by how much there is of it: checked before memory or time is spent.

A few hundred bytes can declare a billion frames. Each limit here is a number that any file may reach, and more for
every byte that it has, well beyond what real archives ask for. Where one is refused all the same, whoever trusts it
opens it with an allowance: a factor on all limits, an argument of `Archive` or DNERV_ALLOWANCE in the environment.
"""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from dnerv.bitstream.header import HEADER_SIZE
from dnerv.errors import ArchiveError, InputError

# What is asked for: (what any file may have, more for each of its bytes).
INDEX_MEMORY: Final = "bytes of memory for a block of its index"
VIDEOS: Final = "videos"
FRAMES: Final = "frames"
CODED_PIXELS: Final = "pixels in a frame as coded"
SHOWN_PIXELS: Final = "pixels in a frame as shown"
PASS_PIXELS: Final = "pixels in one pass of its network"
CLIP_PIXELS: Final = "pixels in the tiles of a clip"
TILES: Final = "tiles in a frame"
_LIMITS: dict[str, tuple[int, float]] = {
    INDEX_MEMORY: (192 << 20, 256),  # a block of short videos takes some 5 MB; writers make no larger ones
    VIDEOS: (4096, 1 / 4),  # a video takes 10 bytes of the index at the very least
    FRAMES: (1 << 20, 1024),  # ten hours at 30 frames a second
    CODED_PIXELS: (1 << 22, 256),  # 4K from 17 kB on
    SHOWN_PIXELS: (1 << 24, 1024),  # 8K from 17 kB on
    PASS_PIXELS: (1 << 21, 16),  # clips of 8 frames on the largest canvas of our own networks; more for the paper's
    CLIP_PIXELS: (1 << 24, 2048),  # 1080p clips of 8 frames from 2 kB on, 4K from 40 kB on
    TILES: (64, 1 / 256),  # 4K on our largest canvas, 8K from 24 kB on; each is a pass of the network
}
_NO_MEMORY = ("allocate memory", "out of memory", "invalid buffer size", "storage size")


@dataclass(frozen=True)
class Limits:
    """Those of one file."""

    file_bytes: int
    allowance: float = 1.0  # factor on all of them

    def of(self, what: str) -> int:
        """The most that the file may ask for."""
        floor, for_a_byte = _LIMITS[what]
        return int(self.allowance * (floor + for_a_byte * self.file_bytes))

    def check(self, what: str, asked: int) -> None:
        """Raise ArchiveError where `asked` is more."""
        if asked > self.of(what):
            raise ArchiveError(
                f"the archive asks for {asked:,} {what}; one of {self.file_bytes:,} bytes may have {self.of(what):,}. "
                f"If you trust it, set DNERV_ALLOWANCE={self._needed(what, asked)} in the environment"
            )

    def _needed(self, what: str, asked: int) -> int:
        return -(-asked // max(1, int(self.of(what) / self.allowance)))


@dataclass(frozen=True)
class Bounds:
    """What an archive has that its videos may refer to, and how much they may ask for."""

    limits: Limits
    num_formats: int
    num_references: int
    network_frames: int  # frames that its network was trained on, 0 where there is no network

    @property
    def file_bytes(self) -> int:
        """Length of the file."""
        return self.limits.file_bytes

    def check_span(self, what: str, offset: int, length: int) -> None:
        """Raise ArchiveError unless bytes `offset` to `offset + length` lie in the file."""
        if not HEADER_SIZE <= offset <= offset + length <= self.file_bytes:
            raise ArchiveError(f"the archive is damaged: {what} lies outside the file")


def chosen_allowance(given: float | None) -> float:
    """What was asked for, else DNERV_ALLOWANCE, else 1. Raises InputError for anything but a number above 0."""
    text = os.environ.get("DNERV_ALLOWANCE", "1") if given is None else str(given)
    try:
        allowance = float(text)
    except ValueError:
        allowance = 0.0
    if not 0 < allowance < 1e9:
        raise InputError(f"the allowance (DNERV_ALLOWANCE) is {text!r}; it is a factor above 0")
    return allowance


@contextmanager
def memory_errors_named(what: str) -> Iterator[None]:
    """Raise ArchiveError where torch or numpy finds no memory for `what`."""
    try:
        yield
    except MemoryError as error:
        raise ArchiveError(f"there is not enough memory for {what}: {error}") from error
    except RuntimeError as error:
        message = str(error).splitlines()[0] if str(error) else ""
        if not any(words in message.lower() for words in _NO_MEMORY):  # torch's own kind among them
            raise
        raise ArchiveError(f"there is not enough memory for {what}: {message[:200]}") from error
