"""An explicit histogram as a frequency model: counts on a logarithmic scale, written as differences.

    byte 0         bits 0-2: p, 0 to 4, 2**p levels to the octave; bits 3-7: k, 0 to 7, order of the codes
    byte 1, 2      first and last symbol that occur
    bits           for each symbol from first to last: its level minus the one before (0 at first), as an
                   exponential Golomb code of order k; most significant bit first, zero bits up to the next
                   byte

Level 0 means that the symbol does not occur (its frequency is the least, 2**-24); level l >= 1 stands for the
weight 2**32 * 2**-((highest - l) / 2**p). A difference d is coded as the number 2d - 1 (d > 0) or -2d; number
v as the n binary digits of v + 2**k after n - k - 1 zeros.
"""

from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from dnerv.bitstream.ans import FrequencyTable, code_length_bits
from dnerv.bitstream.frequency_models import HISTOGRAM, exp2_negative, normalised
from dnerv.errors import ArchiveError

MAXIMUM_PRECISION = 4
MAXIMUM_ORDER = 7
MAXIMUM_LEVEL = 4095
_LONGEST_RUN_OF_ZEROS = 16
_MAXIMUM_CODED_BYTES = 256 * 5  # 256 codes of at most 16 + 17 + 7 bits


@dataclass(frozen=True)
class Histogram:
    """Frequencies given symbol by symbol, in steps of 2**-p octaves."""

    levels: tuple[int, ...]  # one for each symbol from `first` on; 0: absent; at most 4095
    first: int  # symbol of levels[0]
    precision: int  # p: levels per octave are 2**p

    def table(self, alphabet: int) -> FrequencyTable:
        """Return the frequencies, uint32 [alphabet]."""
        levels = np.array(self.levels, np.int64)
        exponent_q16 = (levels.max() - levels) << (16 - self.precision)
        weights = np.where(levels > 0, exp2_negative(exponent_q16.astype(np.uint64)), np.uint64(0))
        everywhere = np.zeros(alphabet, np.uint64)
        everywhere[self.first : self.first + levels.size] = weights
        return normalised(everywhere)

    def encode(self) -> bytes:
        """Return the model as bytes, with the order of the codes that makes it shortest."""
        return self._encoded

    @cached_property
    def _encoded(self) -> bytes:
        numbers = _numbers_from_levels(self.levels)
        order = min(range(MAXIMUM_ORDER + 1), key=lambda k: int(_code_bits(numbers, k).sum()))
        last = self.first + len(self.levels) - 1
        head = bytes([HISTOGRAM, self.precision | order << 3, self.first, last])
        return head + _pack_codes(numbers, order)


def fit_histogram(counts: NDArray[np.int64]) -> Histogram:
    """Return the histogram with the fewest bytes, code length included, for counts [alphabet], sum > 0."""
    present = np.flatnonzero(counts)
    first, last = int(present[0]), int(present[-1])
    with np.errstate(divide="ignore"):
        octaves = np.log2(counts[first : last + 1].astype(np.float64))
    candidates = []
    for precision in range(MAXIMUM_PRECISION + 1):
        rounded = np.rint(np.maximum(octaves, 0) * 2**precision).astype(np.int64)
        levels = np.where(np.isfinite(octaves), rounded + 1, 0)
        candidates.append(Histogram(tuple(levels.tolist()), first, precision))
    return min(candidates, key=lambda model: total_bits(model, counts))


def total_bits(model: Histogram, counts: NDArray[np.int64]) -> float:
    """Return the bits of a model's own bytes and of `counts` [alphabet] coded under it."""
    return 8 * len(model.encode()) + code_length_bits(counts, model.table(counts.size))


def decode_histogram(data: bytes, offset: int, alphabet: int) -> tuple[Histogram, int]:
    """Read the bytes after the kind byte; return the model and the offset behind it; or ArchiveError."""
    if len(data) < offset + 3:
        raise ArchiveError("a histogram in the weights is truncated")
    settings, first, last = data[offset : offset + 3]
    precision, order = settings & 7, settings >> 3
    if precision > MAXIMUM_PRECISION or order > MAXIMUM_ORDER or not first <= last < alphabet:
        raise ArchiveError("a histogram in the weights is damaged: its settings are out of range")
    numbers, length = _unpack_codes(data[offset + 3 : offset + 3 + _MAXIMUM_CODED_BYTES], last - first + 1, order)
    levels = np.cumsum([(number + 1) // 2 if number % 2 else -(number // 2) for number in numbers])
    if levels.min() < 0 or not 1 <= levels.max() <= MAXIMUM_LEVEL:
        raise ArchiveError("a histogram in the weights is damaged: its levels are out of range")
    return Histogram(tuple(levels.tolist()), first, precision), offset + 3 + length


def _numbers_from_levels(levels: tuple[int, ...]) -> NDArray[np.int64]:
    differences = np.diff(np.array(levels, np.int64), prepend=0)
    return np.where(differences > 0, 2 * differences - 1, -2 * differences)


def _code_bits(numbers: NDArray[np.int64], order: int) -> NDArray[np.int64]:
    binary_digits = np.frexp((numbers + (1 << order)).astype(np.float64))[1]
    return 2 * binary_digits.astype(np.int64) - order - 1


def _pack_codes(numbers: NDArray[np.int64], order: int) -> bytes:
    packed, length = 0, 0
    for number, bits in zip(numbers.tolist(), _code_bits(numbers, order).tolist(), strict=True):
        packed = packed << bits | number + (1 << order)
        length += bits
    size = -(-length // 8)
    return (packed << 8 * size - length).to_bytes(size, "big")


def _unpack_codes(data: bytes, count: int, order: int) -> tuple[list[int], int]:
    """Return `count` numbers and how many bytes they take."""
    bits = np.unpackbits(np.frombuffer(data, np.uint8))
    ones = np.flatnonzero(bits)
    numbers, position = [], 0
    for _ in range(count):
        index = int(np.searchsorted(ones, position))
        zeros = int(ones[index]) - position if index < ones.size else _LONGEST_RUN_OF_ZEROS + 1
        end = position + 2 * zeros + order + 1
        if zeros > _LONGEST_RUN_OF_ZEROS or end > bits.size:
            raise ArchiveError("a histogram in the weights is truncated or damaged")
        digits = bits[position + zeros : end]
        numbers.append(int(digits @ (1 << np.arange(digits.size - 1, -1, -1))) - (1 << order))
        position = end
    if bits[position : -(-position // 8) * 8].any():
        raise ArchiveError("a histogram in the weights is damaged: its padding is not zero")
    return numbers, -(-position // 8)
