"""What one number, the width, and a canvas make of a network: a search over widths is a search over bytes.

Ours are for corpora far smaller than the paper's, down to a few kilobytes.
"""

from __future__ import annotations

from math import log2, prod

OUTPUT_STRIDE = 2
CANVAS_MULTIPLE = 16  # pixels: the sides of a compact network's canvas are multiples of it
WIDTHS = (2, 3, 4, 5, 6, 8, 10, 12, 14, 16, 20, 24, 28, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 256, 320)
PAPER_STRIDES = (4, 2, 2, 2, 2)
PAPER_CANVAS = (256, 320)
PAPER_CANVAS_MULTIPLE = prod(PAPER_STRIDES)
_COARSEST_SIDE = 8  # of the grid, about: finer needs more of the stem, coarser needs more stages


def compact_strides(canvas: tuple[int, int]) -> tuple[int, ...]:
    """As many doublings as bring the shorter side to about `_COARSEST_SIDE`, and both sides to whole numbers."""
    stages = max(2, round(log2(min(canvas) / _COARSEST_SIDE)) - 1)
    while stages > 2 and any(side % (OUTPUT_STRIDE * 2**stages) for side in canvas):
        stages -= 1
    return (2,) * stages


def compact_grid(canvas: tuple[int, int], stages: int) -> tuple[int, int]:
    """Rows and columns of the coarsest features for a canvas (height, width), `OUTPUT_STRIDE` after all stages."""
    scale = OUTPUT_STRIDE * 2**stages
    return canvas[0] // scale, canvas[1] // scale


def paper_grid(canvas: tuple[int, int]) -> tuple[int, int]:
    """Rows and columns of the coarsest features under the paper's strides."""
    return canvas[0] // PAPER_CANVAS_MULTIPLE, canvas[1] // PAPER_CANVAS_MULTIPLE
