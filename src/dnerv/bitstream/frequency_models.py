"""Frequency tables from a few bytes: uniform, constant, Gaussian, Laplace, and an explicit histogram.

A model is written as one byte that names its kind, and its parameters; `table(alphabet)` turns it into
integer frequencies that sum to 2**24. Tables are computed in unsigned 64-bit integers only, so every machine
builds the same one. The one function they need, 2**-x for a fixed-point x, is a product of constants that
come from integer square roots (`exp2_negative`).

    first byte   model                      then
    0            uniform                    -
    1            constant                   symbol u8
    2            histogram                  see `histogram.py`
    3 to 18      the model of the stream 1 to 16 before (coded streams of the same alphabet count)
    64 to 127    Gaussian, scale = byte - 64, centred in the middle of the alphabet, no edges
    128 to 191   Gaussian, scale = byte - 128      centre u8, edge u8
    192 to 255   Laplace, scale = byte - 192       centre u8, edge u8

`edge` is extra mass on the first and on the last symbol: with a minimum and a maximum per channel every
channel holds both, which in a channel of few weights is far more than a bell has in its tails.
"""

from dataclasses import dataclass
from functools import cache, lru_cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from dnerv.bitstream.ans import TOTAL, FrequencyTable

SCALES = 64  # scale s: Gaussian sigma 0.2123 * 2**(s/6), Laplace b 0.1803 * 2**(s/6), in symbols

UNIFORM, CONSTANT, HISTOGRAM, REPEAT = 0, 1, 2, 3
REPEAT_REACH = 16
CENTRED_GAUSSIAN, GAUSSIAN, LAPLACE = 64, 128, 192

UInt64Array = NDArray[np.uint64]


@dataclass(frozen=True)
class Uniform:
    """Every symbol is as likely as any other: `log2(alphabet)` raw bits a symbol."""

    def table(self, alphabet: int) -> FrequencyTable:
        """Return the frequencies, uint32 [alphabet]."""
        return normalised(np.ones(alphabet, np.uint64))

    def encode(self) -> bytes:
        """Return the model as bytes."""
        return bytes([UNIFORM])


@dataclass(frozen=True)
class Constant:
    """One symbol throughout, at no bits."""

    symbol: int  # in [0, alphabet - 1]

    def table(self, alphabet: int) -> FrequencyTable:
        """Return the frequencies, uint32 [alphabet]: all on one symbol."""
        frequencies = np.zeros(alphabet, np.uint32)
        frequencies[self.symbol] = TOTAL
        return frequencies

    def encode(self) -> bytes:
        """Return the model as bytes."""
        return bytes([CONSTANT, self.symbol])


@dataclass(frozen=True)
class Bell:
    """A Gaussian or Laplace density sampled at the symbols, with extra mass on the first and last one."""

    kind: int  # CENTRED_GAUSSIAN, GAUSSIAN or LAPLACE
    scale: int  # 0 to 63, six to the octave
    centre: int = 0  # 0 to 255: from the first symbol to the last; ignored by CENTRED_GAUSSIAN
    edge: int = 0  # 0 to 255: mass of each edge symbol in 1/512 of the bell's; ignored by CENTRED_GAUSSIAN

    def table(self, alphabet: int) -> FrequencyTable:
        """Return the frequencies, uint32 [alphabet]."""
        return _bell_table(self, alphabet)

    def encode(self) -> bytes:
        """Return the model as bytes: one, or three with centre and edge."""
        parameters = [] if self.kind == CENTRED_GAUSSIAN else [self.centre, self.edge]
        return bytes([self.kind + self.scale, *parameters])


@lru_cache(maxsize=4096)
def _bell_table(bell: Bell, alphabet: int) -> FrequencyTable:
    is_centred = bell.kind == CENTRED_GAUSSIAN
    centre_q8 = (alphabet - 1) * 128 if is_centred else (alphabet - 1) * bell.centre * 256 // 255
    distance_q8 = np.abs(np.arange(alphabet, dtype=np.int64) * 256 - centre_q8).astype(np.uint64)
    if bell.kind == LAPLACE:  # |d| * 2**(3 - s/6)
        rate_q32 = exp2_negative(np.array([bell.scale * 65536 // 6], np.uint64))
        exponent_q16 = distance_q8 * rate_q32 >> np.uint64(21)
    else:  # d**2 * 2**(4 - s/3)
        rate_q32 = exp2_negative(np.array([bell.scale * 65536 // 3], np.uint64))
        exponent_q16 = distance_q8 * distance_q8 * rate_q32 >> np.uint64(28)
    weights = exp2_negative(exponent_q16)
    if not is_centred:
        extra = weights.sum() * np.uint64(bell.edge) >> np.uint64(9)
        weights[0] += extra
        weights[-1] += extra
    table = normalised(weights)
    table.flags.writeable = False
    return table


@cache
def _fractional_powers() -> UInt64Array:
    """Return 2**32 * 2**-(f / 65536), rounded down, for f from 0 to 65535.

    The powers 2**-(1/2), 2**-(1/4), ..., 2**-(1/65536) are integer square roots, each of the one before; f
    takes the product, from 1/2 down, of those whose bit it has.
    """
    powers = np.full(65536, 1 << 32, np.uint64)
    fractions = np.arange(65536)
    root = 1 << 31
    for bit in range(15, -1, -1):
        root = isqrt(root << 32)
        powers = np.where(fractions >> bit & 1, powers * np.uint64(root) >> np.uint64(32), powers)
    return powers


def exp2_negative(exponent_q16: UInt64Array) -> UInt64Array:
    """Return 2**32 * 2**-x, rounded down, for x in units of 2**-16: uint64 of its shape, in [0, 2**32].

    The power of x's fraction, shifted right by x's integer part (by 40 for more).
    """
    whole = np.minimum(exponent_q16 >> np.uint64(16), np.uint64(40))
    shifted: UInt64Array = _fractional_powers()[exponent_q16 & np.uint64(0xFFFF)] >> whole
    return shifted


def normalised(weights: UInt64Array) -> FrequencyTable:
    """Scale weights [n] (n from 1 to 256, each < 2**40, sum > 0) to frequencies >= 1 that sum to 2**24.

    frequency = 1 + floor(weight * (2**24 - n) / sum); what is then missing goes to the first of the largest
    weights.
    """
    count = weights.size
    frequencies = np.uint64(1) + weights * np.uint64(TOTAL - count) // weights.sum()
    frequencies[int(weights.argmax())] += np.uint64(TOTAL) - frequencies.sum()
    table: FrequencyTable = frequencies.astype(np.uint32)
    return table
