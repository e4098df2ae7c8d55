"""Bjontegaard deltas of every codec against one of them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import asdict
from typing import Any

from dnerv.evaluation.bjontegaard import Curve, bd_psnr, bd_rate

NO_OVERLAP = "no overlap"
SINGLE = "a single point"
NOT_RISING = "not rising"  # a larger rate gave a lower PSNR


def deltas(points: Mapping[str, Sequence[Mapping[str, Any]]], anchor: str) -> list[dict[str, Any]]:
    """A row for each codec but the anchor: `rate` (per cent) and `psnr` (dB), each with the range it is a mean over.

    Where there is no such figure it is None, and `rate_note` or `psnr_note` says why.
    """
    curves = {codec: _curve(found) for codec, found in points.items()}
    return [_row(codec, curve, anchor, curves[anchor]) for codec, curve in curves.items() if codec != anchor]


def rate_delta(anchor: Curve | None, test: Curve | None) -> tuple[dict[str, Any] | None, str]:
    """The BD-rate, its `value` in per cent beside the range, or None and why there is none; None is no curve."""
    if test is None or anchor is None:
        return None, SINGLE
    if not (test.is_rising and anchor.is_rising):
        return None, NOT_RISING
    rate = bd_rate(anchor, test)
    return (None, NO_OVERLAP) if rate is None else (asdict(rate), "")


def _curve(points: Sequence[Mapping[str, Any]]) -> Curve | None:
    if len(points) < 2:
        return None
    return Curve([point["bits_per_pixel"] for point in points], [point["psnr"] for point in points])


def _row(codec: str, test: Curve | None, anchor: str, base: Curve | None) -> dict[str, Any]:
    row: dict[str, Any] = {"codec": codec, "anchor": anchor, "psnr": None, "psnr_note": ""}
    row["rate"], row["rate_note"] = rate_delta(base, test)
    if test is None or base is None:
        row["psnr_note"] = SINGLE
    elif not (test.has_distinct_rates and base.has_distinct_rates):
        row["psnr_note"] = "two points of one rate"
    elif (quality := bd_psnr(base, test)) is None:
        row["psnr_note"] = NO_OVERLAP
    else:
        row["psnr"] = asdict(quality)
    return row
