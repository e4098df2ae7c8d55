"""What a D-NeRV is made of."""

from __future__ import annotations

from dataclasses import dataclass
from math import prod
from typing import Literal

from dnerv.errors import ArchiveError
from dnerv.families.config import (
    Colour,
    check_kind,
    check_range,
    check_size,
    check_stages,
    check_stem,
    scales,
    stage_channels,
)

HeadKind = Literal["paper", "residual"]
FusionKind = Literal["adaptive", "concatenation", "none"]
TemporalKind = Literal["mlp", "convolution", "attention", "none"]
FlowKind = Literal["multi-scale", "single-scale", "none"]


@dataclass(frozen=True)
class DNeRVConfig:
    """D-NeRV (He et al., CVPR 2023, section 3). Defaults are the paper's; `base_channels` is its width C0."""

    base_channels: int  # C0, channels of the stem's output
    grid: tuple[int, int] = (4, 5)  # rows, columns of the coarsest feature map
    strides: tuple[int, ...] = (4, 2, 2, 2, 2)  # upsampling per decoder stage, coarse to fine
    clip_length: int = 8  # T, frames decoded together
    keyframe_every: int = 8  # K, frames between keyframes; T in the paper
    min_channels: int = 32  # floor of the width rule of the later stages
    min_hidden: int = 1  # floor of the C // 4 hidden channels in flow and output heads
    encoder_channels: int = 64  # channels of every keyframe feature map
    stem_channels: int = 512  # hidden width of the stem
    encoding_base: float = 1.25  # frequency ratio of the positional encoding
    encoding_levels: int = 240  # its levels; each gives a sine and a cosine
    head: HeadKind = "paper"  # "residual" adds the network's correction to the warped, blended keyframes
    output_stride: int = 1  # ours: frame pixels per side of a pixel of the last features; above 1 the head shuffles
    adaptive_blend: bool = False  # ours: the last flow head also shifts the weight of the RGB blend, pixel by pixel
    refined_flow: bool = False  # ours: each scale's flow refines the coarser one's instead of starting anew
    contrast: bool = False  # ours: fusion and head see, beside the blend, how the two warped keyframes differ
    fusion: FusionKind = "adaptive"  # SAF, or features side by side as in a U-Net; none: no keyframes at all
    temporal: TemporalKind = "mlp"  # after each stage: GTMLP, or a depthwise convolution or attention over the clip
    temporal_kernel: int = 3  # frames that the temporal convolution sees, odd
    flow: FlowKind = "multi-scale"  # single: the coarsest scale's, enlarged; none: features are blended where they are
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5)  # of the data set's RGB, in [0, 1]
    std: tuple[float, float, float] = (0.25, 0.25, 0.25)

    def __post_init__(self) -> None:
        check_stages(self.base_channels, self.grid, self.strides, self.clip_length, self.min_channels)
        check_stem(self.encoding_base, self.encoding_levels, self.stem_channels)
        check_range("output_stride", self.output_stride, 1, 8)
        check_range("canvas side", max(self.canvas), 1, 8192)
        check_range("keyframe_every", self.keyframe_every, 1, 65535)
        check_range("encoder_channels", self.encoder_channels, 1, 4096)
        check_range("min_hidden", self.min_hidden, 1, 4096)
        for mean, std in zip(self.mean, self.std, strict=True):
            check_range("mean", mean, 0, 1)
            check_range("std", std, 1e-4, 1)
        check_kind("head", self.head, HeadKind)
        check_kind("fusion", self.fusion, FusionKind)
        check_kind("temporal", self.temporal, TemporalKind)
        check_kind("flow", self.flow, FlowKind)
        check_range("temporal_kernel", self.temporal_kernel, 1, 255)
        if self.temporal_kernel % 2 == 0:
            raise ArchiveError(f"temporal_kernel is {self.temporal_kernel}; it is an odd number of frames")
        if self.fusion == "none" and (self.flow != "none" or self.head == "residual" or self.contrast):
            raise ArchiveError("flow, contrast and the residual head need keyframes, that is, fusion")
        if self.flow != "multi-scale" and (self.adaptive_blend or self.refined_flow):
            raise ArchiveError("the adaptive blend and the refined flow need multi-scale flow")
        check_size(self)

    @property
    def canvas(self) -> tuple[int, int]:
        """Height and width in pixels of the frames that the network makes."""
        scale = prod(self.strides) * self.output_stride
        return self.grid[0] * scale, self.grid[1] * scale

    @property
    def uses_keyframes(self) -> bool:
        """Whether frames are conditioned on keyframes."""
        return self.fusion != "none"

    @property
    def absolute_time(self) -> bool:
        """Whether time runs over all videos, and not over each: without keyframes nothing else tells them apart."""
        return not self.uses_keyframes

    @property
    def statistics(self) -> tuple[Colour, Colour]:
        """Mean and standard deviation of the corpus's RGB."""
        return self.mean, self.std

    @property
    def entry_channels(self) -> int:
        """Channels that enter the first decoder stage: the stem's, and the coarsest keyframe features."""
        return self.base_channels + (self.encoder_channels if self.uses_keyframes else 0)

    @property
    def fused_channels(self) -> int:
        """Channels that fusion is given of keyframes."""
        return self.encoder_channels * (2 if self.contrast else 1)

    @property
    def stage_channels(self) -> tuple[int, ...]:
        """Output channels of each decoder stage (the paper's width rule)."""
        return stage_channels(self.base_channels, self.strides, self.min_channels)

    @property
    def largest_tensor(self) -> int:
        """Numbers in the largest tensor on the way from one clip's inputs to its frames."""
        widths = (self.entry_channels, *self.stage_channels)
        areas = [scale**2 * self.grid[0] * self.grid[1] for scale in scales(self.strides)]
        made = [width * area for width, area in zip(widths[1:], areas[1:], strict=True)]  # before the shuffle as after
        fused = [max(2 * width, self.fused_channels) * area for width, area in zip(widths, areas, strict=True)]
        hidden = [2 * max(width // 4, self.min_hidden) * area for width, area in zip(widths, areas, strict=True)]
        encoded = self.encoder_channels * areas[-1]
        colours = 12 * areas[-1] * self.output_stride**2
        mixing = self.clip_length * min(64, max(widths)) ** 2  # times the length again: a matrix over (time, channel)
        return self.clip_length * max(*made, *fused, *hidden, encoded, colours, mixing)
