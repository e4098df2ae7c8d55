"""Bjontegaard deltas of every codec against one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dnerv.evaluation.bjontegaard import Curve, bd_psnr, bd_rate

NO_OVERLAP = "no overlap"
NOT_RISING = "not rising"  # a larger rate gave a lower PSNR


def deltas(points: Mapping[str, Sequence[Mapping[str, Any]]], anchor: str) -> list[dict[str, Any]]:
    """A row for each codec but the anchor: `rate` (per cent) and `psnr` (dB), each with the range it is a mean over.

    Where there is no such figure it is None, and `rate_note` or `psnr_note` says why.
    """
    curves = {codec: _curve(found) for codec, found in points.items()}
    return [_row(codec, curve, anchor, curves[anchor]) for codec, curve in curves.items() if codec != anchor]


def _curve(points: Sequence[Mapping[str, Any]]) -> Curve | None:
    if len(points) < 2:
        return None
    return Curve([point["bits_per_pixel"] for point in points], [point["psnr"] for point in points])


def _row(codec: str, test: Curve | None, anchor: str, base: Curve | None) -> dict[str, Any]:
    row: dict[str, Any] = {"codec": codec, "anchor": anchor, "rate": None, "psnr": None}
    if test is None or base is None:
        return row | {"rate_note": "a single point", "psnr_note": "a single point"}
    row["rate_note"], row["psnr_note"] = "", ""
    if not (test.is_rising and base.is_rising):
        row["rate_note"] = NOT_RISING
    elif (rate := bd_rate(base, test)) is None:
        row["rate_note"] = NO_OVERLAP
    else:
        row["rate"] = asdict(rate)
    if not (test.has_distinct_rates and base.has_distinct_rates):
        row["psnr_note"] = "two points of one rate"
    elif (quality := bd_psnr(base, test)) is None:
        row["psnr_note"] = NO_OVERLAP
    else:
        row["psnr"] = asdict(quality)
    return row
