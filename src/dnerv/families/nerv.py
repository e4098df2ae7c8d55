"""NeRV (Chen et al., NeurIPS 2021): the baseline; a network from time to frame that keeps all content in weights."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod

import torch
from torch import Tensor, nn

from dnerv.errors import InputError
from dnerv.families.config import check_size, check_stages, check_stem, scales, stage_channels
from dnerv.families.family import Family, PublishedModel, Sizing
from dnerv.families.inputs import ClipInputs
from dnerv.families.network import Network
from dnerv.families.sizes import OUTPUT_STRIDE, PAPER_STRIDES, compact_grid, compact_strides, paper_grid
from dnerv.families.stem import STEM_WEIGHT_NAMES, Stem
from dnerv.families.upsampling import UpsampleBlock


@dataclass(frozen=True)
class NeRVConfig:
    """NeRV (Chen et al., NeurIPS 2021) as the D-NeRV paper uses it for its baseline: time in, frame out."""

    base_channels: int
    grid: tuple[int, int] = (4, 5)
    strides: tuple[int, ...] = (4, 2, 2, 2, 2)
    clip_length: int = 8  # frames decoded together; frames are independent, so only a batch size
    min_channels: int = 32
    stem_channels: int = 512
    encoding_base: float = 1.25
    encoding_levels: int = 240

    def __post_init__(self) -> None:
        check_stages(self.base_channels, self.grid, self.strides, self.clip_length, self.min_channels)
        check_stem(self.encoding_base, self.encoding_levels, self.stem_channels)
        check_size(self)

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width in pixels of the frames that the network makes."""
        scale = prod(self.strides)
        return self.grid[0] * scale, self.grid[1] * scale

    @property
    def uses_keyframes(self) -> bool:
        """Whether frames are conditioned on keyframes: never."""
        return False

    @property
    def absolute_time(self) -> bool:
        """Whether time runs over all videos: always."""
        return True

    @property
    def keyframe_every(self) -> int:
        """There are no keyframes; the clip length keeps a video's layout defined."""
        return self.clip_length

    @property
    def statistics(self) -> None:
        """NeRV does not know the corpus's."""

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """Output channels of each stage."""
        return stage_channels(self.base_channels, self.strides, self.min_channels)

    @property
    def largest_tensor(self) -> int:
        """Numbers in the largest tensor on the way from one clip's times to its frames."""
        areas = [scale**2 * self.grid[0] * self.grid[1] for scale in scales(self.strides)]
        made = [width * area for width, area in zip(self.stage_channels, areas[1:], strict=True)]
        return self.clip_length * max(self.base_channels * areas[0], *made, 3 * areas[-1])


class NeRV(Network):
    """Stem, NeRV blocks and a 3x3 head. Frames are independent; its time is absolute over all videos."""

    config: NeRVConfig

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


def compact_nerv(width: int, canvas: tuple[int, int], *, clip_length: int) -> NeRVConfig:
    """NeRV for a canvas (height, width) on the same grid as a compact D-NeRV, its stem scaled by `width` too."""
    strides = compact_strides(canvas)
    return NeRVConfig(
        base_channels=width,
        grid=compact_grid(canvas, len(strides)),
        strides=(*strides, OUTPUT_STRIDE),
        clip_length=clip_length,
        min_channels=min(32, max(6, width)),
        stem_channels=min(512, 4 * width),
        encoding_levels=min(240, 8 * width),
    )


def sized(width: int, sizing: Sizing) -> NeRVConfig:
    """The network of a width under everything else that was asked for. InputError for parts, which a NeRV has not."""
    if sizing.components is not None:
        raise InputError("components are those of a D-NeRV: leave --model nerv out")
    if sizing.paper:
        return NeRVConfig(width, paper_grid(sizing.canvas), PAPER_STRIDES, sizing.clip_length)
    return compact_nerv(width, sizing.canvas, clip_length=sizing.clip_length)


def multiply_adds(config: NeRVConfig) -> int:
    """Of the convolutions for one frame."""
    widths, areas = (config.base_channels, *config.stage_channels), [scale**2 for scale in scales(config.strides)]
    blocks = [9 * before * after * area for before, after, area in zip(widths, widths[1:], areas[1:], strict=False)]
    return prod(config.grid) * (sum(blocks) + 27 * widths[-1] * areas[-1])


NERV = Family(
    name="nerv",
    title="NeRV",
    config=NeRVConfig,
    network=NeRV,
    sized=sized,
    multiply_adds=multiply_adds,
    published={
        "nerv-ucf101-s": PublishedModel(NeRVConfig(465), 87.97, None),
        "nerv-ucf101-m": PublishedModel(NeRVConfig(510), 105.29, None),
        "nerv-ucf101-l": PublishedModel(NeRVConfig(562), 127.19, None),
    },
    weight_names=(*STEM_WEIGHT_NAMES, (r"layers\.(\d+)\.conv\.", r"blocks.\1.conv."), (r"head_layer\.", "head.")),
)
