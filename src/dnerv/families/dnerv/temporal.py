"""What lets the frames of a clip see each other: the paper's global temporal MLP, and what it was compared with.

Each takes and gives [B * T, C, H, W], acts over time at every pixel, and is added to its input. It starts at random, as
published; `start_at_identity` lets it start with nothing to add.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnerv.families.dnerv.config import DNeRVConfig


class GlobalTemporalMLP(nn.Module):
    """Per channel a T x T matrix and a bias per time: every frame of a clip sees every other (D-NeRV section 3.5)."""

    def __init__(self, channels: int, clip_length: int) -> None:
        super().__init__()
        self.channels, self.clip_length = channels, clip_length
        # Row c * T + t_out, column t_in: two dimensions, so that quantisation is per input time.
        self.weight = nn.Parameter(torch.empty(channels * clip_length, clip_length))
        self.bias = nn.Parameter(torch.empty(channels * clip_length))
        _as_the_framework(self.weight, self.bias)

    def start_at_identity(self) -> None:
        """Add nothing, until training finds something to add."""
        _zero(self.weight, self.bias)

    def matrices(self) -> tuple[Tensor, Tensor]:
        """Per channel a matrix over time, [C, t_out, t_in], and a bias, [C, t_out, 1]."""
        length = self.clip_length
        return self.weight.view(-1, length, length), self.bias.view(-1, length, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B * T, C, H, W] -> [B * T, C, H, W]."""
        return _mixed(x, *self.matrices())


class TemporalConvolution(nn.Module):
    """Depthwise convolution over the frames of a clip; before its first and after its last there are zeros."""

    def __init__(self, channels: int, clip_length: int, kernel: int) -> None:
        super().__init__()
        self.channels, self.clip_length = channels, clip_length
        self.weight = nn.Parameter(torch.empty(channels, kernel))  # quantisation is per tap
        self.bias = nn.Parameter(torch.empty(channels))
        _as_the_framework(self.weight, self.bias)

    def start_at_identity(self) -> None:
        """Add nothing, until training finds something to add."""
        _zero(self.weight, self.bias)

    def matrices(self) -> tuple[Tensor, Tensor]:
        """The same as a matrix over time for each channel, [C, t_out, t_in], and a bias, [C, t_out, 1]."""
        kernel, times = self.weight.shape[1], torch.arange(self.clip_length, device=self.weight.device)
        taps = times - times[:, None] + kernel // 2
        outside = (taps < 0) | (taps >= kernel)
        padded = F.pad(self.weight, (0, 1))  # the last column, of zeros, stands for every tap that there is not
        return padded[:, taps.masked_fill(outside, kernel)], self.bias[:, None, None].expand(-1, self.clip_length, 1)

    def forward(self, x: Tensor) -> Tensor:
        """[B * T, C, H, W] -> [B * T, C, H, W]."""
        return _mixed(x, *self.matrices())


class TemporalAttention(nn.Module):
    """One head of self-attention over the T frames at each pixel, a quarter as wide as the features.

    The paper names attention without its sizes; these are ours.
    """

    def __init__(self, channels: int, clip_length: int) -> None:
        super().__init__()
        self.clip_length = clip_length
        hidden = max(1, channels // 4)
        self.enter = nn.Linear(channels, 3 * hidden)  # queries, keys, values
        self.leave = nn.Linear(hidden, channels)

    def start_at_identity(self) -> None:
        """Add nothing, until training finds something to add: of the last layer alone, or nothing would ever change."""
        _zero(self.leave.weight, self.leave.bias)

    def forward(self, x: Tensor) -> Tensor:
        """[B * T, C, H, W] -> [B * T, C, H, W]."""
        frames, channels, rows, columns = x.shape
        clips = x.view(-1, self.clip_length, channels, rows, columns).permute(0, 3, 4, 1, 2)
        sequences = clips.reshape(-1, self.clip_length, channels)  # (B * H * W, T, C)
        query, key, value = self.enter(sequences).chunk(3, dim=-1)
        seen: Tensor = self.leave(F.scaled_dot_product_attention(query, key, value))
        seen = seen.view(-1, rows, columns, self.clip_length, channels).permute(0, 3, 4, 1, 2)
        return x + seen.reshape(frames, channels, rows, columns)


TemporalModule = GlobalTemporalMLP | TemporalConvolution | TemporalAttention


def temporal_module(config: DNeRVConfig, channels: int) -> TemporalModule | None:
    """The configuration's temporal module for features of `channels`."""
    if config.temporal == "mlp":
        return GlobalTemporalMLP(channels, config.clip_length)
    if config.temporal == "convolution":
        return TemporalConvolution(channels, config.clip_length, config.temporal_kernel)
    return TemporalAttention(channels, config.clip_length) if config.temporal == "attention" else None


def _zero(*parameters: Tensor) -> None:
    for parameter in parameters:
        nn.init.zeros_(parameter)


def _as_the_framework(weight: nn.Parameter, bias: nn.Parameter) -> None:
    """What the framework gives a convolution with as many inputs as `weight` has columns."""
    bound = weight.shape[1] ** -0.5
    nn.init.uniform_(weight, -bound, bound)
    nn.init.uniform_(bias, -bound, bound)


def _mixed(x: Tensor, matrices: Tensor, bias: Tensor) -> Tensor:
    """`x` and, added to it, one matrix product over time for each channel."""
    frames, channels, rows, columns = x.shape
    length = matrices.shape[-1]
    clips = x.view(-1, length, channels, rows, columns)
    flat = clips.permute(2, 1, 0, 3, 4).reshape(channels, length, -1)  # (C, T, B * H * W)
    mixed = torch.baddbmm(bias, matrices, flat)
    mixed = mixed.view(channels, length, -1, rows, columns).permute(2, 1, 0, 3, 4)
    return x + mixed.reshape(frames, channels, rows, columns)
