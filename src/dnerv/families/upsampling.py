"""The NeRV block, which both networks of the paper are made of."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F


class UpsampleBlock(nn.Module):
    """3x3 convolution -> PixelShuffle -> GELU: the NeRV block."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(in_channels, out_channels * stride * stride, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, Cin, H, W] -> [N, Cout, H * stride, W * stride]."""
        return F.gelu(F.pixel_shuffle(self.conv(x), self.stride))
