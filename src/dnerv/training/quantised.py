"""Training against the quantiser: the forward pass sees the weights that the archive will hold.

The arithmetic is the bitstream's, in torch: the same float16 minima and steps, so a network trained to its last step
this way decodes to exactly the loss that it was trained to.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dnerv.bitstream import quantisation_axis


def quantise_like_archive(weight: Tensor, bits: int) -> Tensor:
    """The value that `weight` comes back with from an archive of 2^bits levels per channel. No gradient."""
    axis = quantisation_axis(tuple(weight.shape))
    others = [d for d in range(weight.dim()) if d != axis]
    low, high = weight.amin(others, keepdim=True), weight.amax(others, keepdim=True)
    minimum = _float16_below(low).float()
    # By a tensor, not a number: devices may multiply by the reciprocal of a number, which rounds otherwise.
    step = _float16_above((high - minimum) / torch.full_like(high, 2**bits - 1)).float()
    symbols = torch.where(step > 0, (weight - minimum) / torch.where(step > 0, step, 1), 0)
    return minimum + symbols.round().clamp(0, 2**bits - 1) * step


def straight_through(model: nn.Module, bits: int) -> dict[str, Tensor]:
    """Every weight quantised in value, yet with the gradient of the unquantised one; for `functional_call`."""
    return {
        name: weight + (quantise_like_archive(weight.detach(), bits) - weight.detach())
        for name, weight in model.named_parameters()
    }


def _float16_below(values: Tensor) -> Tensor:
    nearest = values.half()
    lower = torch.nextafter(nearest, torch.full_like(nearest, -torch.inf))
    return torch.where(nearest.float() > values, lower, nearest)


def _float16_above(values: Tensor) -> Tensor:
    nearest = values.half()
    upper = torch.nextafter(nearest, torch.full_like(nearest, torch.inf))
    return torch.where(nearest.float() < values, upper, nearest)
