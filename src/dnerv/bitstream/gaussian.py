"""The one distribution that weights and scales are coded under: a Gaussian sampled at integer symbols.

Its frequencies are computed in unsigned 64-bit integers only, so every machine builds the same ones. The one function
that they need, 2**-x for a fixed-point x, is a product of constants that come from integer square roots.

    spread   0 to 127: standard deviation 0.2123 * 2**(spread / 6) symbols; from 97 on all symbols are equally likely
    weight   of the symbol at distance d from the centre: 2**32 * 2**-(d**2 * 2**(4 - spread / 3))
"""

from functools import cache, lru_cache
from math import isqrt

import numpy as np
from numpy.typing import NDArray

from dnerv.bitstream.ans import TOTAL, FrequencyTable

SPREADS = 128

UInt64Array = NDArray[np.uint64]
_SMALLEST = 0.2123  # standard deviation of spread 0, in symbols


@lru_cache(maxsize=1024)
def gaussian_table(alphabet: int, centre: int, spread: int) -> FrequencyTable:
    """Frequencies, uint32 [alphabet], each at least 1, that sum to 2**24.

    Args:
        alphabet: 2 to 65536 symbols.
        centre: the most likely one.
        spread: 0 to 127.
    """
    distance = np.abs(np.arange(alphabet, dtype=np.int64) - centre).astype(np.uint64)
    rate_q32 = int(exp2_negative(np.array([spread * 65536 // 3], np.uint64))[0])
    beyond = (41 << 28) // max(rate_q32, 1) + 1  # the square from which on a weight is 0; no product overflows
    exponent_q16 = np.minimum(distance * distance, np.uint64(beyond)) * np.uint64(rate_q32) >> np.uint64(12)
    table = _normalised(exp2_negative(exponent_q16))
    table.flags.writeable = False
    return table


def exp2_negative(exponent_q16: UInt64Array) -> UInt64Array:
    """Return 2**32 * 2**-x, rounded down, for x in units of 2**-16: uint64 of its shape, in [0, 2**32].

    The power of x's fraction, shifted right by x's integer part (by 40 for more).
    """
    whole = np.minimum(exponent_q16 >> np.uint64(16), np.uint64(40))
    shifted: UInt64Array = _fractional_powers()[exponent_q16 & np.uint64(0xFFFF)] >> whole
    return shifted


def fitted_spread(counts: NDArray[np.int64], centres: NDArray[np.int64]) -> int:
    """The spread under which symbols take the fewest bits. Only encoders run this: it may use floating point.

    Args:
        counts: [k, alphabet], how often each symbol occurs beside each of k centres.
        centres: [k].
    """
    squares = np.square(np.arange(counts.shape[1], dtype=np.float64) - centres[:, None])
    variance = float((counts * squares).sum() / max(1, counts.sum()))

    @cache
    def bits(spread: int) -> float:
        weights = np.exp2(-squares * 2.0 ** (4 - spread / 3))
        shares = weights / weights.sum(axis=1, keepdims=True) * (1 - counts.shape[1] / TOTAL) + 1 / TOTAL
        return float(-(counts * np.log2(shares)).sum())

    best = int(np.clip(np.rint(6 * np.log2(max(variance**0.5, 1e-3) / _SMALLEST)), 0, SPREADS - 1))
    for stride in (6, -6, 1, -1):
        while 0 <= best + stride < SPREADS and bits(best + stride) < bits(best):
            best += stride
    return best


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


def _normalised(weights: UInt64Array) -> FrequencyTable:
    """Scale weights [n] (n from 2 to 65536, each at most 2**32, sum > 0) to frequencies >= 1 that sum to 2**24.

    frequency = 1 + floor(weight * (2**24 - n) / sum); what is then missing goes to the first of the largest weights.
    """
    frequencies = np.uint64(1) + weights * np.uint64(TOTAL - weights.size) // weights.sum()
    frequencies[int(weights.argmax())] += np.uint64(TOTAL) - frequencies.sum()
    table: FrequencyTable = frequencies.astype(np.uint32)
    return table
