"""PSNR against the number of videos, together and apart."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from dnerv.studies.diversity.report import NAMES
from dnerv.studies.joint.report import WAYS
from dnerv.studies.lines import COLOURS, Line, draw_lines


def draw(record: Mapping[str, Any], path: Path) -> None:
    """Write the chart as PNG at `path`. Raises OutputError."""
    lines = [_line(record, model, way) for model in NAMES for way in WAYS]
    heading = f"{record['options']['bits_per_pixel']:g} bits per pixel asked for, {record['options']['epochs']} epochs"
    draw_lines(lines, path, across="videos", up="PSNR, dB (mean over videos)", heading=heading)


def _line(record: Mapping[str, Any], model: str, way: str) -> Line:
    rows = [row for row in record["rows"] if (row["model"], row["way"]) == (model, way)]
    label = f"{NAMES[model]}, {'one for all' if way == 'joint' else 'one for each'}"
    counts, values = [row["videos"] for row in rows], [row["psnr"] for row in rows]
    return Line(label, COLOURS[model], way == "separate", counts, values, [0.0] * len(rows))
