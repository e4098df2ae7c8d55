"""Planar YCbCr to RGB in integers of torch: on any device, and to the bit what swscale makes on a processor.

    samples [n, 3/2 H W] ── luma [n, H, W] ────────────────────────────┐
                         └─ chroma, twice [n, H/2, W/2] ── wider ── taller ── matrix ── 8 bits ── [n, 3, H, W]

For accelerators: planes go over as they are, half the bytes of RGB at 8 bits, and the processor has dav1d alone to run.
On a processor swscale is ten times as fast as this.

Notable decisions:
- Chroma is interpolated by a cubic of four taps (B = 0, C = 0.6), first along rows with weights in units of 2^-14, then
  along columns in units of 2^-12, and rounded down after each. A weight's rounding error goes to the next one.
- The taps that would lie before a picture's first sample repeat it, except for the farthest ones of the first and third
  output, which are left out: swscale's first tap is found by a division that rounds towards zero.
- Sums are int32 and wrap: what swscale does with the brightest impossible blues.
- Only what the processor's conversion does in one step is here. Full range beyond 8 bits takes two; `is_exact` says so.
"""

from __future__ import annotations

from functools import lru_cache

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerv.codecs.keyframes import Planes
from dnerv.video.planes import Matrix

# Limited chroma to colours as ISO/IEC 13818-2 has it, in units of 2^-16: red of Cr, blue of Cb, green of Cb and of Cr.
_MATRICES: dict[Matrix, tuple[int, int, int, int]] = {
    "bt601": (104597, 132201, -25675, -53279),
    "bt709": (117489, 138438, -13975, -34925),
    "bt2020": (110013, 140363, -12277, -42626),
}
_SHARPNESS = 10_066_329  # of the cubic, in units of 2^-24: C = 0.6
_ROW_UNIT, _COLUMN_UNIT = 1 << 14, 1 << 12
_LARGEST = (1 << 15) - 1  # between rows and columns
_CHROMA_ZERO = (128 << 19) - 512  # and half of what the shift by 10 takes
_SHIFT = 22  # from sums to 8 bits
_PASS_PIXELS = {"cpu": 1 << 20, "cuda": 1 << 24}  # that are converted at once: each takes some 40 bytes


def is_exact(planes: Planes, chroma_sample_position: int) -> bool:
    """Whether `rgb_of` gives swscale's frames.

    Args:
        planes: of the packets.
        chroma_sample_position: what their sequence header says; 0 is unknown, and centred for swscale.
    """
    return chroma_sample_position == 0 and not (planes.full_range and planes.depth > 8)


def rgb_of(samples: Tensor, planes: Planes, height: int, width: int) -> Tensor:
    """Samples of 4:2:0 pictures -> uint8 [n, 3, height, width] RGB in [0, 255], on their device.

    Args:
        samples: uint8 or int16 [n, 3/2 * height * width], as `colour.samples_of` gives them.
        planes: what they mean; `is_exact` of them.
        height, width: of the pictures as coded, in pixels, even and at least 8.
    """
    made = torch.empty(len(samples), 3, height, width, dtype=torch.uint8, device=samples.device)
    at_once = max(1, _PASS_PIXELS[samples.device.type] // (height * width))
    for first in range(0, len(samples), at_once):
        _convert(samples[first : first + at_once], planes, made[first : first + at_once])
    return made


def _convert(samples: Tensor, planes: Planes, out: Tensor) -> None:
    height, width = out.shape[-2:]
    pixels = height * width
    y = samples[:, :pixels].int().view(-1, height, width)
    chroma = _chroma(samples[:, pixels:].int().view(-1, height // 2, width // 2), planes.depth)
    u, v = chroma.view(-1, 2, height, width).unbind(1)
    gain, black, red_v, blue_u, green_u, green_v = _coefficients(planes)
    y = ((y << (17 - planes.depth)) - black) * gain + (1 << _SHIFT - 1)
    for channel, colour in enumerate((y + v * red_v, y + v * green_v + u * green_u, y + u * blue_u)):
        out[:, channel] = colour.clamp_(0, (1 << 8 + _SHIFT) - 1) >> _SHIFT


def _chroma(chroma: Tensor, depth: int) -> Tensor:
    """int32 [n, h, w] of `depth` bits -> [n, 2h, 2w] around 0, in units of 2^-9 of 8 bits."""
    rows = (_doubled(chroma, _ROW_UNIT) >> (depth - 1)).clamp_(max=_LARGEST)
    columns = _doubled(rows.mT, _COLUMN_UNIT).mT
    return ((columns - _CHROMA_ZERO) >> 10).contiguous()


def _doubled(plane: Tensor, unit: int) -> Tensor:
    """int32 [n, h, w] -> [n, h, 2w], times `unit`."""
    count = plane.shape[-1]
    weights = _weights_on(plane.device, count, unit)  # [2, 4, w]: of even and of odd outputs
    edges = plane[..., :1], plane[..., -1:]
    padded = torch.cat((edges[0], edges[0], plane, edges[1], edges[1]), dim=-1)
    doubled = torch.empty(*plane.shape, 2, dtype=torch.int32, device=plane.device)
    for phase in range(2):
        taps = [padded[..., phase + tap : phase + tap + count] * weights[phase, tap] for tap in range(4)]
        torch.add(taps[0].add_(taps[1]), taps[2].add_(taps[3]), out=doubled[..., phase])
    return doubled.flatten(-2)


@lru_cache(maxsize=64)
def _weights_on(device: torch.device, count: int, unit: int) -> Tensor:
    """Kept there: sending them each time would wait for the device."""
    return torch.from_numpy(_weights(count, unit)).to(device)


def _weights(count: int, unit: int) -> NDArray[np.int32]:
    """Of the four samples around each of 2 `count` outputs, those that the edge repeats being 0: [2, 4, count]."""
    weights = np.zeros((2 * count, 4), np.int32)
    usual = [_shared_out([(tap, tap) for tap in range(4)], output, unit) for output in (4, 5)]
    weights[0::2], weights[1::2] = usual
    for output in (*range(4), *range(2 * count - 4, 2 * count)):
        first = (output + 1) // 2 - 2
        inside = [(tap, min(max(first + tap, 0), count - 1) - first) for tap in range(4)]
        weights[output] = _shared_out(inside[1:] if output in (0, 2) else inside, output, unit)
    return np.ascontiguousarray(weights.reshape(count, 2, 4).transpose(1, 2, 0))


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


def _coefficients(planes: Planes) -> tuple[int, int, int, int, int, int]:
    """Gain and black of luma; red of Cr, blue of Cb, green of Cb and of Cr: in units of 2^-13, black in 2^-9."""
    gain, black, chroma = 65536 * 255 // 219, 16 << 9, list(_MATRICES[planes.matrix])
    if planes.full_range:
        gain, black, chroma = 65536, 0, [int(value * 224 / 255) for value in chroma]
    red_v, blue_u, green_u, green_v = ((value + 4) >> 3 for value in chroma)
    return (gain + 4) >> 3, black, red_v, blue_u, green_u, green_v
