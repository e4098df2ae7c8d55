"""How sure an accuracy is: of the seeds by Student's t, of the test videos by Wilson's interval."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from statistics import fmean, stdev
from typing import Any

# 97.5 % quantiles of Student's t by degrees of freedom, from 1; beyond, the normal distribution's is near enough.
_T = (
    *(12.706, 4.303, 3.182, 2.776, 2.571, 2.447, 2.365, 2.306, 2.262, 2.228),
    *(2.201, 2.179, 2.160, 2.145, 2.131, 2.120, 2.110, 2.101, 2.093, 2.086),
    *(2.080, 2.074, 2.069, 2.064, 2.060, 2.056, 2.052, 2.048, 2.045, 2.042),
)
_NORMAL = 1.960


def summary(percents: Sequence[float], tests: int) -> dict[str, Any]:
    """Mean of the seeds' accuracies, in percent, and its 95 % intervals.

    Returns:
        `top1`; `interval`, over seeds, None for a single one; `test_set`, what as many other test videos could give;
        `seeds`, the accuracies. Intervals end at 0 and 100.
    """
    mean = fmean(percents)
    return {
        "top1": mean,
        "interval": student_interval(percents),
        "test_set": wilson_interval(mean, tests),
        "seeds": list(percents),
    }


def student_interval(percents: Sequence[float]) -> list[float] | None:
    """95 % interval of the mean, None for a single value."""
    freedom = len(percents) - 1
    if freedom < 1:
        return None
    quantile = _T[freedom - 1] if freedom <= len(_T) else _NORMAL
    half = quantile * stdev(percents) / sqrt(len(percents))
    return [max(0.0, fmean(percents) - half), min(100.0, fmean(percents) + half)]


def wilson_interval(percent: float, count: int) -> list[float]:
    """95 % interval of a share of `count` independent cases, in percent (binomial)."""
    share, square = percent / 100, _NORMAL**2
    centre = (share + square / (2 * count)) / (1 + square / count)
    half = _NORMAL * sqrt(share * (1 - share) / count + square / (4 * count**2)) / (1 + square / count)
    return [max(0.0, 100 * (centre - half)), min(100.0, 100 * (centre + half))]
