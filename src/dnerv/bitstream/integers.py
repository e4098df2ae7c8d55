"""Lists of integers as bytes: LEB128, seven bits a byte, least significant first, all at once by numpy.

Bit 7 is set in every byte but an integer's last; the shortest form only, below 2^63. Signed values are zigzagged first:
0, -1, 1, -2, ... become 0, 1, 2, 3, ...
"""

from __future__ import annotations

from collections.abc import Iterable

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import ArchiveError

_MOST_BYTES = 9
_AT_ONCE = 1 << 17  # integers, or bytes, in one step: it takes some 300 times as many bytes of memory
_PLACES = np.arange(_MOST_BYTES)

Integers = NDArray[np.int64]


def encode_integers(values: Iterable[int] | Integers) -> bytes:
    """Integers in [0, 2^63) as bytes. OverflowError or ValueError for others."""
    numbers = np.fromiter(values, np.int64) if not isinstance(values, np.ndarray) else values.astype(np.int64)
    if numbers.size and int(numbers.min()) < 0:
        raise ValueError(f"integers to be stored are not negative: {int(numbers.min())}")
    return b"".join(_encoded(numbers[i : i + _AT_ONCE]) for i in range(0, numbers.size, _AT_ONCE))


def decode_integers(data: bytes) -> Integers:
    """All integers in `data`. Raises ArchiveError where the last is cut, or one is too long or not in shortest form."""
    numbers = np.frombuffer(data, np.uint8)
    if numbers.size and numbers[-1] >= 0x80:
        raise ArchiveError("a list of integers is damaged: its last one is cut")
    decoded = np.empty(int(np.count_nonzero(numbers < 0x80)), np.int64)
    at = filled = 0
    while at < numbers.size:
        piece = numbers[at : at + _AT_ONCE]
        ends = np.flatnonzero(piece < 0x80)
        if not ends.size:
            raise ArchiveError("a list of integers is damaged: one is longer than it may be")
        decoded[filled : filled + ends.size] = _decoded(piece[: ends[-1] + 1], ends)
        at, filled = at + int(ends[-1]) + 1, filled + ends.size
    return decoded


def split_integers(data: bytes, count: int) -> tuple[list[int], int]:
    """The `count` integers that `data` begins with, and where they end. Raises ArchiveError as above."""
    stops = [place for place, byte in enumerate(data[: count * _MOST_BYTES]) if byte < 0x80][:count]
    if len(stops) < count:
        raise ArchiveError("a list of integers is damaged: it is cut")
    return decode_integers(data[: stops[-1] + 1]).tolist(), stops[-1] + 1


def _encoded(numbers: Integers) -> bytes:
    digits = (numbers[:, None] >> 7 * _PLACES) & 0x7F
    lengths = np.maximum(1, ((numbers[:, None] >> 7 * _PLACES) > 0).sum(1))
    continued = (lengths - 1)[:, None] > _PLACES
    coded: NDArray[np.uint8] = (digits | np.where(continued, 0x80, 0)).astype(np.uint8)[lengths[:, None] > _PLACES]
    return coded.tobytes()


def _decoded(numbers: NDArray[np.uint8], ends: NDArray[np.intp]) -> Integers:
    """Integers whose last bytes stand at `ends`."""
    starts = np.concatenate([[0], ends[:-1] + 1])
    lengths = ends - starts + 1
    if int(lengths.max()) > _MOST_BYTES or bool(((lengths > 1) & (numbers[ends] == 0)).any()):
        raise ArchiveError("a list of integers is damaged: one is longer than it may be")
    places = np.arange(numbers.size) - np.repeat(starts, lengths)
    return np.add.reduceat((numbers & 0x7F).astype(np.int64) << (7 * places), starts)


def zigzag(values: Integers) -> Integers:
    """Signed integers as unsigned ones, small where they are near 0."""
    return (values << 1) ^ (values >> 63)


def unzigzag(values: Integers) -> Integers:
    """Inverse of `zigzag`."""
    return (values >> 1) ^ -(values & 1)


class Cursor:
    """Takes lists of known lengths from a decoded list, one after the other. ArchiveError where it is too short."""

    def __init__(self, integers: Integers) -> None:
        self._integers, self._at = integers, 0

    def take(self, count: int) -> Integers:
        """The next `count` of them."""
        if count > self._integers.size - self._at:
            raise ArchiveError("a list of integers is damaged: it is shorter than it says")
        taken = self._integers[self._at : self._at + count]
        self._at += count
        return taken

    def one(self) -> int:
        """The next one."""
        return int(self.take(1)[0])

    def check_end(self) -> None:
        """Raise ArchiveError unless all have been taken."""
        if self._at != self._integers.size:
            raise ArchiveError("a list of integers is damaged: it is longer than it says")
