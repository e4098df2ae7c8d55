"""Our own sizes: networks for corpora far smaller than the paper's, down to a few kilobytes.

One number, the width, sets every channel count, so that a search over widths is a search over bytes. What differs from
the paper was measured (docs/log.md): the residual head, refined flow, contrast and the adaptive blend gain quality;
features that end at half the resolution halve the time; GTMLP pays for its bytes only in networks wide enough.
"""

from __future__ import annotations

from math import log2

from dnerv.families.config import DNeRVConfig, NeRVConfig

OUTPUT_STRIDE = 2
CANVAS_MULTIPLE = 16  # pixels: the sides of a compact network's canvas are multiples of it
WIDTHS = (2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 320)
_COARSEST_SIDE = 8  # of the grid, about: finer needs more of the stem, coarser needs more stages
_TEMPORAL_FROM = 16  # width


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
    strides = _strides(canvas)
    return DNeRVConfig(
        base_channels=width,
        grid=_grid(canvas, len(strides)),
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
    strides = _strides(canvas)
    return DNeRVConfig(
        base_channels=width,
        grid=_grid(canvas, len(strides)),
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


def compact_nerv(width: int, canvas: tuple[int, int], *, clip_length: int) -> NeRVConfig:
    """NeRV for a canvas (height, width) on the same grid as a compact D-NeRV, its stem scaled by `width` too."""
    strides = _strides(canvas)
    return NeRVConfig(
        base_channels=width,
        grid=_grid(canvas, len(strides)),
        strides=(*strides, OUTPUT_STRIDE),
        clip_length=clip_length,
        min_channels=min(32, max(6, width)),
        stem_channels=min(512, 4 * width),
        encoding_levels=min(240, 8 * width),
    )


def _strides(canvas: tuple[int, int]) -> tuple[int, ...]:
    """As many doublings as bring the shorter side to about `_COARSEST_SIDE`, and both sides to whole numbers."""
    stages = max(2, round(log2(min(canvas) / _COARSEST_SIDE)) - 1)
    while stages > 2 and any(side % (OUTPUT_STRIDE * 2**stages) for side in canvas):
        stages -= 1
    return (2,) * stages


def _grid(canvas: tuple[int, int], stages: int) -> tuple[int, int]:
    scale = OUTPUT_STRIDE * 2**stages
    return canvas[0] // scale, canvas[1] // scale
