"""A sheet of small pictures, rows and columns, each with a line below it: what several studies show frames with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray

from dnerv.studies.drawing import matplotlib_pyplot, save_figure

_CELL = 2.6  # inches, the longer side of a picture
_LARGE_ENOUGH = 256  # pixels of a side; smaller pictures are enlarged pixel by pixel, so that they stay sharp
_INK, _FAINT = "#1a1a1a", "#6a6a6a"


class Cell(NamedTuple):
    """One picture."""

    picture: NDArray[np.uint8]  # [H, W, 3] RGB
    note: str


def draw_sheet(rows: Sequence[Sequence[Cell]], columns: Sequence[str], path: Path, *, heading: str) -> None:
    """Write the sheet as PNG at `path`. Raises OutputError where it cannot be written."""
    pyplot = matplotlib_pyplot()
    height, width = rows[0][0].picture.shape[:2]
    cell = _CELL * width / max(width, height)
    size = (cell * len(columns) + 0.1, (cell * height / width + 0.27) * len(rows) + 0.62)
    figure, axes = pyplot.subplots(len(rows), len(columns), figsize=size, squeeze=False, facecolor="white")
    figure.subplots_adjust(left=0.006, right=0.994, top=1 - 0.62 / size[1], bottom=0.04, wspace=0.03, hspace=0.16)
    for row, places in zip(rows, axes, strict=True):
        for place, content in zip(places, row, strict=True):
            _draw_cell(place, content)
    for place, title in zip(axes[0], columns, strict=True):
        place.set_title(title, fontsize=10, color=_INK, pad=5)
    left, top = 0.006, 1 - 0.16 / size[1]
    figure.text(left, top, heading, fontsize=10, color=_INK, va="center", weight="bold", parse_math=False)
    save_figure(figure, path, 100)


def _draw_cell(place: Any, content: Cell) -> None:
    scale = -(-_LARGE_ENOUGH // max(content.picture.shape[:2]))
    place.imshow(np.kron(content.picture, np.ones((scale, scale, 1), np.uint8)), interpolation="antialiased")
    place.set_xlabel(content.note, fontsize=8.5, color=_FAINT, labelpad=3, parse_math=False)
    place.set_xticks([])
    place.set_yticks([])
    for edge in place.spines.values():
        edge.set_visible(False)
