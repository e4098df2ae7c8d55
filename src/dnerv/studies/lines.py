"""A small line chart: what several studies show a figure against a count with."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path
from typing import NamedTuple

from dnerv.studies.drawing import matplotlib_pyplot, save_figure

_FAINT = "#6a6a6a"
COLOURS = {"dnerv": "#1f5fa8", "nerv": "#b5722a"}  # as in rate-distortion curves


class Line(NamedTuple):
    """One line of the chart."""

    label: str
    colour: str
    is_dashed: bool
    counts: Sequence[int]
    values: Sequence[float]
    spreads: Sequence[float]  # half lengths of the error bars; 0 for none


def draw_lines(lines: Sequence[Line], path: Path, *, across: str, up: str, heading: str) -> None:
    """Write the chart as PNG at `path`, counts on a logarithmic axis. Raises OutputError where it cannot be written."""
    figure, ax = matplotlib_pyplot().subplots(figsize=(6.4, 4.6), facecolor="white", layout="constrained")
    for line in lines:
        style = "--" if line.is_dashed else "-"
        bars = line.spreads if any(line.spreads) else None
        ax.errorbar(
            line.counts,
            line.values,
            yerr=bars,
            color=line.colour,
            linestyle=style,
            marker="o",
            markersize=5,
            capsize=3,
            label=line.label,
        )
    ax.set_xscale("log", base=2)
    counts = sorted({count for line in lines for count in line.counts})
    ax.set_xticks(counts, [str(count) for count in counts])
    ax.minorticks_off()
    ax.set_xlabel(across, fontsize=9)
    ax.set_ylabel(up, fontsize=9)
    ax.grid(visible=True, color="#e6e6e6", linewidth=0.6)
    ax.spines[["top", "right"]].set_visible(False)
    ax.legend(fontsize=8, frameon=False)
    figure.suptitle(heading, fontsize=9, color=_FAINT, x=0.99, ha="right")
    save_figure(figure, path, 150)
