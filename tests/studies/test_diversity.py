"""`dnerv study diversity`: which clips are drawn, and the study on tiny ones."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dnerv.encoding import EncodeListener
from dnerv.errors import InputError
from dnerv.evaluation import evaluate
from dnerv.studies.diversity import DiversityOptions, diversity, draw, tables
from dnerv.studies.diversity.draws import draw_cuts, groups
from dnerv.video import CachedVideo, Member, cache_video, discover

OPTIONS = DiversityOptions(sources=(1, 2), clips=4, length=4, draws=2, bits_per_pixel=0.5, epochs=1)
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
def done(videos: Path) -> tuple[Path, dict[str, Any]]:
    output = videos.parent / "out"
    return output, diversity([videos], output, OPTIONS, EncodeListener())


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
        ]
        for row in record["rows"]:
            values = [seed["psnr"] for seed in row["seeds"]]
            assert row["psnr"] == pytest.approx(np.mean(values))
            assert row["psnr_deviation"] == pytest.approx(np.std(values, ddof=1))
        row = record["rows"][3]
        archive = output / "points" / row["seeds"][1]["files"][0]["path"]
        again = evaluate(archive, [output / "sets" / "2-sources-draw-1"])
        assert (again.psnr, again.file_bytes) == (row["seeds"][1]["psnr"], row["seeds"][1]["bytes"])
        assert len(again.videos) == 4
        assert json.loads((output / "results.json").read_text()) == record

    def test_nothing_is_made_twice(self, done: tuple[Path, dict[str, Any]], videos: Path) -> None:
        stages: list[str] = []

        class Listener(EncodeListener):
            def stage(self, title: str, total: int | None = None) -> None:
                stages.append(title)

        output, record = done
        assert diversity([videos], output, OPTIONS, Listener()) == record
        assert {stage.split()[0] for stage in stages} == {"cutting", "reading"}

    def test_table_and_picture(self, done: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
        console = Console(width=80, record=True)
        for part in tables(done[1]):
            console.print(part)
        text = console.export_text()
        assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
        for words in ("D-NeRV", "from fewest", "27.95 to 26.66 (-1.29)", f"{done[1]['rows'][0]['psnr']:.2f}"):
            assert words in text
        draw(done[1], tmp_path / "picture.png")
        assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")

    def test_a_folder_of_another_study(self, done: tuple[Path, dict[str, Any]], videos: Path) -> None:
        with pytest.raises(InputError, match="other options"):
            diversity([videos], done[0], replace(OPTIONS, epochs=2), EncodeListener())


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
