"""Deltas against the package that the field uses, and where there are none."""

from __future__ import annotations

import bjontegaard
import numpy as np
import pytest

from dnerv.errors import InputError
from dnerv.evaluation.bjontegaard import Curve, bd_psnr, bd_rate

BASE = Curve((0.02, 0.035, 0.06, 0.1), (28.1, 30.4, 32.2, 34.5))
BETTER = Curve((0.015, 0.03, 0.05, 0.09), (28.4, 30.9, 32.4, 35.0))


def theirs(name: str, anchor: Curve, test: Curve) -> float:
    function = getattr(bjontegaard, name)
    arguments = anchor.rates, anchor.qualities, test.rates, test.qualities
    return float(function(*arguments, method="pchip", require_matching_points=False, min_overlap=0))


class TestEdges:
    @pytest.mark.parametrize("rates", [(), (0.1,)])
    def test_a_point_is_no_curve(self, rates: tuple[float, ...]) -> None:
        with pytest.raises(InputError, match="two points or more"):
            Curve(rates, rates)

    @pytest.mark.parametrize(
        ("rates", "qualities"), [((0.0, 1.0), (1, 2)), ((1.0, np.inf), (1, 2)), ((1, 2), (1, 2, 3))]
    )
    def test_impossible_points_are_refused(self, rates: tuple[float, ...], qualities: tuple[float, ...]) -> None:
        with pytest.raises(InputError):
            Curve(rates, qualities)

    def test_two_points_are_a_line(self) -> None:
        anchor, test = Curve((0.01, 0.1), (30, 40)), Curve((0.02, 0.2), (30, 40))
        rate, quality = bd_rate(anchor, test), bd_psnr(anchor, test)
        assert rate is not None
        assert quality is not None
        assert rate.value == pytest.approx(100)
        assert quality.value == pytest.approx(-10 * np.log10(2))

    def test_curves_without_common_range_have_no_delta(self) -> None:
        far = Curve((0.3, 0.6), (36, 40))
        assert bd_rate(BASE, far) is None
        assert bd_psnr(BASE, far) is None
        touching = Curve((0.1, 0.6), (34.5, 40))
        assert bd_rate(BASE, touching) is None
        assert bd_psnr(BASE, touching) is None

    def test_falling_quality_gives_no_rate_but_a_quality(self) -> None:
        falling = Curve((0.02, 0.05, 0.1), (30, 29, 33))
        assert not falling.is_rising
        with pytest.raises(InputError, match="does not rise"):
            bd_rate(BASE, falling)
        delta = bd_psnr(BASE, falling)
        assert delta is not None
        assert delta.value == pytest.approx(theirs("bd_psnr", BASE, falling), abs=1e-9)

    def test_two_points_of_one_rate_are_refused(self) -> None:
        with pytest.raises(InputError, match="same rate"):
            bd_psnr(BASE, Curve((0.02, 0.02, 0.1), (30, 31, 33)))


class TestValues:
    def test_a_curve_against_itself(self) -> None:
        for delta in (bd_rate(BASE, BASE), bd_psnr(BASE, BASE)):
            assert delta is not None
            assert delta.value == pytest.approx(0, abs=1e-12)

    def test_ranges_are_those_that_both_cover(self) -> None:
        rate, quality = bd_rate(BASE, BETTER), bd_psnr(BASE, BETTER)
        assert rate is not None
        assert quality is not None
        assert (rate.low, rate.high) == (28.4, 34.5)
        assert (quality.low, quality.high) == pytest.approx((0.02, 0.09))
        assert rate.value < 0 < quality.value

    def test_order_of_points_does_not_matter(self) -> None:
        assert bd_rate(BASE, Curve(BETTER.rates[::-1], BETTER.qualities[::-1])) == bd_rate(BASE, BETTER)

    @pytest.mark.parametrize("points", [2, 3, 4, 7])
    def test_as_the_bjontegaard_package(self, points: int) -> None:
        """Random rising curves, some of them steep at one end, where slopes are held back."""
        rng = np.random.default_rng(points)
        compared = 0
        for _ in range(100):
            anchor, test = (_random_curve(rng, count) for count in (4, points))
            rate, quality = bd_rate(anchor, test), bd_psnr(anchor, test)
            if rate is None or quality is None:
                continue
            compared += 1
            assert rate.value == pytest.approx(theirs("bd_rate", anchor, test), rel=1e-8, abs=1e-8)
            assert quality.value == pytest.approx(theirs("bd_psnr", anchor, test), rel=1e-8, abs=1e-8)
        assert compared > 30

    def test_turning_curves_as_the_package(self) -> None:
        rng = np.random.default_rng(1)
        for _ in range(50):
            test = Curve(np.geomspace(0.015, 0.12, 5).tolist(), rng.uniform(28, 34, 5).tolist())
            delta = bd_psnr(BASE, test)
            assert delta is not None
            assert delta.value == pytest.approx(theirs("bd_psnr", BASE, test), rel=1e-8, abs=1e-8)


def _random_curve(rng: np.random.Generator, count: int) -> Curve:
    steps = rng.exponential(1, (2, count)) + 0.02
    rates = 0.01 * np.exp(np.cumsum(steps[0]) * 2.5 / count)
    return Curve(rates.tolist(), (27 + np.cumsum(steps[1]) * 8 / count).tolist())
