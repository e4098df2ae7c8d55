"""Rate-distortion curves."""

from __future__ import annotations

from collections.abc import Mapping
from itertools import cycle
from pathlib import Path
from typing import Any

from dnerv.studies.drawing import matplotlib_pyplot, save_figure
from dnerv.studies.rate_distortion.report import NAMES

# By codec: colour and marker, so that prints without colour can be read too. The networks stand out.
_STYLES = {
    "dnerv": ("#1f5fa8", "o"),
    "nerv": ("#b5722a", "s"),
    "x264": ("#8d8d8d", "v"),
    "x265": ("#1a1a1a", "^"),
    "svtav1": ("#4c9a63", "D"),
    "aom": ("#93b53c", "P"),
    "vvc": ("#8a4f9e", "X"),
}
_PUBLISHED_COLOURS = ("#a83d3d", "#d08c60", "#6b8fb3", "#b58fc2", "#7fa98a", "#9a8c5b", "#c27c9a", "#5f7d7d")
_FAINT = "#6a6a6a"


def draw_curves(record: Mapping[str, Any], path: Path) -> None:
    """PSNR by rate and, where every codec has it, MS-SSIM by rate. Raises OutputError."""
    pyplot = matplotlib_pyplot()
    measures = [("psnr", "PSNR, dB (RGB, mean over frames)")]
    if all(p["ms_ssim"] is not None for found in record["codecs"].values() for p in found["points"]):
        measures.append(("ms_ssim", "MS-SSIM"))
    columns = len(measures)
    figure, axes = pyplot.subplots(
        1, columns, figsize=(7.2 * columns, 5.4), facecolor="white", layout="constrained", squeeze=False
    )
    for ax, (key, title) in zip(axes[0], measures, strict=True):
        _draw(ax, record, key)
        ax.set_xscale("log")
        ax.set_xlabel("bits per pixel of the whole file (log scale)", fontsize=9)
        ax.set_ylabel(title, fontsize=9)
        ax.grid(visible=True, which="both", color="#e6e6e6", linewidth=0.6)
        ax.spines[["top", "right"]].set_visible(False)
        _plain_ticks(ax)
    axes[0][0].legend(fontsize=8, frameon=False, loc="lower right")
    figure.suptitle(_title(record), fontsize=9, color=_FAINT, x=0.99, ha="right")
    save_figure(figure, path, 150)


def _draw(ax: Any, record: Mapping[str, Any], key: str) -> None:
    for codec, found in record["codecs"].items():
        colour, marker = _STYLES[codec]
        points = sorted(found["points"], key=lambda point: float(point["bits_per_pixel"]))
        line = [p["bits_per_pixel"] for p in points], [p[key] for p in points]
        weight = 2.2 if codec == "dnerv" else 1.4
        ax.plot(*line, color=colour, marker=marker, markersize=5, linewidth=weight, label=NAMES[codec], zorder=3)
    for curve, colour in zip(
        (record["published"] or {"curves": []})["curves"], cycle(_PUBLISHED_COLOURS), strict=False
    ):
        points = [p for p in curve["points"] if p[key] is not None]
        if points:
            line = [p["bpp"] for p in points], [p[key] for p in points]
            label = f"{curve['name']} (published)"
            ax.plot(*line, color=colour, marker="o", markerfacecolor="white", linestyle="--", linewidth=1, label=label)


def _plain_ticks(ax: Any) -> None:
    """0.02 rather than 2 x 10^-2, at places that people name."""
    from matplotlib.ticker import FuncFormatter, LogLocator, NullFormatter

    ax.xaxis.set_major_locator(LogLocator(subs=(1, 2, 5)))
    ax.xaxis.set_major_formatter(FuncFormatter(lambda value, _: f"{value:g}"))
    ax.xaxis.set_minor_formatter(NullFormatter())


def _title(record: Mapping[str, Any]) -> str:
    content, options = record["content"], record["options"]
    text = f"{len(content['videos'])} videos, {content['frames']} frames; {options['preset']}, tuned for PSNR"
    if record["published"] is not None:
        text += f"\npublished points: {record['published']['title']}"
    return text
