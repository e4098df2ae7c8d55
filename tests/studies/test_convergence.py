"""`dnerv study convergence` on tiny videos."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnerv.errors import InputError
from dnerv.evaluation import evaluate
from dnerv.studies.convergence import Convergence, ConvergenceOptions, best, doubling, gain

OPTIONS = ConvergenceOptions(
    archives=("nerv", "dnerv"), epochs=(1, 2), learning_rates=(0.001, 0.01), bits_per_pixel=0.5
)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, write_video: Callable[[Path, int, int], None]) -> Path:
    folder = tmp_path_factory.mktemp("convergence") / "videos"
    write_video(folder / "one.mp4", 5, 1)
    write_video(folder / "two.mp4", 8, 2)
    return folder


@pytest.fixture(scope="module")
def done(videos: Path, made_twice: Any, untimed: Any) -> tuple[Path, dict[str, Any]]:
    """Made once as it is, and once killed half-way and given again."""
    whole, resumed = made_twice(Convergence(), [videos], videos.parent, OPTIONS)
    assert untimed(resumed) == untimed(whole)
    return videos.parent / "whole", whole


def test_each_row_is_an_archive_of_its_own(done: tuple[Path, dict[str, Any]], videos: Path) -> None:
    output, record = done
    assert json.loads((output / "results.json").read_text()) == record
    found = [(row["model"], row["learning_rate"], row["epochs"]) for row in record["rows"]]
    assert found == [(m, rate, n) for m in ("nerv", "dnerv") for rate in (0.001, 0.01) for n in (1, 2)]
    assert len({path for row in record["rows"] for path in row["archives"]}) == len(found)
    for row in record["rows"]:
        (path,) = (output / "steps" / name for name in row["archives"])
        measured = [video.psnr for video in evaluate(path, [videos]).videos]
        assert row["psnrs"] == pytest.approx(measured, abs=1e-9)
        assert row["psnr"] == pytest.approx(sum(measured) / 2, abs=1e-9)
        assert row["bytes"] == path.stat().st_size
        assert row["encoding_seconds"] > 0
    options = [json.loads(path.read_text())["depends_on"]["encoding"] for path in (output / "steps").glob("*.json")]
    asked = sorted((made["model"], made["learning_rate"], made["epochs"]) for made in options)
    assert asked == sorted(found)


def a_curve(model: str, rate: float, *psnrs: float) -> list[dict[str, Any]]:
    return [
        {
            "model": model,
            "learning_rate": rate,
            "epochs": epochs,
            "bytes": 1000,
            "bits_per_pixel": 0.5,
            "encoding_seconds": epochs / 10,
            "psnr": psnr,
            "psnrs": [psnr - 1, psnr + 1],
        }
        for epochs, psnr in zip((40, 160, 640), psnrs, strict=True)
    ]


def a_record() -> dict[str, Any]:
    """Made-up figures: NeRV's slower rate overtakes and still gains; D-NeRV has levelled off."""
    sizes = [{"height": 64, "width": 80}] * 2
    return {
        "options": replace(OPTIONS, epochs=(40, 160, 640)).to_json(),
        "content": {"videos": sizes, "frames": 13},
        "rows": [
            *a_curve("nerv", 0.001, 20.0, 23.0, 25.0),
            *a_curve("nerv", 0.009, 22.0, 23.5, 24.0),
            *a_curve("dnerv", 0.001, 27.0, 28.0, 28.1),
        ],
    }


def test_the_best_rate_is_the_one_ahead_at_the_end() -> None:
    rows = a_record()["rows"]
    nerv, dnerv = rows[:6], rows[6:]
    assert [row["learning_rate"] for row in best(nerv)] == [0.001] * 3
    assert doubling(best(nerv)) == pytest.approx(1.0)  # 2 dB for four times the passes
    assert gain(dnerv, nerv)["mean"] == pytest.approx(3.1)


def test_table(printed: Any) -> None:
    text = printed(Convergence().tables(a_record()))
    rows = [line.split() for line in text.splitlines()]
    assert ["NeRV", "0.001", "20.00", "23.00", "25.00", "+1.00"] in rows
    assert ["0.009", "22.00", "23.50", "24.00", "+0.25"] in rows
    assert ["D-NeRV", "0.001", "4", "16", "64"] in rows
    said = " ".join(text.split())
    assert "NeRV still gains at 640 passes: +1.00 dB for twice as many (rate 0.001, the lowest tried)." in said
    assert "D-NeRV has levelled off at 640 passes: +0.05 dB for twice as many (rate 0.001)." in said
    assert "The best D-NeRV less the best NeRV: +3.10 dB (+3.10 to +3.10, 95 % over videos)." in said


def test_more_passes_may_hurt(printed: Any) -> None:
    rows = [*a_curve("nerv", 0.001, 20.0, 21.0, 22.0), *a_curve("nerv", 0.009, 22.0, 25.0, 24.0)]
    said = " ".join(printed(Convergence().tables(a_record() | {"rows": rows})).split())
    assert (
        "NeRV loses by more passes at 640 passes: -0.50 dB for twice as many (rate 0.009, the highest tried)." in said
    )


def test_one_kind_is_compared_with_nobody(printed: Any) -> None:
    record = a_record()
    assert "less the best" not in printed(Convergence().tables(record | {"rows": record["rows"][:6]}))


def test_chart() -> None:
    (chart,) = Convergence().charts(a_record())
    assert [(series.name, series.is_dashed) for series in chart.series] == [
        ("NeRV, rate 0.001", False),
        ("NeRV, rate 0.009", True),
        ("D-NeRV, rate 0.001", False),
    ]
    assert chart.series[0].points == [(4.0, 20.0), (16.0, 23.0), (64.0, 25.0)]


@pytest.mark.parametrize("changes", [{"epochs": (40,)}, {"epochs": (40, 40)}, {"learning_rates": ()}, {"archives": ()}])
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="--"):
        replace(OPTIONS, **changes)
