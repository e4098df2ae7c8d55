"""Bjontegaard deltas: how two rate-distortion curves differ on average, where both exist.

Notable decisions:
- curves are interpolated in (log rate, dB) by monotone piecewise cubics (PCHIP, by SciPy): no overshoot between points
  that lie far apart, as the cubic polynomial of the original proposal has;
- nothing is extrapolated: the difference is averaged over the range that both curves cover, and that range is part of
  the result. Curves without a common range have no delta;
- the tests hold every figure to the `bjontegaard` package, which loads matplotlib wherever it is imported.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError

Floats = NDArray[np.float64]


@dataclass(frozen=True)
class Curve:
    """A codec's points, in any order. Raises InputError for fewer than two, or for a rate that is not positive."""

    rates: Sequence[float]  # bits per pixel
    qualities: Sequence[float]  # dB

    def __post_init__(self) -> None:
        if len(self.rates) != len(self.qualities) or len(self.rates) < 2:
            raise InputError(
                f"{len(self.rates)} rates, {len(self.qualities)} qualities; a curve has two points or more"
            )
        if not (np.all(np.isfinite([*self.rates, *self.qualities])) and min(self.rates) > 0):
            raise InputError(f"rates are {list(self.rates)} at {list(self.qualities)} dB; they are finite and positive")

    @property
    def is_rising(self) -> bool:
        """Whether every larger rate gives a higher quality: without it no rate can be read off a quality."""
        rates, qualities = self._sorted()
        return bool(np.all(np.diff(rates) > 0) and np.all(np.diff(qualities) > 0))

    @property
    def has_distinct_rates(self) -> bool:
        """Whether no two points share a rate."""
        return len(set(self.rates)) == len(self.rates)

    def quality_by_log_rate(self) -> tuple[Floats, Floats]:
        """log10 of the rates, ascending, and their qualities."""
        rates, qualities = self._sorted()
        return np.log10(rates), qualities

    def _sorted(self) -> tuple[Floats, Floats]:
        order = np.argsort(self.rates, kind="stable")
        return np.asarray(self.rates, np.float64)[order], np.asarray(self.qualities, np.float64)[order]


@dataclass(frozen=True)
class Delta:
    """A mean difference and the range it is a mean over."""

    value: float  # per cent of rate, or dB
    low: float  # dB, or bits per pixel
    high: float


def bd_rate(anchor: Curve, test: Curve) -> Delta | None:
    """How many per cent more bits `test` takes than `anchor` for the same quality (negative: fewer).

    Returns:
        The mean over the range of qualities, in dB, that both cover; None where they have none in common.

    Raises:
        InputError: a curve on which quality does not rise with the rate.
    """
    for curve in (anchor, test):
        if not curve.is_rising:
            raise InputError(f"quality does not rise with the rate: {list(curve.qualities)} dB at {list(curve.rates)}")
    (rate_a, quality_a), (rate_t, quality_t) = anchor.quality_by_log_rate(), test.quality_by_log_rate()
    delta = _mean_difference((quality_a, rate_a), (quality_t, rate_t))
    return None if delta is None else Delta((10**delta.value - 1) * 100, delta.low, delta.high)


def bd_psnr(anchor: Curve, test: Curve) -> Delta | None:
    """How many dB `test` is above `anchor` at the same rate.

    Returns:
        The mean over the range of rates, in bits per pixel, that both cover; None where they have none in common.

    Raises:
        InputError: two points of a curve at one rate.
    """
    for curve in (anchor, test):
        if not curve.has_distinct_rates:
            raise InputError(f"two points have the same rate: {sorted(curve.rates)}")
    delta = _mean_difference(anchor.quality_by_log_rate(), test.quality_by_log_rate())
    return None if delta is None else Delta(delta.value, 10**delta.low, 10**delta.high)


def _mean_difference(anchor: tuple[Floats, Floats], test: tuple[Floats, Floats]) -> Delta | None:
    from scipy.interpolate import PchipInterpolator

    low, high = float(max(anchor[0][0], test[0][0])), float(min(anchor[0][-1], test[0][-1]))
    if low >= high:
        return None
    before, after = (PchipInterpolator(*curve).integrate(low, high) for curve in (anchor, test))
    return Delta(float(after - before) / (high - low), low, high)
