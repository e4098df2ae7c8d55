"""The numbers of the conversion from planar YCbCr to RGB as swscale has them: for torch and for what is compiled.

    chroma [h, w] ── rows, weights of 2^-14 ── [h, 2w] ── columns, of 2^-12 ── [2h, 2w] ── matrix, with luma ── RGB

Notable decisions:
- Chroma is interpolated by a cubic of four taps (B = 0, C = 0.6), first along rows with weights in units of 2^-14, then
  along columns in units of 2^-12, and rounded down after each. A weight's rounding error goes to the next one.
- The taps that would lie before a picture's first sample repeat it, except for the farthest ones of the first and third
  output, which are left out: swscale's first tap is found by a division that rounds towards zero.
- Sums are int32 and wrap: what swscale does with the brightest impossible blues.
- Only what the processor's conversion does in one step is here. Full range beyond 8 bits takes two; `is_exact` says so.
- Neither FFmpeg nor torch is imported.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from dnerv.codecs.keyframes import Planes
from dnerv.video.planes import Matrix

SMALLEST_SIDE = 14  # pixels: swscale has shorter filters for smaller pictures
ROW_UNIT, COLUMN_UNIT = 1 << 14, 1 << 12
# Limited chroma to colours as ISO/IEC 13818-2 has it, in units of 2^-16: red of Cr, blue of Cb, green of Cb and of Cr.
_MATRICES: dict[Matrix, tuple[int, int, int, int]] = {
    "bt601": (104597, 132201, -25675, -53279),
    "bt709": (117489, 138438, -13975, -34925),
    "bt2020": (110013, 140363, -12277, -42626),
}
_SHARPNESS = 10_066_329  # of the cubic, in units of 2^-24: C = 0.6


def is_exact(planes: Planes, chroma_sample_position: int | None) -> bool:
    """Whether these numbers give swscale's frames, where both sides have `SMALLEST_SIDE` or more.

    Args:
        planes: of the packets.
        chroma_sample_position: as their sequence header has it; 0 leaves it open, which is centred for swscale. None
            where it is not known.
    """
    return chroma_sample_position == 0 and not (planes.full_range and planes.depth > 8)


@lru_cache(maxsize=64)
def weights(count: int, unit: int) -> NDArray[np.int32]:
    """Of the four samples around each of 2 `count` outputs, those that the edge repeats being 0: [2, 4, count].

    Even outputs come first. Not to be written to: it is kept.
    """
    made = np.zeros((2 * count, 4), np.int32)
    usual = [_shared_out([(tap, tap) for tap in range(4)], output, unit) for output in (4, 5)]
    made[0::2], made[1::2] = usual
    for output in (*range(4), *range(2 * count - 4, 2 * count)):
        first = (output + 1) // 2 - 2
        inside = [(tap, min(max(first + tap, 0), count - 1) - first) for tap in range(4)]
        made[output] = _shared_out(inside[1:] if output in (0, 2) else inside, output, unit)
    made = np.ascontiguousarray(made.reshape(count, 2, 4).transpose(1, 2, 0))
    made.flags.writeable = False
    return made


def _shared_out(taps: list[tuple[int, int]], output: int, unit: int) -> list[int]:
    """Weights by place, summing to `unit`: each tap (where it lies, whose sample it takes) has its part of it."""
    exact = [0] * 4
    for tap, taken in taps:
        exact[taken] += _cubic(abs(4 * tap - 5 - 2 * (output % 2 == 0)))
    divisor, carried, shares = (sum(exact) + unit // 2) // unit, 0, []
    for value in exact:
        wanted = value + carried
        share = (abs(wanted) + divisor // 2) // divisor * (1 if wanted >= 0 else -1)
        shares.append(share)
        carried = wanted - share * divisor
    return shares


def _cubic(quarters: int) -> int:
    """The kernel at a distance of `quarters` quarters of a sample, 0 to 8, in units of 2^-54 of 6."""
    one, sharpness = 1 << 24, _SHARPNESS
    powers = [quarters**exponent << 30 - 2 * exponent for exponent in range(4)]
    if quarters < 4:
        factors = (6 * one, 0, 6 * sharpness - 18 * one, 12 * one - 6 * sharpness)
    else:
        factors = (24 * sharpness, -48 * sharpness, 30 * sharpness, -6 * sharpness)
    return sum(factor * power for factor, power in zip(factors, powers, strict=True))


@lru_cache(maxsize=16)
def coefficients(planes: Planes) -> tuple[int, int, int, int, int, int]:
    """Gain and black of luma; red of Cr, blue of Cb, green of Cb and of Cr: in units of 2^-13, black in 2^-9."""
    gain, black, chroma = 65536 * 255 // 219, 16 << 9, list(_MATRICES[planes.matrix])
    if planes.full_range:
        gain, black, chroma = 65536, 0, [int(value * 224 / 255) for value in chroma]
    red_v, blue_u, green_u, green_v = ((value + 4) >> 3 for value in chroma)
    return (gain + 4) >> 3, black, red_v, blue_u, green_u, green_v
