"""NeRV (Chen et al., NeurIPS 2021): the baseline; a network from time to frame that keeps all content in weights."""

from __future__ import annotations

import torch
from torch import Tensor, nn

from dnerv.families.config import NeRVConfig
from dnerv.families.decoder import UpsampleBlock
from dnerv.families.encoding import Stem
from dnerv.families.inputs import ClipInputs


class NeRV(nn.Module):
    """Stem, NeRV blocks and a 3x3 head. Frames are independent; its time is absolute over all videos."""

    def __init__(self, config: NeRVConfig) -> None:
        super().__init__()
        self.config = config
        widths = (config.base_channels, *config.stage_channels)
        self.stem = Stem(
            config.encoding_base, config.encoding_levels, config.stem_channels, config.base_channels, config.grid
        )
        self.blocks = nn.ModuleList(
            UpsampleBlock(before, after, stride)
            for before, after, stride in zip(widths, widths[1:], config.strides, strict=False)
        )
        self.head = nn.Conv2d(widths[-1], 3, 3, padding=1)

    def forward(self, inputs: ClipInputs) -> Tensor:
        """-> float [B, T, 3, H, W], RGB in [0, 1]; of the inputs only `time` is used."""
        x = self.stem(inputs.time).contiguous(memory_format=torch.channels_last)
        for block in self.blocks:
            x = block(x)
        rgb = (torch.tanh(self.head(x).float()) + 1) / 2
        return rgb.view(*inputs.time.shape, *rgb.shape[1:])
