"""How keyframe features enter the decoder's: the paper's modulation, and the concatenation it was compared with."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dnerv.families.dnerv.config import DNeRVConfig


class SpatiallyAdaptiveFusion(nn.Module):
    """`x * (1 + gamma) + beta`, gamma and beta a 1x1 projection of the fused keyframe features (D-NeRV section 3.4)."""

    def __init__(self, feature_channels: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(feature_channels, 2 * channels, 1)  # gamma first, then beta

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """x [N, C, H, W], features [N, E, H, W] -> [N, C, H, W]."""
        gamma, beta = self.project(features).chunk(2, dim=1)
        modulated: Tensor = x * (1 + gamma) + beta
        return modulated


class Concatenation(nn.Module):
    """Features side by side, as a U-Net's skip connections are; the convolution that follows sorts them out."""

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """x [N, C, H, W], features [N, E, H, W] -> [N, C + E, H, W]."""
        return torch.cat((x, features.to(x.dtype)), dim=1)


def fusion_module(config: DNeRVConfig, channels: int) -> SpatiallyAdaptiveFusion | Concatenation | None:
    """The configuration's fusion for decoder features of `channels`."""
    if config.fusion == "adaptive":
        return SpatiallyAdaptiveFusion(config.fused_channels, channels)
    return Concatenation() if config.fusion == "concatenation" else None
