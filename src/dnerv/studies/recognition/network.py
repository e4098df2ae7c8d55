"""TSM: a residual network of 2-D convolutions that sees time because channels are shifted along it.

clips [B, T, 3, H, W] ─ stem (stride 4) ─ blocks at H/4, H/8, H/16 ─ mean over pixels ─ linear ─ mean over T ─ logits
                                            └─ x + branch(shift(x))

Lin, Gan and Han, "TSM: Temporal Shift Module for Efficient Video Understanding", ICCV 2019: an eighth of the channels
comes from the frame before, an eighth from the frame after, in the residual branches, so that what is at a frame
itself is not lost. The paper's network is a ResNet-50 with weights of ImageNet and Kinetics; this one is small enough
to be trained from scratch on a processor.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHIFTED_PART = 8  # of the channels, one in so many goes each way
_STAGES = 3


@dataclass(frozen=True)
class TSMConfig:
    """The network's size."""

    num_classes: int
    width: int = 16  # channels of the first stage; each later one has twice as many
    blocks: int = 1  # of each stage


class TemporalShiftNetwork(nn.Module):
    """Logits of clips."""

    def __init__(self, config: TSMConfig) -> None:
        super().__init__()
        # Frame and difference from the one before: motion is there from the first layer on.
        self.stem = nn.Sequential(
            nn.Conv2d(6, config.width, 7, stride=4, padding=3, bias=False), nn.BatchNorm2d(config.width), nn.ReLU()
        )
        layers, channels = [], config.width
        for stage in range(_STAGES):
            for block in range(config.blocks):
                wider = config.width << stage
                layers.append(ShiftedBlock(channels, wider, stride=2 if stage and not block else 1))
                channels = wider
        self.blocks = nn.ModuleList(layers)
        self.head = nn.Linear(channels, config.num_classes)

    def forward(self, clips: Tensor) -> Tensor:
        """float [B, T, 3, H, W] -> logits [B, classes], the mean of those of the frames (consensus)."""
        frames = clips.shape[1]
        steps = torch.diff(clips, dim=1, prepend=clips[:, :1])
        x = self.stem(torch.cat([clips, steps], dim=2).flatten(0, 1))  # [B*T, C, h, w]
        for block in self.blocks:
            x = block(x, frames)
        logits: Tensor = self.head(x.mean((2, 3)))
        return logits.view(-1, frames, logits.shape[1]).mean(1)


class ShiftedBlock(nn.Module):
    """Two 3x3 convolutions beside an identity, or beside a 1x1 convolution where the size changes."""

    def __init__(self, channels: int, wider: int, *, stride: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(channels, wider, 3, stride=stride, padding=1, bias=False)
        self.second = nn.Conv2d(wider, wider, 3, padding=1, bias=False)
        self.norms = nn.ModuleList([nn.BatchNorm2d(wider), nn.BatchNorm2d(wider)])
        nn.init.zeros_(self.norms[1].weight)  # type: ignore[arg-type]  # a block begins as what is beside it
        same = stride == 1 and channels == wider
        self.beside = nn.Identity() if same else _projection(channels, wider, stride)

    def forward(self, x: Tensor, frames: int) -> Tensor:
        """float [B*T, C, h, w] -> [B*T, wider, h / stride, w / stride]."""
        branch = F.relu(self.norms[0](self.first(temporal_shift(x, frames))))
        made: Tensor = F.relu(self.beside(x) + self.norms[1](self.second(branch)))
        return made


def temporal_shift(x: Tensor, frames: int) -> Tensor:
    """Channels of neighbouring frames: [B*T, C, h, w] -> the same shape.

    The first eighth comes from the frame after, the second from the frame before, the rest stays; where there is no
    such frame, zeros. Clips do not mix.
    """
    part = x.shape[1] // SHIFTED_PART
    clips = torch.unflatten(x, 0, (-1, frames))  # [B, T, C, h, w]
    later, earlier, same = torch.split(clips, [part, part, x.shape[1] - 2 * part], dim=2)
    nothing = torch.zeros_like(later[:, :1])
    later = torch.cat([later[:, 1:], nothing], dim=1)
    earlier = torch.cat([nothing, earlier[:, :-1]], dim=1)
    return torch.cat([moved.flatten(0, 1) for moved in (later, earlier, same)], dim=1)


def _projection(channels: int, wider: int, stride: int) -> nn.Module:
    return nn.Sequential(nn.Conv2d(channels, wider, 1, stride=stride, bias=False), nn.BatchNorm2d(wider))
