"""Our own sizes: networks for corpora far smaller than the paper's, down to a few kilobytes.

One number, the width, sets every channel count, so that a search over widths is a search over bytes. What differs from
the paper was measured (docs/log.md): the residual head, refined flow, contrast and the adaptive blend gain quality;
features that end at half the resolution halve the time; GTMLP pays for its bytes only in networks wide enough.
"""

from __future__ import annotations

from dnerv.model.config import DNeRVConfig, NeRVConfig

STRIDES = (2, 2, 2, 2)
OUTPUT_STRIDE = 2
SCALE = 32  # the sides of a compact network's canvas are multiples of it
WIDTHS = (2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 320)
_TEMPORAL_FROM = 16  # width


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
        output_stride=OUTPUT_STRIDE,
        clip_length=clip_length,
        keyframe_every=keyframe_every,
        min_channels=min(32, 2 * width),
        min_hidden=min(16, width + 2),
        encoder_channels=min(64, 2 * width),
        stem_channels=min(512, max(3, width)),
        encoding_levels=min(240, max(4, width)),
        temporal_mlp=width >= _TEMPORAL_FROM,
        head="residual",
        adaptive_blend=True,
        refined_flow=True,
        contrast=True,
        mean=mean,
        std=std,
    )


def compact_nerv(width: int, grid: tuple[int, int], *, clip_length: int) -> NeRVConfig:
    """NeRV with its stem scaled by `width` too, at least 2; the grid is of the same canvas as a compact D-NeRV's."""
    return NeRVConfig(
        base_channels=width,
        grid=grid,
        strides=(*STRIDES, OUTPUT_STRIDE),
        clip_length=clip_length,
        min_channels=min(32, max(6, width)),
        stem_channels=min(512, 4 * width),
        encoding_levels=min(240, 8 * width),
    )
