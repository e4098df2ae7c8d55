"""The demo's picture: what a frame between two keyframes looks like, and how it came about."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

DIFFERENCE_GAIN = 4  # the difference is shown this many times larger, around mid-grey
_COLUMNS = ("original", "its keyframes, blended", "dnerv", f"difference x {DIFFERENCE_GAIN}", "flow")
_SCALE = 4  # at which a frame is enlarged
_INK, _FAINT = "#1a1a1a", "#6a6a6a"


@dataclass(frozen=True)
class Row:
    """One frame; pictures are uint8 [H, W, 3] RGB."""

    title: str
    original: NDArray[np.uint8]
    blend: NDArray[np.uint8]
    made: NDArray[np.uint8]
    flow: NDArray[np.float32]  # [H, W, 2], (dx, dy) in pixels


def draw(rows: Sequence[Row], path: Path, *, heading: str) -> None:
    """Write the picture, one row a video, as PNG."""
    import matplotlib

    matplotlib.use("Agg")
    from matplotlib import pyplot

    height, width = rows[0].original.shape[:2]
    cell = 2.6 * width / max(width, height)  # inches
    size = (cell * len(_COLUMNS) + 0.1, (cell * height / width + 0.27) * len(rows) + 0.62)
    figure, axes = pyplot.subplots(len(rows), len(_COLUMNS), figsize=size, squeeze=False, facecolor="white")
    figure.subplots_adjust(left=0.006, right=0.994, top=1 - 0.62 / size[1], bottom=0.02, wspace=0.03, hspace=0.16)
    for row, places in zip(rows, axes, strict=True):
        _draw_row(row, places)
    for place, title in zip(axes[0], _COLUMNS, strict=True):
        place.set_title(title, fontsize=10.5, color=_INK, pad=5)
    figure.text(0.006, 1 - 0.16 / size[1], heading, fontsize=10.5, color=_INK, va="center", weight="bold")
    figure.savefig(path, dpi=100)
    pyplot.close(figure)


def _draw_row(row: Row, places: Sequence[Any]) -> None:
    speed = max(1.0, float(np.quantile(np.hypot(*row.flow.transpose(2, 0, 1)), 0.995)))
    pictures = (row.original, row.blend, row.made, difference(row.original, row.made), flow_colours(row.flow, speed))
    notes = (
        row.title,
        f"{_psnr(row.original, row.blend):.2f} dB",
        f"{_psnr(row.original, row.made):.2f} dB",
        "original - dnerv; grey is none",
        f"between keyframes; full colour: {speed:.1f} px",
    )
    for place, picture, note in zip(places, pictures, notes, strict=True):
        place.imshow(np.kron(picture, np.ones((_SCALE, _SCALE, 1), np.uint8)), interpolation="antialiased")
        place.set_xlabel(note, fontsize=8.5, color=_FAINT, labelpad=3)
        place.set_xticks([])
        place.set_yticks([])
        for edge in place.spines.values():
            edge.set_visible(False)
    _draw_wheel(places[-1])


def _draw_wheel(place: Any) -> None:
    """Which colour is which direction, in a corner."""
    inset = place.inset_axes((0.80, 0.03, 0.18, 0.225))
    across = np.linspace(-1, 1, 65, dtype=np.float32)
    flow = np.stack(np.meshgrid(across, across), axis=-1)
    inside = np.hypot(flow[..., 0], flow[..., 1]) <= 1
    inset.imshow(np.dstack((flow_colours(flow, 1.0), np.where(inside, 255, 0).astype(np.uint8))))
    inset.axis("off")


def difference(original: NDArray[np.uint8], made: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`original - made`, amplified, around mid-grey: uint8 [H, W, 3]."""
    error = original.astype(np.int32) - made
    return np.asarray((128 + DIFFERENCE_GAIN * error).clip(0, 255), np.uint8)


def flow_colours(flow: NDArray[np.float32], full: float) -> NDArray[np.uint8]:
    """Flow [H, W, 2] as colours, uint8 [H, W, 3]: hue is the direction (right red, down yellow-green, left cyan, up
    violet), white is rest, and full colour is `full` pixels or more.
    """
    dx, dy = flow[..., 0], flow[..., 1]
    hue = np.arctan2(dy, dx) % (2 * np.pi) / (np.pi / 3)  # sixths of a turn, [0, 6)
    strength = np.clip(np.hypot(dx, dy) / full, 0, 1)
    phases = (np.array([5.0, 3.0, 1.0]) + hue[..., None]) % 6
    pure = 1 - np.clip(np.minimum(phases, 4 - phases), 0, 1)
    return np.asarray(np.rint(255 * (1 - strength[..., None] * (1 - pure))), np.uint8)


def _psnr(original: NDArray[np.uint8], made: NDArray[np.uint8]) -> float:
    error = np.square(original.astype(np.float64) - made).mean()
    return float(10 * np.log10(255**2 / max(error, 1e-9)))
