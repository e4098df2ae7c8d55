"""How sure a difference is that was measured by several seeds on several groups, tasks or sources."""

from __future__ import annotations

from collections.abc import Sequence
from math import sqrt
from typing import Any

import numpy as np

LEVEL, POWER = 0.95, 0.8


def paired(differences: Sequence[Sequence[float]]) -> dict[str, Any]:
    """Mean of paired differences, and what is known of it.

    Seeds and groups are both taken as drawn at random. The variance of the mean is that of the seeds' means over their
    number, and that of the groups' means over theirs, added: what is left of either counts twice, so the interval is
    rather too wide than too narrow. Student's t, degrees of freedom by Satterthwaite.

    Args:
        differences: of each seed, that of each group; as many groups for each seed.

    Returns:
        `mean`; `interval`, 95 %, None for one seed and one group; `visible`, the smallest difference that as many seeds
        and groups of this spread would show four times out of five, None likewise.
    """
    from scipy import stats

    values = np.asarray(differences, np.float64)
    parts = [
        (float(means.var(ddof=1)) / len(means), len(means) - 1)
        for means in (values.mean(1), values.mean(0))
        if len(means) > 1
    ]
    mean, variance = float(values.mean()), sum(part for part, _ in parts)
    if not parts:
        return {"mean": mean, "interval": None, "visible": None}
    if variance == 0:
        return {"mean": mean, "interval": [mean, mean], "visible": 0.0}
    freedom = variance**2 / sum(part**2 / count for part, count in parts)
    error = sqrt(variance)
    sure, found = stats.t.ppf((1 + LEVEL) / 2, freedom), stats.t.ppf(POWER, freedom)
    half = float(sure) * error
    return {"mean": mean, "interval": [mean - half, mean + half], "visible": float(sure + found) * error}
