"""Charts of priors' cards."""

from typing import Any

from dnerv.report.prior_cards import card_charts
from dnerv.studies.charts import Lines


def card(parameters: int, by: float) -> dict[str, Any]:
    gains = [
        {"source": source, "distance": distance, "crf": crf, "gain": by * distance + crf / 100}
        for source in ("a", "b")
        for distance in (1, 2)
        for crf in (63.0, 35.0)
    ]
    points = [{"frames": frames, "gains": {"a 1": frames / 100, "b 2": 0.5}} for frames in (10, 20)]
    return {"parameters": parameters, "gains": gains, "curve": points}


def lines_of(chart: object) -> dict[str, Any]:
    assert isinstance(chart, Lines)
    return {series.name: series for series in chart.series}


def test_of_one_prior() -> None:
    by_crf, by_training = card_charts([card(30, 1.0)])
    lines = lines_of(by_crf)
    assert list(lines) == ["a, every frame", "a, every 2 frames", "b, every frame", "b, every 2 frames"]
    assert lines["a, every 2 frames"].points == [(35, 2.35), (63, 2.63)]
    assert [line.is_dashed for line in lines.values()] == [False, True, False, True]
    assert lines["a, every frame"].style == lines["a, every 2 frames"].style != lines["b, every frame"].style
    assert lines_of(by_training)["a, every frame"].points == [(10, 0.1), (20, 0.2)]
    assert lines_of(by_training)["a, every 2 frames"].points == []


def test_of_several() -> None:
    *_, by_size = card_charts([card(100, 2.0), card(30, 1.0)])
    assert lines_of(by_size)["b, every frame"].points == [(30, 1.49), (100, 2.49)]


def test_of_one_that_was_measured_on_nothing() -> None:
    (chart,) = card_charts([{"parameters": 3, "gains": [], "curve": []}])
    assert lines_of(chart) == {}
