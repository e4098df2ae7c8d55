"""Which quality settings of a codec cover a range of rates: found by coding, from a grid of its own."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from math import log

from dnerv.codecs import Codec

LEAST_POINTS = 4
_LEAST_CHANGE = 0.05  # of the rate, from one setting to the next: with less, the codec has come to its end


@dataclass(frozen=True)
class Grid:
    """Settings of a codec; larger ones give fewer bytes."""

    low: int
    high: int
    start: int  # near 0.05 bits per pixel of ordinary videos
    step: int  # about half an octave of bytes


def grid_of(codec: Codec) -> Grid:
    """Steps of about half an octave of bytes."""
    low, high = codec.crf_range
    return Grid(int(low), int(high), int(codec.usual_crf), round(log(0.5) / 2 / codec.slope))


def sweep(grid: Grid, low_rate: float, high_rate: float, rate_at: Callable[[int], float]) -> list[int]:
    """Settings whose rates cover [low_rate, high_rate] as far as the codec reaches, at least `LEAST_POINTS`, ascending.

    Args:
        rate_at: codes at one setting and gives the rate; called once for each.
    """
    rates = {grid.start: rate_at(grid.start)}
    last = grid.start
    while rates[last] > low_rate and last < grid.high:
        before, last = last, min(last + grid.step, grid.high)
        rates[last] = rate_at(last)
        if rates[last] > (1 - _LEAST_CHANGE) * rates[before]:
            break  # little is left but headers
    first = grid.start
    while rates[first] < high_rate and first > grid.low:
        first = max(first - grid.step, grid.low)
        rates[first] = rate_at(first)
    rates = _needed(rates, low_rate, high_rate)
    while len(rates) < LEAST_POINTS:
        gaps = [(a, b) for a, b in pairwise(sorted(rates)) if b - a > 1]
        if not gaps:
            break  # the codec has no further settings there
        left, right = max(gaps, key=lambda gap: abs(log(rates[gap[0]] / rates[gap[1]])))
        setting = (left + right) // 2
        rates[setting] = rate_at(setting)
    return sorted(rates)


def _needed(rates: dict[int, float], low_rate: float, high_rate: float) -> dict[int, float]:
    """Without what the way to the range passed through: one setting beyond it on either side is enough."""
    first = max((s for s, rate in rates.items() if rate >= high_rate), default=min(rates))
    last = min((s for s, rate in rates.items() if rate <= low_rate), default=max(rates))
    return {s: rate for s, rate in rates.items() if min(first, last) <= s <= max(first, last)}
