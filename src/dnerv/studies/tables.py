"""The form of the studies' tables."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from dnerv.tables import Table, table

_TOLERANCE = 0.15  # of the rate asked for


def figures_table(first: str, *columns: str) -> Table:
    """A column of names, and columns of figures to the right of it."""
    return table(first, *(f">{column}" for column in columns))


def content_line(content: Mapping[str, Any]) -> str:
    """How many videos and frames, and of which size or sizes."""
    sizes = sorted({f"{video['height']}x{video['width']}" for video in content["videos"]})
    size = sizes[0] if len(sizes) == 1 else f"{len(sizes)} sizes, from {sizes[0]} to {sizes[-1]}"
    return f"{len(content['videos'])} videos, {content['frames']} frames of {size}"


def machine_line(machine: Mapping[str, Any]) -> str:
    """What a record was measured on."""
    device = "" if machine["device"] == "cpu" else f", {machine['device']}"
    return f"{machine['processor']}{device}, {machine['cores']} cores; torch {machine['torch']}"


def off_the_rate(
    rows: Sequence[tuple[str, Mapping[str, Any]]], asked: float | None = None, tolerance: float = _TOLERANCE
) -> list[str]:
    """A line that names the rows whose `bits_per_pixel` are far from what was asked for; none where all are near.

    Args:
        rows: each with its name. asked: None where each says it itself, as `rate`.
    """
    far = [
        f"{name} {row['bits_per_pixel']:.4f}"
        for name, row in rows
        if abs(row["bits_per_pixel"] / (asked or row["rate"]) - 1) > tolerance
    ]
    wanted = "bits per pixel" if asked is None else f"{asked:g} bits per pixel"
    return [f"More than {tolerance:.0%} off the {wanted} asked for: {', '.join(far)}."] if far else []
