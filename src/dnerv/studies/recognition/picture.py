"""Accuracy by rate, a panel for each protocol."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnerv.studies.drawing import matplotlib_pyplot, save_figure
from dnerv.studies.recognition.report import NAMES, TITLES

# By codec: colour and marker, those of the rate-distortion curves.
_STYLES = {"h264": ("#8d8d8d", "v"), "nerv": ("#b5722a", "s"), "dnerv": ("#1f5fa8", "o")}
_APART = 0.012  # of the axis: codecs have the same bytes, and their bars would hide each other
_INK, _FAINT = "#1a1a1a", "#6a6a6a"


def draw(record: Mapping[str, Any], path: Path) -> None:
    """Top-1 accuracy by bits per pixel with 95 % intervals, as PNG. Raises OutputError."""
    pyplot = matplotlib_pyplot()
    figure, axes = pyplot.subplots(1, 2, figsize=(11.5, 4.8), facecolor="white", layout="constrained", sharey=True)
    for ax, (protocol, title) in zip(axes, TITLES.items(), strict=True):
        _draw(ax, record, protocol)
        ax.set_title(title, fontsize=10, color=_INK)
        ax.set_xlabel("bits per pixel of all bytes (drawn a little apart)", fontsize=9)
        ax.grid(visible=True, color="#e6e6e6", linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
    axes[0].set_ylabel("top-1 accuracy, %", fontsize=9)
    figure.legend(*axes[0].get_legend_handles_labels(), fontsize=8, frameon=False, loc="outside lower center", ncols=5)
    figure.suptitle(_title(record), fontsize=9, color=_FAINT, x=0.99, ha="right")
    save_figure(figure, path, 150)


def _draw(ax: Any, record: Mapping[str, Any], protocol: str) -> None:
    raw = record["raw"]
    ax.axhline(raw["top1"], color=_INK, linewidth=1.2, linestyle="--", label="raw, both ways", zorder=2)
    if raw["interval"] is not None:
        ax.axhspan(*raw["interval"], color=_INK, alpha=0.07, linewidth=0)
    ax.axhline(100 * record["split"]["most_frequent"], color=_FAINT, linewidth=1, linestyle=":", label="chance")
    rates = [row["bits_per_pixel"] for row in record["rows"]]
    for place, (codec, (colour, marker)) in enumerate(_STYLES.items()):
        shift = (place - 1) * _APART * (max(rates) - min(rates))
        rows = [row for row in record["rows"] if row["codec"] == codec]
        places, means = [r["bits_per_pixel"] + shift for r in rows], [r[protocol]["top1"] for r in rows]
        style = {"color": colour, "marker": marker, "markersize": 5, "linewidth": 2.2 if codec == "dnerv" else 1.4}
        ax.errorbar(places, means, yerr=_bars(rows, protocol), capsize=3, label=NAMES[codec], zorder=3, **style)


def _bars(rows: list[Mapping[str, Any]], protocol: str) -> list[list[float]] | None:
    """How far the interval goes below and above each mean; None where there is a single seed."""
    found = [(row[protocol]["top1"], row[protocol]["interval"]) for row in rows]
    if any(interval is None for _, interval in found):
        return None
    return [[mean - interval[0] for mean, interval in found], [interval[1] - mean for mean, interval in found]]


def _title(record: Mapping[str, Any]) -> str:
    content, split, seeds = record["content"], record["split"], len(record["raw"]["seeds"])
    bars = ", bars: 95 % intervals over them" if record["raw"]["interval"] is not None else ""
    return (
        f"{content['videos']} videos, {len(record['classes'])} classes, {split['test']} to test on; TSM from scratch, "
        f"{seeds} seed{'s' if seeds > 1 else ''}{bars}"
    )
