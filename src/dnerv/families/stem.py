"""Time in, features on the coarsest grid out: positional encoding and stem."""

from __future__ import annotations

import math

import torch
from torch import Tensor, nn
from torch.nn import functional as F

STEM_WEIGHT_NAMES = ((r"stem\.mlp\.0\.", "stem.hidden."), (r"stem\.mlp\.2\.", "stem.output."))  # in checkpoints


class PositionalEncoding(nn.Module):
    """Sines and cosines of `base^i * pi * t`, in the order sin, cos per level (D-NeRV section 3.2).

    The upper levels exceed what float32 can place on the circle, so the products are formed in the order that the
    published networks were trained with, in float32, and on the CPU whatever the device: the same bits everywhere.
    """

    def __init__(self, base: float, levels: int) -> None:
        super().__init__()
        self.scales = [base**level for level in range(levels)]

    def forward(self, time: Tensor) -> Tensor:
        """float32 [...] -> float32 [..., 2 * levels]."""
        time_cpu = time.to("cpu", torch.float32)
        angles = torch.stack([time_cpu * scale * math.pi for scale in self.scales], dim=-1)
        waves = torch.stack([angles.sin(), angles.cos()], dim=-1)
        return waves.flatten(-2).to(time.device)


class Stem(nn.Module):
    """Two pointwise layers from the encoded time to a feature map on the coarsest grid."""

    def __init__(self, base: float, levels: int, hidden: int, channels: int, grid: tuple[int, int]) -> None:
        super().__init__()
        self.encoding = PositionalEncoding(base, levels)
        self.hidden = nn.Linear(2 * levels, hidden)
        self.output = nn.Linear(hidden, channels * grid[0] * grid[1])
        self.shape = (channels, *grid)

    def forward(self, time: Tensor) -> Tensor:
        """float32 [B, T] -> [B * T, C0, grid rows, grid columns]."""
        x = F.gelu(self.hidden(self.encoding(time)))
        x = F.gelu(self.output(x))  # (B, T, C0 * rows * columns), channel-major
        return x.view(-1, *self.shape)
