"""PSNR against the number of sources."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnerv.studies.diversity.report import NAMES
from dnerv.studies.lines import COLOURS, Line, draw_lines


def draw(record: Mapping[str, Any], path: Path) -> None:
    """Write the chart as PNG at `path`. Raises OutputError."""
    lines = [_line(record, model) for model in NAMES]
    options = record["options"]
    clips = f"{options['clips']} clips of {options['length']} frames"
    heading = f"{clips}, {options['bits_per_pixel']:g} bits per pixel asked for"
    up = "PSNR, dB (bars: one standard deviation over draws)"
    draw_lines(lines, path, across=f"{options['by']}s that the clips come from", up=up, heading=heading)


def _line(record: Mapping[str, Any], model: str) -> Line:
    rows = [row for row in record["rows"] if row["model"] == model]
    spreads = [row["psnr_deviation"] or 0.0 for row in rows]
    return Line(NAMES[model], COLOURS[model], False, [r["sources"] for r in rows], [r["psnr"] for r in rows], spreads)
