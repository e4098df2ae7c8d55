"""One upsampling stage of the decoder, D-NeRV's and NeRV's alike."""

from __future__ import annotations

from torch import Tensor, nn
from torch.nn import functional as F

from dnerv.families.config import DNeRVConfig
from dnerv.families.fusion import fusion_module
from dnerv.families.temporal import temporal_module


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
    """Fusion -> NeRV block -> temporal module; the first and the last can be left out by the configuration."""

    def __init__(self, config: DNeRVConfig, in_channels: int, out_channels: int, stride: int) -> None:
        super().__init__()
        self.fusion = fusion_module(config, in_channels)
        beside = config.fused_channels if config.fusion == "concatenation" else 0
        self.upsample = UpsampleBlock(in_channels + beside, out_channels, stride)
        self.temporal = temporal_module(config, out_channels)
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
