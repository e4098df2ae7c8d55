"""`dnerv study joint` on tiny videos."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from dnerv.archive import Archive
from dnerv.errors import InputError
from dnerv.evaluation import evaluate
from dnerv.studies import run_study
from dnerv.studies.archive_kinds import KINDS as ALL_KINDS
from dnerv.studies.joint import PUBLISHED, Joint, JointOptions

KINDS = ("nerv", "dnerv", "base")
OPTIONS = JointOptions(counts=(1, 2), archives=KINDS, bits_per_pixel=0.5, epochs=1, seed=1)


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, write_video: Callable[[Path, int, int], None]) -> Path:
    folder = tmp_path_factory.mktemp("joint") / "videos"
    for speed, (name, count) in enumerate((("one", 5), ("two", 8), ("three", 6)), 1):
        write_video(folder / f"{name}.mp4", count, speed)
    return folder


@pytest.fixture(scope="module")
def done(videos: Path, made_twice: Any, untimed: Any) -> tuple[Path, dict[str, Any]]:
    """Made once as it is, and once killed half-way and given again."""
    whole, resumed = made_twice(Joint(), [videos], videos.parent, OPTIONS)
    assert untimed(resumed) == untimed(whole)
    return videos.parent / "whole", whole


def held(path: Path) -> list[str]:
    with Archive(path) as archive:
        return archive.names


def test_bytes_and_quality_are_those_of_the_archives(done: tuple[Path, dict[str, Any]], videos: Path) -> None:
    output, record = done
    assert json.loads((output / "results.json").read_text()) == record
    ways = [(row["model"], row["way"], row["videos"]) for row in record["rows"]]
    assert ways == [(m, w, n) for m in KINDS for w in ("separate", "joint") for n in (1, 2)]
    for row in record["rows"]:
        paths = [output / "steps" / name for name in row["archives"]]
        assert len(paths) == (row["videos"] if row["way"] == "separate" else 1)
        assert row["bytes"] == sum(path.stat().st_size for path in paths)
        found = [evaluate(path, [videos / f"{name}.mp4" for name in held(path)]) for path in paths]
        values = [video.psnr for quality in found for video in quality.videos]
        assert len(values) == row["videos"]
        assert row["encoding_seconds"] > 0
        by_name = {video.name: video.psnr for quality in found for video in quality.videos}
        assert row["psnrs"] == pytest.approx([by_name[name] for name in record["videos"][: row["videos"]]], abs=1e-9)
        assert row["psnr"] == pytest.approx(sum(values) / len(values), abs=1e-9)


def test_one_video_alone_is_the_same_archive(done: tuple[Path, dict[str, Any]]) -> None:
    for model in KINDS:
        rows = [row for row in done[1]["rows"] if (row["model"], row["videos"]) == (model, 1)]
        assert rows[0]["archives"] == rows[1]["archives"]


def test_sets_are_nested_and_seeded(done: tuple[Path, dict[str, Any]]) -> None:
    output, record = done
    first, second = record["videos"]
    for row in record["rows"]:
        names = {name for path in row["archives"] for name in held(output / "steps" / path)}
        assert names == ({first} if row["videos"] == 1 else {first, second})


def a_record() -> dict[str, Any]:
    """Made-up figures: D-NeRV gains a decibel of two videos, NeRV loses half of one."""

    def row(model: str, way: str, videos: int, size: int, rate: float, psnr: float) -> dict[str, Any]:
        which = {"model": model, "way": way, "videos": videos, "encoding_seconds": 9.6 * videos}
        return which | {"bytes": size, "bits_per_pixel": rate, "psnr": psnr}

    return {
        "options": OPTIONS.to_json(),
        "published": PUBLISHED,
        "rows": [
            row("nerv", "separate", 1, 1000, 0.5, 20.0),
            row("nerv", "separate", 2, 2000, 0.5, 21.5),
            row("nerv", "joint", 1, 1000, 0.5, 20.0),
            row("nerv", "joint", 2, 2100, 0.8, 21.0),
            row("dnerv", "separate", 1, 1100, 0.5, 30.0),
            row("dnerv", "separate", 2, 2200, 0.5, 30.5),
            row("dnerv", "joint", 1, 1100, 0.5, 30.0),
            row("dnerv", "joint", 2, 2150, 0.52, 31.5),
        ],
    }


def test_table(printed: Any) -> None:
    text = printed(Joint().tables(a_record()))
    rows = [line.split() for line in text.splitlines()]
    assert ["NeRV", "1", "1,000", "20.00", "1,000", "20.00", "+0.00"] in rows
    assert ["2", "2,000", "21.50", "2,100", "21.00", "-0.50"] in rows
    assert ["2", "2,200", "30.50", "2,150", "31.50", "+1.00"] in rows
    assert ["D-NeRV", "1", "10", "10"] in rows
    assert ["2", "19", "19"] in rows
    assert "More than 15% off the 0.5 bits per pixel asked for: NeRV joint 2 0.8000." in text
    assert "published: separate 31.27, joint 31.87 (+0.60) dB" in " ".join(text.split())


def test_records_without_times_have_no_table_of_them(printed: Any) -> None:
    record = a_record()
    rows = [{k: v for k, v in row.items() if k != "encoding_seconds"} for row in record["rows"]]
    assert "seconds of encoding" in printed(Joint().tables(record))
    assert "seconds of encoding" not in printed(Joint().tables(record | {"rows": rows}))


def test_only_one_kind_of_base_layer_shares_pictures() -> None:
    made = {name: kind.encoding(OPTIONS) for name, kind in ALL_KINDS.items()}
    assert [name for name, options in made.items() if not options.trains] == ["base", "every", "alone"]
    assert [name for name, options in made.items() if not options.references] == ["alone"]
    assert [name for name, options in made.items() if options.paper] == ["paper"]
    assert [name for name, options in made.items() if options.every == 1] == ["every"]
    assert {options.bits_per_pixel for options in made.values()} == {0.5}
    assert all(options.keeps_network for options in made.values() if options.trains)


def test_chart() -> None:
    (chart,) = Joint().charts(a_record())
    assert [(series.name, series.is_dashed, series.points) for series in chart.series] == [
        ("NeRV, one for each", True, [(1, 20.0), (2, 21.5)]),
        ("NeRV, one for all", False, [(1, 20.0), (2, 21.0)]),
        ("D-NeRV, one for each", True, [(1, 30.0), (2, 30.5)]),
        ("D-NeRV, one for all", False, [(1, 30.0), (2, 31.5)]),
    ]


def test_networks_of_one_video_can_be_given_as_many_steps(videos: Path, tmp_path: Path, printed: Any) -> None:
    options = replace(OPTIONS, counts=(2,), archives=("nerv",), separate_epochs=3)
    record = run_study(Joint(), [videos], tmp_path / "out", options)
    steps = [json.loads(path.read_text()) for path in (tmp_path / "out/steps").glob("*.json")]
    epochs = sorted((len(s["found"]["videos"]), s["depends_on"]["encoding"]["epochs"]) for s in steps)
    assert epochs == [(1, 3), (1, 3), (2, 1)]
    assert "1 epochs, 3 of separate networks" in printed(Joint().tables(record))


def test_more_videos_than_there_are(videos: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match="asks for 4 videos, and there are 3"):
        run_study(Joint(), [videos], tmp_path / "out", replace(OPTIONS, counts=(4,)))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("changes", [{"counts": ()}, {"counts": (0,)}, {"counts": (2, 2)}, {"epochs": 0}])
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any]) -> None:
    with pytest.raises(InputError, match="--"):
        replace(OPTIONS, **changes)
