"""`dnerv study joint` on tiny videos."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console

from dnerv.archive import Archive
from dnerv.encoding import EncodeListener
from dnerv.errors import InputError
from dnerv.evaluation import evaluate
from dnerv.studies.joint import JointOptions, draw, joint, tables

OPTIONS = JointOptions(counts=(1, 2), bits_per_pixel=0.5, epochs=1, seed=1)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, write_video: Callable[[Path, int, int], None]) -> Path:
    folder = tmp_path_factory.mktemp("joint") / "videos"
    for speed, (name, count) in enumerate((("one", 5), ("two", 8), ("three", 6)), 1):
        write_video(folder / f"{name}.mp4", count, speed)
    return folder


@pytest.fixture(scope="module")
def done(videos: Path) -> tuple[Path, dict[str, Any]]:
    output = videos.parent / "out"
    return output, joint([videos], output, OPTIONS, EncodeListener())


def test_bytes_and_quality_are_those_of_the_archives(done: tuple[Path, dict[str, Any]], videos: Path) -> None:
    output, record = done
    assert len(record["rows"]) == 8
    for row in record["rows"]:
        paths = [output / "points" / name for name in row["archives"]]
        assert row["bytes"] == sum(path.stat().st_size for path in paths)
        found = [evaluate(path, [videos / f"{name}.mp4" for name in held(path)]) for path in paths]
        values = [video.psnr for quality in found for video in quality.videos]
        assert len(values) == row["videos"]
        assert row["psnr"] == pytest.approx(sum(values) / len(values), abs=1e-9)
    assert json.loads((output / "results.json").read_text()) == record


def held(path: Path) -> list[str]:
    with Archive(path) as archive:
        return archive.names


def test_one_video_alone_is_the_same_archive(done: tuple[Path, dict[str, Any]]) -> None:
    for model in ("nerv", "dnerv"):
        rows = [row for row in done[1]["rows"] if (row["model"], row["videos"]) == (model, 1)]
        assert rows[0]["archives"] == rows[1]["archives"]


def test_sets_are_nested_and_seeded(done: tuple[Path, dict[str, Any]], videos: Path) -> None:
    record = done[1]
    assert len(set(record["videos"])) == 2
    pairs = [row for row in record["rows"] if row["way"] == "joint" and row["videos"] == 2]
    for row in pairs:
        assert set(held(done[0] / "points" / row["archives"][0])) == set(record["videos"])


def test_nothing_is_made_twice(done: tuple[Path, dict[str, Any]], videos: Path) -> None:
    stages: set[str] = set()

    class Listener(EncodeListener):
        def stage(self, title: str, total: int | None = None) -> None:
            stages.add(title)

    output, record = done
    assert joint([videos], output, OPTIONS, Listener()) == record
    assert stages == {"reading videos"}


def test_table_and_picture(done: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
    console = Console(width=80, record=True)
    for part in tables(done[1]):
        console.print(part)
    text = console.export_text()
    assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
    assert "+0.60" in text
    assert "gain dB" in text
    assert ("bits per pixel asked for: NeRV" in text) == any(
        abs(row["bits_per_pixel"] / 0.5 - 1) > 0.15 for row in done[1]["rows"]
    )
    draw(done[1], tmp_path / "picture.png")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")


def test_more_videos_than_there_are(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="asks for 4 videos, and there are 3"):
        joint([videos], tmp_path / "out", replace(OPTIONS, counts=(4,)), EncodeListener())
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("changes", [{"counts": ()}, {"counts": (0,)}, {"counts": (2, 2)}, {"epochs": 0}])
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="--"):
        replace(OPTIONS, **changes)
