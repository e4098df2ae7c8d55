"""The global temporal MLP: every frame of a clip sees every other (D-NeRV section 3.5)."""

from __future__ import annotations

import torch
from torch import Tensor, nn


class GlobalTemporalMLP(nn.Module):
    """Per channel a T x T matrix and a bias per time, applied over time at every pixel, added to its input."""

    def __init__(self, channels: int, clip_length: int) -> None:
        super().__init__()
        self.channels, self.clip_length = channels, clip_length
        # Row c * T + t_out, column t_in: two dimensions, so that quantisation is per input time.
        self.weight = nn.Parameter(torch.empty(channels * clip_length, clip_length))
        self.bias = nn.Parameter(torch.empty(channels * clip_length))
        bound = clip_length**-0.5  # what the framework gives a convolution with T inputs
        nn.init.uniform_(self.weight, -bound, bound)
        nn.init.uniform_(self.bias, -bound, bound)

    def forward(self, x: Tensor) -> Tensor:
        """[B * T, C, H, W] -> [B * T, C, H, W]."""
        frames, channels, rows, columns = x.shape
        length = self.clip_length
        clips = x.view(-1, length, channels, rows, columns)
        # (C, T, B*H*W): one small matrix product per channel
        flat = clips.permute(2, 1, 0, 3, 4).reshape(channels, length, -1)
        mixed = torch.baddbmm(self.bias.view(channels, length, 1), self.weight.view(channels, length, length), flat)
        mixed = mixed.view(channels, length, -1, rows, columns).permute(2, 1, 0, 3, 4)
        return x + mixed.reshape(frames, channels, rows, columns)
