"""What priors' cards say, drawn: gain against crf, against frames seen and against parameters."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from statistics import fmean
from typing import Any

from dnerv.studies.charts import Chart, Lines, Series

Card = Mapping[str, Any]
_STYLES = ("dnerv", "x265", "svtav1", "nerv", "vvc", "aom", "x264")  # one for each source of held-out videos
_GAIN = "gain over the base layer, dB"


def card_charts(cards: Sequence[Card]) -> list[Chart]:
    """Of one prior, or of several that were measured on the same videos; the first one's gains by crf and time.

    Lines are sources of held-out videos, solid where every frame is coded and dashed where every second one is.
    """
    first = cards[0]
    lines = sorted({(row["source"], row["distance"]) for row in first["gains"]})
    sources = sorted({source for source, _ in lines})

    def series(source: str, distance: int, points: list[tuple[float, float]]) -> Series:
        name = f"{source or 'all'}, every {'frame' if distance == 1 else f'{distance} frames'}"
        return Series(name, _STYLES[sources.index(source) % len(_STYLES)], points, (), distance > 1)

    by_crf = [
        series(
            s,
            d,
            sorted((row["crf"], row["gain"]) for row in first["gains"] if (row["source"], row["distance"]) == (s, d)),
        )
        for s, d in lines
    ]
    charts: list[Chart] = [Lines("Gain by quality", "crf of the base layer", _GAIN, by_crf)]
    seen = [
        series(
            s, d, [(p["frames"], p["gains"][key]) for p in first["curve"] if (key := f"{s} {d}".strip()) in p["gains"]]
        )
        for s, d in lines
    ]
    if any(line.points for line in seen):
        charts.append(Lines("Gain by training", "frames seen", _GAIN, seen, "log"))
    if len(cards) > 1:
        sizes = [
            series(
                s, d, sorted((card["parameters"], gain) for card in cards if (gain := _mean(card, s, d)) is not None)
            )
            for s, d in lines
        ]
        charts.append(Lines("Gain by size", "parameters", _GAIN, sizes, "log"))
    return charts


def _mean(card: Card, source: str, distance: int) -> float | None:
    """Over crfs."""
    gains = [row["gain"] for row in card["gains"] if (row["source"], row["distance"]) == (source, distance)]
    return fmean(gains) if gains else None
