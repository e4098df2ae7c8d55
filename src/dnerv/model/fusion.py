"""Spatially-adaptive fusion: keyframe features modulate decoder features (D-NeRV section 3.4)."""

from __future__ import annotations

from torch import Tensor, nn


class SpatiallyAdaptiveFusion(nn.Module):
    """`x * (1 + gamma) + beta`, gamma and beta a 1x1 projection of the fused keyframe features."""

    def __init__(self, feature_channels: int, channels: int) -> None:
        super().__init__()
        self.project = nn.Conv2d(feature_channels, 2 * channels, 1)  # gamma first, then beta

    def forward(self, x: Tensor, features: Tensor) -> Tensor:
        """x [N, C, H, W], features [N, E, H, W] -> [N, C, H, W]."""
        gamma, beta = self.project(features).chunk(2, dim=1)
        modulated: Tensor = x * (1 + gamma) + beta
        return modulated
