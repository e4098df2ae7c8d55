"""D-NeRV for a canvas, sized by one number: the paper's as published, the paper's scaled down, and ours.

What differs from the paper in ours was measured (docs/log.md): the residual head, refined flow, contrast and the
adaptive blend gain quality; features that end at half the resolution halve the time; GTMLP pays for its bytes only in
networks wide enough.
"""

from __future__ import annotations

from dnerv.families.dnerv.components import Components
from dnerv.families.dnerv.config import DNeRVConfig
from dnerv.families.family import Sizing
from dnerv.families.sizes import OUTPUT_STRIDE, PAPER_STRIDES, compact_grid, compact_strides, paper_grid

_TEMPORAL_FROM = 16  # width


def sized(width: int, sizing: Sizing) -> DNeRVConfig:
    """The network of a width under everything else that was asked for."""
    parts = sizing.components or Components()
    if sizing.paper:
        grid, every = paper_grid(sizing.canvas), sizing.keyframe_every
        paper = DNeRVConfig(width, grid, PAPER_STRIDES, sizing.clip_length, every, mean=sizing.mean, std=sizing.std)
        return parts.applied(paper)
    make = scaled_dnerv if parts.is_compact is False else compact_dnerv
    made = make(
        width,
        sizing.canvas,
        clip_length=sizing.clip_length,
        keyframe_every=sizing.keyframe_every,
        mean=sizing.mean,
        std=sizing.std,
    )
    return parts.applied(made)


def compact_dnerv(
    width: int,
    canvas: tuple[int, int],
    *,
    clip_length: int,
    keyframe_every: int,
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5),
    std: tuple[float, float, float] = (0.25, 0.25, 0.25),
) -> DNeRVConfig:
    """D-NeRV with the residual head for a canvas (height, width), everything in it scaled by `width`, at least 2."""
    strides = compact_strides(canvas)
    return DNeRVConfig(
        base_channels=width,
        grid=compact_grid(canvas, len(strides)),
        strides=strides,
        output_stride=OUTPUT_STRIDE,
        clip_length=clip_length,
        keyframe_every=keyframe_every,
        min_channels=min(32, 2 * width),
        min_hidden=min(16, width + 2),
        encoder_channels=min(64, 2 * width),
        stem_channels=min(512, max(3, width)),
        encoding_levels=min(240, max(4, width)),
        temporal="mlp" if width >= _TEMPORAL_FROM else "none",
        head="residual",
        adaptive_blend=True,
        refined_flow=True,
        contrast=True,
        mean=mean,
        std=std,
    )


def scaled_dnerv(
    width: int,
    canvas: tuple[int, int],
    *,
    clip_length: int,
    keyframe_every: int,
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5),
    std: tuple[float, float, float] = (0.25, 0.25, 0.25),
) -> DNeRVConfig:
    """The paper's D-NeRV, part for part, for a canvas (height, width): on a compact network's grid, scaled by `width`.

    Its time encoding is a NeRV's: without keyframes (`Components`) it is all that tells frames apart.
    """
    strides = compact_strides(canvas)
    return DNeRVConfig(
        base_channels=width,
        grid=compact_grid(canvas, len(strides)),
        strides=(*strides, OUTPUT_STRIDE),
        clip_length=clip_length,
        keyframe_every=keyframe_every,
        min_channels=min(32, max(6, width)),
        min_hidden=4,
        encoder_channels=min(64, max(4, width)),
        stem_channels=min(512, 2 * width),
        encoding_levels=min(240, 8 * width),
        mean=mean,
        std=std,
    )
