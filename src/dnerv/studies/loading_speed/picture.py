"""Loading speeds as bars."""

from __future__ import annotations

from collections.abc import Mapping
from math import floor, log10
from pathlib import Path
from typing import Any

from dnerv.errors import InputError, OutputError
from dnerv.studies.drawing import matplotlib_pyplot, save_figure

_COLOURS = {
    "archive": "#1f5fa8",
    "reference": "#7d7d7d",
    "loader": "#2f8fb5",
    "nerv": "#b5722a",
    "stored frames": "#4c9a63",
    "video codec": "#8a4f9e",
    "command": "#a83d3d",
}
_INK, _FAINT = "#1a1a1a", "#6a6a6a"


def check_picture(path: Path) -> None:
    """Raise InputError where the picture could not be drawn, OutputError where not written, before hours of work."""
    matplotlib_pyplot()
    if path.suffix.lower() not in (".png", ".svg", ".pdf"):
        raise InputError(f"--picture is {str(path)!r}; its name must end in .png, .svg or .pdf")
    if not path.absolute().parent.is_dir():
        raise OutputError(f"{path}: there is no folder {path.absolute().parent}")


def draw_bars(record: Mapping[str, Any], path: Path) -> None:
    """Write one pair of bars a row: frames per second warm and, paler, cold, on a logarithmic axis."""
    pyplot = matplotlib_pyplot()
    rows = record["rows"]
    figure, axes = pyplot.subplots(figsize=(8, 0.42 * len(rows) + 1.5), facecolor="white", layout="constrained")
    for place, row in enumerate(rows):
        colour = _COLOURS[row["kind"]]
        for offset, state, alpha in ((-0.18, "warm", 1.0), (0.18, "cold", 0.4)):
            speed = row[state]["frames_per_second"]
            apart = [[speed["median"] - speed["low"]], [speed["high"] - speed["median"]]]
            axes.barh(place + offset, speed["median"], 0.34, color=colour, alpha=alpha, xerr=apart, ecolor=_INK)
        warm = row["warm"]
        text = f"  {warm['frames_per_second']['median']:,.0f}  ({warm['ratio']['median']:.3g}x)"
        axes.text(warm["frames_per_second"]["high"], place - 0.18, text, va="center", fontsize=8, color=_INK)
    # No mathematics: a file may be called "$a$.dnerv".
    axes.set_yticks(range(len(rows)), [_label(row) for row in rows], fontsize=9, parse_math=False)
    axes.invert_yaxis()
    axes.set_xscale("log")
    lowest = min(row[state]["frames_per_second"]["low"] for row in rows for state in ("warm", "cold"))
    axes.set_xlim(10 ** floor(log10(lowest)), 3 * max(row["warm"]["frames_per_second"]["high"] for row in rows))
    axes.set_xlabel("frames per second, from disk to tensor: full colour warm, pale cold (log scale)", fontsize=9)
    axes.spines[["top", "right"]].set_visible(False)
    machine, archive = record["machine"], record["archive"]
    canvas = "x".join(map(str, archive["canvas"]))
    axes.set_title(
        f"{Path(archive['path']).name}, {canvas}; {machine['processor']}, {machine['cores']} cores, "
        f"{machine['device']}\nin brackets: ratio to the reference path",
        fontsize=9,
        color=_FAINT,
        loc="right",
        parse_math=False,
    )
    save_figure(figure, path, 150)


def _label(row: Mapping[str, Any]) -> str:
    return f"{row['name']}, batch {row['batch_size']}"
