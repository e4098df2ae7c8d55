"""Planar YCbCr to RGB in integers of torch: on any device, and to the bit what swscale makes on a processor.

    samples [n, 3/2 H W] ── luma [n, H, W] ────────────────────────────┐
                         └─ chroma, twice [n, H/2, W/2] ── wider ── taller ── matrix ── 8 bits ── [n, 3, H, W]

For accelerators: planes go over as they are, half the bytes of RGB at 8 bits, and the processor has dav1d alone to run.
On a processor swscale is ten times as fast as this, and `_planes.c` forty times. What the numbers are is in
`colour_tables`.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

from dnerv.codecs.colour_tables import COLUMN_UNIT, ROW_UNIT, coefficients, weights
from dnerv.codecs.keyframes import Planes

_LARGEST = (1 << 15) - 1  # between rows and columns
_CHROMA_ZERO = (128 << 19) - 512  # and half of what the shift by 10 takes
_SHIFT = 22  # from sums to 8 bits
_PASS_PIXELS = {"cpu": 1 << 20, "cuda": 1 << 24}  # that are converted at once: each takes some 40 bytes


def rgb_of(samples: Tensor, planes: Planes, height: int, width: int) -> Tensor:
    """Samples of 4:2:0 pictures -> uint8 [n, 3, height, width] RGB in [0, 255], on their device.

    Args:
        samples: uint8 or int16 [n, 3/2 * height * width], as `colour.samples_of` gives them.
        planes: what they mean; `colour_tables.is_exact` of them.
        height, width: of the pictures as coded, in pixels, even and at least `colour_tables.SMALLEST_SIDE`.
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
    gain, black, red_v, blue_u, green_u, green_v = coefficients(planes)
    y = ((y << (17 - planes.depth)) - black) * gain + (1 << _SHIFT - 1)
    for channel, colour in enumerate((y + v * red_v, y + v * green_v + u * green_u, y + u * blue_u)):
        out[:, channel] = colour.clamp_(0, (1 << 8 + _SHIFT) - 1) >> _SHIFT


def _chroma(chroma: Tensor, depth: int) -> Tensor:
    """int32 [n, h, w] of `depth` bits -> [n, 2h, 2w] around 0, in units of 2^-9 of 8 bits."""
    rows = (_doubled(chroma, ROW_UNIT) >> (depth - 1)).clamp_(max=_LARGEST)
    columns = _doubled(rows.mT, COLUMN_UNIT).mT
    return ((columns - _CHROMA_ZERO) >> 10).contiguous()


def _doubled(plane: Tensor, unit: int) -> Tensor:
    """int32 [n, h, w] -> [n, h, 2w], times `unit`."""
    count = plane.shape[-1]
    shares = _weights_on(plane.device, count, unit)  # [2, 4, w]: of even and of odd outputs
    edges = plane[..., :1], plane[..., -1:]
    padded = torch.cat((edges[0], edges[0], plane, edges[1], edges[1]), dim=-1)
    doubled = torch.empty(*plane.shape, 2, dtype=torch.int32, device=plane.device)
    for phase in range(2):
        taps = [padded[..., phase + tap : phase + tap + count] * shares[phase, tap] for tap in range(4)]
        torch.add(taps[0].add_(taps[1]), taps[2].add_(taps[3]), out=doubled[..., phase])
    return doubled.flatten(-2)


@lru_cache(maxsize=64)
def _weights_on(device: torch.device, count: int, unit: int) -> Tensor:
    """Kept there: sending them each time would wait for the device."""
    return torch.tensor(weights(count, unit), device=device)
