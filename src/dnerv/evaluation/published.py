"""Points that others have published, with their source: to be shown beside measurements on the very same videos."""

from __future__ import annotations

import json
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal, get_args

from dnerv.errors import InputError

PublishedSet = Literal["ucf101", "uvg"]
SETS: tuple[PublishedSet, ...] = get_args(PublishedSet)


@dataclass(frozen=True)
class PublishedPoint:
    """One row of a table."""

    bpp: float  # bits per pixel, as published
    psnr: float  # dB, RGB
    ms_ssim: float | None  # where it was published


@dataclass(frozen=True)
class PublishedCurve:
    """One method's points, at rising rates."""

    name: str
    source: str  # who published it, and what is special about it
    type: str  # kind of source
    points: tuple[PublishedPoint, ...]


@dataclass(frozen=True)
class PublishedRate:
    """A BD-rate that was published without its points."""

    name: str
    against: str
    percent: float


@dataclass(frozen=True)
class PublishedResults:
    """Everything known of one set of videos."""

    title: str  # the set and the protocol
    metric: str
    curves: tuple[PublishedCurve, ...]
    bd_rates: tuple[PublishedRate, ...]


@cache
def published_results(name: str) -> PublishedResults:
    """The published points of a set of videos. Raises InputError for a set of which none are stored."""
    if name not in SETS:
        raise InputError(f"no points are stored for {name!r}; known sets are {', '.join(SETS)}")
    record: dict[str, Any] = json.loads((files(__package__) / "published.json").read_text())[name]
    return PublishedResults(
        record["title"],
        record["metric"],
        tuple(_curve(curve) for curve in record["curves"]),
        tuple(PublishedRate(**rate) for rate in record["bd_rates"]),
    )


def _curve(record: dict[str, Any]) -> PublishedCurve:
    points = tuple(PublishedPoint(**point) for point in record["points"])
    return PublishedCurve(record["name"], record["source"], record["type"], points)
