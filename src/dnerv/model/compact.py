"""Our own sizes: networks for corpora far smaller than the paper's, down to a few kilobytes.

One number, the width, sets every channel count, so that a search over widths is a search over bytes.
"""

from __future__ import annotations

from dnerv.model.config import DNeRVConfig, NeRVConfig

STRIDES = (2, 2, 2, 2, 2)  # our networks' upsampling: canvases are multiples of 32
WIDTHS = (2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 320)


def compact_dnerv(
    width: int,
    grid: tuple[int, int],
    *,
    clip_length: int,
    keyframe_every: int,
    mean: tuple[float, float, float] = (0.5, 0.5, 0.5),
    std: tuple[float, float, float] = (0.25, 0.25, 0.25),
) -> DNeRVConfig:
    """D-NeRV with the residual head, everything in it scaled by `width`, at least 2."""
    return DNeRVConfig(
        base_channels=width,
        grid=grid,
        strides=STRIDES,
        clip_length=clip_length,
        keyframe_every=keyframe_every,
        min_channels=min(32, max(6, width)),
        min_hidden=min(16, max(4, width // 2)),
        encoder_channels=min(64, max(6, width)),
        stem_channels=min(512, max(4, width)),
        encoding_levels=min(240, 2 * width),
        head="residual",
        adaptive_blend=True,
        refined_flow=True,
        contrast=True,
        mean=mean,
        std=std,
    )


def compact_nerv(width: int, grid: tuple[int, int], *, clip_length: int) -> NeRVConfig:
    """NeRV with its stem scaled by `width` too, at least 2."""
    return NeRVConfig(
        base_channels=width,
        grid=grid,
        strides=STRIDES,
        clip_length=clip_length,
        min_channels=min(32, max(6, width)),
        stem_channels=min(512, 4 * width),
        encoding_levels=min(240, 8 * width),
    )
