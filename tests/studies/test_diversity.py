"""`dnerv study diversity`: which clips are drawn, and the study on tiny ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from dnerv.errors import InputError
from dnerv.evaluation import evaluate
from dnerv.studies.diversity import PUBLISHED, Diversity, DiversityOptions, draw_cuts, groups
from dnerv.studies.record import findings
from dnerv.video import CachedVideo, Member, cache_video, discover

OPTIONS = DiversityOptions(sources=(1, 2), clips=4, length=4, draws=1, bits_per_pixel=0.5, epochs=1)
LENGTHS = {"a": 16, "b": 17, "c": 9, "d": 3}  # frames


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, write_video: Callable[[Path, int, int], None]) -> Path:
    folder = tmp_path_factory.mktemp("diversity") / "videos"
    for speed, (name, count) in enumerate(LENGTHS.items(), 1):
        write_video(folder / ("high" if count > 10 else "low") / f"{name}.mp4", count, speed)
    return folder


@pytest.fixture(scope="module")
def read(videos: Path) -> Callable[[Member], CachedVideo]:
    return lambda member: cache_video(member, videos.parent / "cache")


@pytest.fixture(scope="module")
def done(videos: Path, made_twice: Any) -> tuple[Path, dict[str, Any]]:
    """Made once as it is, and once killed half-way and given again."""
    whole, resumed = made_twice(Diversity(), [videos], videos.parent, OPTIONS)
    assert findings(resumed) | {"output": ""} == findings(whole) | {"output": ""}
    return videos.parent / "whole", whole


class TestDraws:
    def test_clips_do_not_overlap_and_lie_inside(self, videos: Path, read: Callable[[Member], CachedVideo]) -> None:
        sources = groups(discover([videos]), "video")
        for seed in range(5):
            cuts = draw_cuts(sources, 2, 4, 4, seed, read)
            frames = [(cut.video.name, cut.first + i) for cut in cuts for i in range(4)]
            assert len(set(frames)) == len(frames) == 32
            assert all(cut.first + 4 <= cut.video.timing.num_frames for cut in cuts)
            assert {cut.video.name for cut in cuts} == {"high/a", "high/b"}  # the others have no four clips

    def test_seeds_draw_different_sources(self, videos: Path, read: Callable[[Member], CachedVideo]) -> None:
        sources = groups(discover([videos]), "video")
        drawn = {tuple(cut.video.name for cut in draw_cuts(sources, 1, 2, 4, seed, read)) for seed in range(12)}
        assert {names[0] for names in drawn} == {"high/a", "high/b", "low/c"}
        assert draw_cuts(sources, 1, 2, 4, 3, read) == draw_cuts(sources, 1, 2, 4, 3, read)

    def test_a_class_gives_one_clip_of_each_video_first(
        self, videos: Path, read: Callable[[Member], CachedVideo]
    ) -> None:
        sources = groups(discover([videos]), "label")
        assert set(sources) == {"high", "low"}
        assert {cut.video.name for cut in draw_cuts({"high": sources["high"]}, 1, 2, 4, 0, read)} == {
            "high/a",
            "high/b",
        }
        cuts = draw_cuts({"low": sources["low"]}, 1, 2, 4, 0, read)  # one of its videos is too short
        assert [(cut.video.name, cut.first) for cut in cuts] == [("low/c", 0), ("low/c", 4)]

    def test_too_few_sources(self, videos: Path, read: Callable[[Member], CachedVideo]) -> None:
        with pytest.raises(InputError, match="of the 4 given 2 have"):
            draw_cuts(groups(discover([videos]), "video"), 3, 4, 4, 0, read)

    def test_videos_without_a_class(self, videos: Path) -> None:
        with pytest.raises(InputError, match="no class"):
            groups(discover([videos / "high"]), "label")


class TestStudy:
    def test_rows_are_means_of_what_the_archives_give(self, done: tuple[Path, dict[str, Any]]) -> None:
        output, record = done
        assert [(row["model"], row["sources"]) for row in record["rows"]] == [
            ("nerv", 1),
            ("nerv", 2),
            ("dnerv", 1),
            ("dnerv", 2),
            ("base", 1),
            ("base", 2),
        ]
        row = record["rows"][3]
        (seed,) = row["seeds"]
        archive = output / "steps" / seed["files"][0]["path"]
        (clips,) = (path for path in (output / "frames").glob("2-sources-draw-0-*") if not path.name.endswith("cache"))
        again = evaluate(archive, [clips])
        assert (again.psnr, again.file_bytes) == (seed["psnr"], seed["bytes"])
        assert (row["psnr"], row["bytes"], row["psnr_deviation"]) == (again.psnr, again.file_bytes, None)
        assert [video.num_frames for video in again.videos] == [4] * 4
        assert json.loads((output / "results.json").read_text()) == record


def test_rows_are_means_over_draws() -> None:
    def found(network: str, sources: int, draw: int, psnr: float) -> dict[str, Any]:
        facts = {"kind": network, "sources": sources, "draw": draw, "psnr": psnr, "bits_per_pixel": 0.5}
        return facts | {"bytes": 100 + draw, "files": []}

    values = {
        ("nerv", 1): (20.0, 22.0),
        ("nerv", 2): (19.0, 19.0),
        ("dnerv", 1): (30.0, 33.0),
        ("dnerv", 2): (1.0, 2.0),
    }
    measured = [found(*which, draw, psnr) for which, pair in values.items() for draw, psnr in enumerate(pair)]
    run: Any = SimpleNamespace(options=replace(OPTIONS, draws=2, archives=("dnerv", "nerv")), members=[1, 2, 3])
    rows = Diversity().rows(run, [], measured)["rows"]
    assert [(row["model"], row["sources"]) for row in rows] == list(values)
    assert [row["psnr"] for row in rows] == [21, 19, 31.5, 1.5]
    assert rows[0]["psnr_deviation"] == pytest.approx(2**0.5)
    assert rows[1]["psnr_deviation"] == 0
    assert rows[0]["bytes"] == 100.5
    assert [seed["seed"] for seed in rows[3]["seeds"]] == [0, 1]


def a_record() -> dict[str, Any]:
    """Made-up figures: NeRV loses two decibels, D-NeRV a quarter of one."""

    def row(model: str, sources: int, psnr: float, spread: float | None, rate: float = 0.5) -> dict[str, Any]:
        return {"model": model, "sources": sources, "psnr": psnr, "psnr_deviation": spread, "bits_per_pixel": rate}

    rows = [
        row("nerv", 1, 22.0, 0.1),
        row("nerv", 2, 20.0, 0.2, 0.6),
        row("dnerv", 1, 26.0, None),
        row("dnerv", 2, 25.75, 0.3),
    ]
    return {"options": OPTIONS.to_json(), "published": PUBLISHED, "rows": rows}


def test_table(printed: Any) -> None:
    text = printed(Diversity().tables(a_record()))
    rows = [line.split() for line in text.splitlines()]
    assert ["NeRV", "1", "4", "0.5000", "22.00", "+-", "0.10"] in rows
    assert ["2", "2", "0.6000", "20.00", "+-", "0.20", "-2.00"] in rows
    assert ["D-NeRV", "1", "4", "0.5000", "26.00"] in rows
    assert ["2", "2", "0.5000", "25.75", "+-", "0.30", "-0.25"] in rows
    text = " ".join(text.split())
    assert "More than 15% off the 0.5 bits per pixel asked for: NeRV 2 0.6000." in text
    assert "from 10 to 100 classes: NeRV 27.95 to 26.66 (-1.29) dB, D-NeRV 29.74 to 29.36 (-0.38) dB" in text


def test_chart() -> None:
    (chart,) = Diversity().charts(a_record())
    assert [(series.name, series.points) for series in chart.series] == [
        ("NeRV", [(1, 22.0), (2, 20.0)]),
        ("D-NeRV", [(1, 26.0), (2, 25.75)]),
    ]
    assert chart.series[1].spreads == [None, pytest.approx((25.45, 26.05))]


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"sources": ()}, "--sources"),
        ({"sources": (1, 1)}, "--sources"),
        ({"sources": (0, 2)}, "--sources"),
        ({"sources": (3,)}, "equal parts"),
        ({"length": 1}, "--length"),
        ({"draws": 0}, "--draws"),
        ({"epochs": 0}, "--epochs"),
        ({"by": "colour"}, "--by"),
        ({"bits_per_pixel": -1.0}, "--bpp"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(OPTIONS, **changes)
