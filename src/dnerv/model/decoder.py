"""One upsampling stage of the decoder, D-NeRV's and NeRV's alike."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from dnerv.model.fusion import SpatiallyAdaptiveFusion
from dnerv.model.temporal import GlobalTemporalMLP


class UpsampleBlock(nn.Module):
    """3x3 convolution -> PixelShuffle -> GELU: the NeRV block."""

    def __init__(self, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.stride = stride
        self.conv = nn.Conv2d(in_channels, out_channels * stride * stride, 3, padding=1)

    def forward(self, x: Tensor) -> Tensor:
        """[N, Cin, H, W] -> [N, Cout, H * stride, W * stride]."""
        return F.gelu(F.pixel_shuffle(self.conv(x), self.stride))


class DecoderBlock(nn.Module):
    """Spatially-adaptive fusion -> NeRV block -> global temporal MLP; the first and the last can be left out."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        stride: int,
        *,
        feature_channels: int | None,
        clip_length: int | None,
    ) -> None:
        super().__init__()
        self.fusion = SpatiallyAdaptiveFusion(feature_channels, in_channels) if feature_channels else None
        self.upsample = UpsampleBlock(in_channels, out_channels, stride)
        self.temporal = GlobalTemporalMLP(out_channels, clip_length) if clip_length else None
        for module in self.modules():
            if isinstance(module, nn.Conv2d):
                nn.init.xavier_uniform_(module.weight)
                assert module.bias is not None
                nn.init.zeros_(module.bias)

    def forward(self, x: Tensor, features: Tensor | None) -> Tensor:
        """x [B * T, Cin, H, W], features [B * T, E, H, W] -> [B * T, Cout, H * stride, W * stride]."""
        if self.fusion is not None:
            assert features is not None
            x = self.fusion(x, features)
        x = self.upsample(x)
        return x if self.temporal is None else self.temporal(x)
