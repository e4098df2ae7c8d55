"""SSIM as a loss: `pytorch_msssim.ssim` is the reference, for values and gradients.

The Gaussian window is separable and reaches the whole frame as two banded matrices. As matrix products the blurs run
several times faster on a CPU than as convolutions of one channel, where they took a third of a training step.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor

WINDOW = 11  # pixels
_SIGMA = 1.5  # pixels
_C1, _C2 = 0.01**2, 0.03**2


def structural_similarity(made: Tensor, wanted: Tensor) -> Tensor:
    """SSIM (Wang et al., 2004) of each frame, mean over its channels.

    Args:
        made: float [N, C, H, W] in [0, 1], H and W at least `WINDOW`.
        wanted: the same.

    Returns:
        [N], at most 1.
    """
    down, across = (_window(side, made.device, made.dtype) for side in made.shape[-2:])
    maps = torch.stack((made, wanted, made.square() + wanted.square(), made * wanted))
    first, second, squares, product = down @ maps @ across.t()
    means, mean_product = first.square() + second.square(), first * second
    contrast = (2 * (product - mean_product) + _C2) / (squares - means + _C2)
    similarity: Tensor = (2 * mean_product + _C1) / (means + _C1) * contrast
    return similarity.mean((1, 2, 3))


@lru_cache(maxsize=8)
def _window(side: int, device: torch.device, dtype: torch.dtype) -> Tensor:
    """The blur of a line of `side` pixels, where the whole window fits: [side - WINDOW + 1, side]."""
    offsets = torch.arange(WINDOW, dtype=torch.float64) - WINDOW // 2
    weights = torch.exp(-offsets.square() / (2 * _SIGMA**2))
    weights /= weights.sum()
    matrix = torch.zeros(side - WINDOW + 1, side, dtype=torch.float64)
    for place, weight in enumerate(weights):
        matrix.diagonal(place).copy_(weight.expand(len(matrix)))
    return matrix.to(device, dtype)
