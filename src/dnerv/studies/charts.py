"""Charts and sheets of frames as data; `dnerv.studies.drawing` draws them.

A style is a name that colour and mark follow from: "dnerv", "nerv", a codec's name, "plain", "published-0", ...
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Literal, NamedTuple

import numpy as np
from numpy.typing import NDArray

Scale = Literal["linear", "log", "counts"]  # counts: powers of two apart, a tick for each count that there is
ErrorBar = tuple[float, float]  # its two ends
DIFFERENCE_GAIN = 4  # differences are shown so many times larger


@dataclass(frozen=True)
class Series:
    """One line."""

    name: str
    style: str
    points: Sequence[tuple[float, float]]  # (x, y) at rising x
    spreads: Sequence[ErrorBar | None] = ()  # around each y; none: no bars
    is_dashed: bool = False  # published, or another way of the same network


class Level(NamedTuple):
    """A line across."""

    name: str
    value: float
    spread: ErrorBar | None = None
    is_dashed: bool = True


@dataclass(frozen=True)
class Lines:
    """Lines over an axis."""

    title: str
    across: str  # what x is, with its unit
    up: str  # what y is
    series: Sequence[Series]
    scale: Scale = "linear"  # of x
    levels: Sequence[Level] = ()


@dataclass(frozen=True)
class Bar:
    """One bar, or dot."""

    name: str
    value: float
    style: str
    text: str = ""  # the value, as it is to be read
    spread: ErrorBar | None = None
    singles: Sequence[float] = ()  # what the value is the mean of
    marks: Mapping[str, float] = field(default_factory=dict)  # other people's values, by what they are called
    heading: str = ""  # above it
    is_pale: bool = False  # the second one of a pair


@dataclass(frozen=True)
class Bars:
    """Bars from zero or, where zero means nothing, dots on an axis."""

    title: str
    across: str
    bars: Sequence[Bar]
    kind: Literal["bars", "dots"] = "bars"
    scale: Scale = "linear"


Chart = Lines | Bars


class Cell(NamedTuple):
    """One picture of a sheet."""

    picture: NDArray[np.uint8]  # [H, W, 3] RGB
    note: str  # below it


@dataclass(frozen=True)
class Sheet:
    """Pictures of one size in rows and columns."""

    heading: str
    columns: Sequence[str]
    rows: Sequence[Sequence[Cell]]


def difference(original: NDArray[np.uint8], made: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """`original - made`, `DIFFERENCE_GAIN` times larger, around mid-grey: uint8 [H, W, 3]."""
    error = original.astype(np.int32) - made
    return np.asarray((128 + DIFFERENCE_GAIN * error).clip(0, 255), np.uint8)
