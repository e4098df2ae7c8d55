"""How sure a paired difference is: held to scipy for seeds or groups alone, to chance for both."""

from __future__ import annotations

import numpy as np
import pytest
from scipy import stats

from dnerv.studies.paired import paired


@pytest.mark.parametrize("turned", [False, True])
def test_seeds_or_groups_alone_are_a_t_test(turned: bool) -> None:
    values = np.random.default_rng(0).normal(0.3, 1, (7, 1))
    found = paired((values.T if turned else values).tolist())
    wanted = stats.ttest_1samp(values[:, 0], 0).confidence_interval(0.95)
    assert found["mean"] == pytest.approx(values.mean())
    assert found["interval"] == pytest.approx([wanted.low, wanted.high])
    error = values.std(ddof=1) / 7**0.5
    assert found["visible"] == pytest.approx((stats.t.ppf(0.975, 6) + stats.t.ppf(0.8, 6)) * error)


def test_the_interval_covers_both_the_choice_of_seeds_and_of_groups() -> None:
    random = np.random.default_rng(1)
    hits, seen, trials, truth = 0, 0, 600, 0.5
    for _ in range(trials):
        seeds, groups = random.normal(0, 0.3, (5, 1)), random.normal(0, 1, (1, 12))
        found = paired((truth + seeds + groups + random.normal(0, 0.5, (5, 12))).tolist())
        low, high = found["interval"]
        hits += low <= truth <= high
        shifted = found["mean"] - truth + found["visible"]  # as if the truth were what can just be seen
        seen += shifted - (high - low) / 2 > 0
    assert 0.94 <= hits / trials <= 0.995
    assert 0.74 <= seen / trials <= 0.93


def test_what_nothing_is_known_of_has_no_interval() -> None:
    assert paired([[0.25]]) == {"mean": 0.25, "interval": None, "visible": None}
    assert paired([[0.5, 0.5], [0.5, 0.5]]) == {"mean": 0.5, "interval": [0.5, 0.5], "visible": 0.0}
