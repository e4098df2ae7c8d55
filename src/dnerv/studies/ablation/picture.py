"""Bars: how far each row is from its group's reference, here and in the paper."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from dnerv.studies.drawing import matplotlib_pyplot, save_figure

Record = Mapping[str, Any]
_BAR, _INK, _FAINT = "#1f5fa8", "#1a1a1a", "#6a6a6a"
_MARKS = {"uvg": ("#b5722a", "D"), "ucf101": ("#4c9a63", "o")}
_ROW, _HEAD = 0.27, 0.62  # inches: a bar, and what a group takes beside its bars


def draw_bars(record: Record, path: Path) -> None:
    """One panel for each group, as PNG at `path`. Raises OutputError."""
    pyplot = matplotlib_pyplot()
    groups = record["groups"]
    heights = [_ROW * len(group["rows"]) + _HEAD for group in groups]
    figure, axes = pyplot.subplots(
        len(groups),
        1,
        figsize=(7.6, sum(heights) + 0.5),
        height_ratios=[len(group["rows"]) + 0.6 for group in groups],
        facecolor="white",
        layout="constrained",
        squeeze=False,
    )
    for ax, group in zip(axes[:, 0], groups, strict=True):
        _draw(ax, group, record["published"]["sets"])
    axes[-1][0].set_xlabel("PSNR, dB, against the row at 0; on the right, PSNR itself", fontsize=8.5, color=_FAINT)
    marked = {label: mark for ax in axes[:, 0] for mark, label in zip(*ax.get_legend_handles_labels(), strict=True)}
    figure.legend(marked.values(), marked.keys(), fontsize=8, frameon=False, ncols=2, loc="outside upper left")
    figure.suptitle(_title(record), fontsize=9, color=_FAINT, x=0.99, ha="right")
    save_figure(figure, path, 150)


def _draw(ax: Any, group: Record, sets: Mapping[str, str]) -> None:
    rows: Sequence[Record] = group["rows"]
    places = range(len(rows))
    differences = [row["psnr_difference"] for row in rows]
    deviations = [row["psnr_deviation"] or 0 for row in rows]
    ax.barh(places, differences, 0.62, color=_BAR, xerr=deviations if any(deviations) else None, ecolor=_INK, zorder=2)
    for name, title in sets.items():
        marks = _published(group, name)
        if marks:
            colour, marker = _MARKS[name]
            label = f"the paper, {title}"
            ax.plot(*zip(*marks, strict=True), marker, color=colour, markerfacecolor="white", label=label, zorder=3)
    ax.axvline(0, color=_INK, linewidth=0.8, zorder=1)
    ax.set_yticks(places, [row["name"] for row in rows], fontsize=8.5)
    ax.invert_yaxis()
    ax.use_sticky_edges = False
    ax.margins(x=0.08, y=0.02)
    ax.tick_params(axis="x", labelsize=8)
    ax.grid(visible=True, axis="x", color="#e6e6e6", linewidth=0.6)
    ax.set_axisbelow(True)
    ax.spines[["top", "right", "left"]].set_visible(False)
    ax.set_title(group["title"], fontsize=9, color=_INK, loc="left", weight="bold")
    for place, row in zip(places, rows, strict=True):
        note = f"{row['psnr']:.2f}"
        ax.annotate(note, (1.01, place), xycoords=("axes fraction", "data"), fontsize=8, va="center", color=_FAINT)


def _published(group: Record, name: str) -> list[tuple[float, int]]:
    """Differences to the reference that were published, and the rows' places."""
    figures = {row["name"]: (row["published"] or {}).get(name) for row in group["rows"]}
    reference = figures[group["reference"]]
    if reference is None:
        return []
    found = [(figure["psnr"] - reference["psnr"], i) for i, figure in enumerate(figures.values()) if figure is not None]
    return found if len(found) > 1 else []


def _title(record: Record) -> str:
    content, options = record["content"], record["options"]
    seeds = "one seed" if options["seeds"] == 1 else f"mean of {options['seeds']} seeds"
    return (
        f"{len(content['videos'])} videos, {content['frames']} frames, {options['bits_per_pixel']:g} bits per pixel; "
        f"{seeds}"
    )
