"""Published points are stored as they were published."""

from __future__ import annotations

from itertools import pairwise

import pytest

from dnerv.errors import InputError
from dnerv.evaluation.published import PublishedPoint, published_results


def test_unknown_sets_are_refused() -> None:
    with pytest.raises(InputError, match="ucf101, uvg"):
        published_results("davis")


def test_ucf101_is_the_papers_table() -> None:
    curves = {curve.name: curve for curve in published_results("ucf101").curves}
    assert set(curves) == {"H.264", "NeRV", "D-NeRV"}
    assert curves["D-NeRV"].points[0] == PublishedPoint(0.056, 28.15, 0.916)
    assert curves["H.264"].points[2] == PublishedPoint(0.081, 28.54, 0.941)


def test_uvg_has_the_papers_and_others_points() -> None:
    results = published_results("uvg")
    curves = {curve.name: curve for curve in results.curves}
    assert curves["D-NeRV"].points[-1] == PublishedPoint(0.0952, 37.43, 0.9719)
    assert {"HM 18 random access", "VTM 17 random access", "DCVC", "C3", "HiNeRV", "NeRV"} <= set(curves)
    assert any(rate.name == "NVRC" and rate.percent == -73.7 for rate in results.bd_rates)


@pytest.mark.parametrize("name", ["ucf101", "uvg"])
def test_every_curve_rises_and_names_its_source(name: str) -> None:
    for curve in published_results(name).curves:
        assert curve.source
        assert curve.type in ("authors' table", "another work's table")
        for before, after in pairwise(curve.points):
            assert before.bpp < after.bpp
            assert before.psnr < after.psnr
