"""One stage of the decoder."""

from __future__ import annotations

from torch import Tensor, nn

from dnerv.families.dnerv.config import DNeRVConfig
from dnerv.families.dnerv.fusion import fusion_module
from dnerv.families.dnerv.temporal import temporal_module
from dnerv.families.upsampling import UpsampleBlock


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
