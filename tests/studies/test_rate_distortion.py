"""`dnerv compare` on two tiny clips: points, resuming, deltas, what is left out and what is published."""

from __future__ import annotations

import json
import os
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.console import Console

from dnerv.archive import Archive
from dnerv.encoding import EncodeListener
from dnerv.errors import ArchiveError, DnervError, InputError, OutputError
from dnerv.evaluation import evaluate, perceptual
from dnerv.studies import archive_points
from dnerv.studies.fresh import in_fresh_process
from dnerv.studies.rate_distortion import CompareOptions, compare, conventional, tables
from dnerv.studies.rate_distortion.deltas import NO_OVERLAP, NOT_RISING, deltas
from dnerv.studies.rate_distortion.sweep import Grid, sweep
from dnerv.video import Timing, write_mp4

OPTIONS = CompareOptions(rates=(0.3, 0.6), epochs=1, codecs=("dnerv", "nerv", "x264", "x265"), preset="ultrafast")


class Listener(EncodeListener):
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.notes: list[str] = []

    def stage(self, title: str, total: int | None = None) -> None:
        self.stages.append(title)

    def note(self, text: str) -> None:
        self.notes.append(text)

    warning = note


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("compare") / "videos"
    folder.mkdir()
    rows, columns = np.mgrid[:64, :80]
    for name, count, speed in (("one", 9, 3), ("two", 6, 5)):
        shades = [(rows * 3, columns * 2, (rows + columns + 9 * i) % 256) for i in range(count)]
        noise = np.random.default_rng(count).normal(0, 6, (count, 64, 80, 3))  # or there would be nothing to code
        frames = np.stack([np.stack(shade, axis=-1) for shade in shades]) % 256 + noise
        frames = frames.clip(0, 255).astype(np.uint8)
        for i, frame in enumerate(frames):
            frame[16:32, 4 + speed * i : 20 + speed * i] = 230
        write_mp4(folder / f"{name}.mp4", iter(frames), Timing.constant(Fraction(25), count), crf=4)
    return folder


@pytest.fixture(scope="module")
def done(videos: Path) -> tuple[Path, dict[str, Any]]:
    """A whole comparison, made once."""
    output = videos.parent / "out"
    return output, compare([videos], output, OPTIONS)


def shown(record: dict[str, Any]) -> str:
    console = Console(width=80, record=True, file=open(os.devnull, "w"))  # noqa: SIM115, PTH123
    with console.file:
        for part in tables(record):
            console.print(part)
        return console.export_text()


class TestComparison:
    def test_every_point_is_measured_on_files(self, done: tuple[Path, dict[str, Any]], videos: Path) -> None:
        output, record = done
        pixels = 15 * 64 * 80
        assert record["content"]["pixels"] == pixels
        for codec, found in record["codecs"].items():
            assert len(found["points"]) == (2 if codec in ("dnerv", "nerv") else max(4, len(found["points"])))
            for point in found["points"]:
                sizes = [(output / "points" / file["path"]).stat().st_size for file in point["files"]]
                assert point["bytes"] == sum(sizes)
                assert point["bits_per_pixel"] == 8 * sum(sizes) / pixels
                assert point["psnr_of_mean_mse"] <= point["psnr"]
                assert point["ms_ssim"] is None
                assert [video["name"] for video in point["videos"]] == ["one", "two"]
        assert json.loads((output / "results.json").read_text()) == record
        assert (output / "curves.png").read_bytes().startswith(b"\x89PNG")
        assert not list(output.rglob("*.work"))

    def test_archives_measure_as_evaluate_does(self, done: tuple[Path, dict[str, Any]], videos: Path) -> None:
        output, record = done
        for codec in ("dnerv", "nerv"):
            for point in record["codecs"][codec]["points"]:
                again = evaluate(output / "points" / point["files"][0]["path"], [videos])
                assert (point["psnr"], point["bits_per_pixel"]) == (again.psnr, again.bits_per_pixel)

    def test_settings_cover_the_rates(self, done: tuple[Path, dict[str, Any]]) -> None:
        for codec in ("x264", "x265"):
            rates = [point["bits_per_pixel"] for point in done[1]["codecs"][codec]["points"]]
            assert min(rates) <= 0.3 or done[1]["codecs"][codec]["points"][-1]["quality_setting"] == 51
            assert max(rates) >= 0.6

    def test_nothing_is_made_twice(self, done: tuple[Path, dict[str, Any]], videos: Path) -> None:
        output, record = done
        listener = Listener()
        assert compare([videos], output, OPTIONS, listener) == record
        assert listener.stages == ["reading videos"]

    def test_other_options_make_other_points(self, done: tuple[Path, dict[str, Any]], videos: Path) -> None:
        output, _ = done
        listener = Listener()
        compare([videos], output, replace(OPTIONS, codecs=("x264",), anchor="x264", preset="fast"), listener)
        assert len(listener.stages) > 4

    def test_tables_fit_eighty_columns(self, done: tuple[Path, dict[str, Any]]) -> None:
        text = shown(done[1])
        assert all(len(line.rstrip()) <= 80 for line in text.splitlines())
        for word in ("dnerv", "NeRV", "x264", "x265", "BD-rate", "n/a"):
            assert word in text


class TestResuming:
    def test_a_lost_point_alone_is_made_again(
        self, done: tuple[Path, dict[str, Any]], videos: Path, tmp_path: Path
    ) -> None:
        output, record = done
        victim = record["codecs"]["x264"]["points"][0]
        point = Path(victim["files"][0]["path"]).parts[0]
        (output / "points" / f"{point}.json").write_text("{")
        listener = Listener()
        assert compare([videos], output, OPTIONS, listener) == record
        assert len(listener.stages) == 2

    def test_a_point_with_a_cut_file_is_made_again(self, done: tuple[Path, dict[str, Any]], videos: Path) -> None:
        output, record = done
        stream = output / "points" / record["codecs"]["x265"]["points"][1]["files"][0]["path"]
        whole = stream.read_bytes()
        stream.write_bytes(whole[:-1])
        assert compare([videos], output, OPTIONS) == record
        assert stream.read_bytes() == whole

    def test_a_finished_archive_is_only_measured(self, done: tuple[Path, dict[str, Any]], videos: Path) -> None:
        output, record = done
        next((output / "points").glob("dnerv-0.3bpp-*.json")).unlink()
        listener = Listener()
        assert compare([videos], output, OPTIONS, listener) == record
        assert "training" not in listener.stages
        assert "decoding the archive in a fresh process" in listener.stages

    @pytest.mark.parametrize("moment", ["training", "x264 at 34"])
    def test_an_interruption_loses_the_point_at_work_alone(self, videos: Path, tmp_path: Path, moment: str) -> None:
        class Impatient(Listener):
            def stage(self, title: str, total: int | None = None) -> None:
                if title == moment:
                    raise KeyboardInterrupt
                super().stage(title, total)

        options = replace(OPTIONS, codecs=("x265", "x264", "nerv"))
        with pytest.raises(KeyboardInterrupt):
            compare([videos], tmp_path / "out", options, Impatient())
        listener = Listener()
        record = compare([videos], tmp_path / "out", options, listener)
        assert not [stage for stage in listener.stages if stage.startswith("x265")]
        assert set(record["codecs"]) == {"x265", "x264", "nerv"}
        assert not list(tmp_path.rglob("*.work"))


class TestLeftOut:
    def test_a_codec_that_is_not_there_is_named(
        self, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        reasons = {"vvc": "no libvvenc", "x264": None, "x265": None}
        monkeypatch.setattr(conventional, "missing", reasons.__getitem__)
        listener = Listener()
        options = replace(OPTIONS, codecs=("x265", "vvc"))
        record = compare([videos], tmp_path / "out", options, listener)
        assert record["left_out"] == {"vvc": "no libvvenc"}
        assert listener.notes == ["vvc is left out: no libvvenc"]
        assert "VVC is left out: no libvvenc." in shown(record)

    def test_the_anchor_has_to_be_there(self, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(conventional, "missing", lambda codec: "gone")
        with pytest.raises(InputError, match=r"--anchor x265 .*gone"):
            compare([videos], tmp_path / "out", OPTIONS)
        assert not (tmp_path / "out").exists()

    def test_a_folder_of_another_study(self, videos: Path, tmp_path: Path) -> None:
        (tmp_path / "results.json").write_text('{"study": "ablation"}')
        with pytest.raises(InputError, match="holds the study 'ablation'"):
            compare([videos], tmp_path, OPTIONS)
        assert (tmp_path / "results.json").read_text() == '{"study": "ablation"}'

    def test_a_folder_that_is_a_file(self, videos: Path, tmp_path: Path) -> None:
        (tmp_path / "out").write_text("")
        with pytest.raises(OutputError):
            compare([videos], tmp_path / "out", OPTIONS)


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rates": (0.1,)}, "--rates"),
        ({"rates": (0.1, 0.1)}, "--rates"),
        ({"rates": (0.1, -0.2)}, "--bpp"),
        ({"codecs": ("x265", "h263")}, "h263"),
        ({"codecs": ("x264",)}, "--anchor"),
        ({"preset": "placebo"}, "--preset"),
        ({"published": "davis"}, "--published"),
        ({"budget_seconds": 1.0}, "--epochs and --budget"),
        ({"measures": ("beauty",)}, "beauty"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(OPTIONS, **changes)


class TestPublished:
    def test_points_are_shown_only_when_the_user_says_so(
        self, done: tuple[Path, dict[str, Any]], videos: Path, tmp_path: Path
    ) -> None:
        output, plain = done
        assert plain["published"] is None
        assert "published" not in shown(plain)
        record = compare([videos], output, replace(OPTIONS, published="ucf101"))
        text = shown(record)
        assert "published, not measured here" in text
        assert "28.15" in text
        assert "the user's word" in " ".join(text.split())
        assert record["codecs"] == plain["codecs"]


class TestSweep:
    @staticmethod
    def rate(setting: int) -> float:
        return float(2 ** (-setting / 6))

    def test_covers_the_rates_from_either_side(self) -> None:
        for start in (5, 30, 48):
            found = sweep(Grid(1, 51, start, 4), 0.02, 0.1, self.rate)
            assert self.rate(found[0]) >= 0.1 >= self.rate(found[1])
            assert self.rate(found[-1]) <= 0.02 <= self.rate(found[-2])

    def test_narrow_ranges_get_four_points(self) -> None:
        found = sweep(Grid(1, 51, 25, 4), 0.05, 0.051, self.rate)
        assert len(found) == 4
        assert found == sorted(set(found))

    def test_ends_where_the_codec_ends(self) -> None:
        assert sweep(Grid(1, 3, 2, 4), 1e-9, 2.0, self.rate) == [1, 2, 3]

    def test_ends_where_bytes_no_longer_fall(self) -> None:
        found = sweep(Grid(1, 63, 20, 4), 0.02, 0.05, lambda setting: max(self.rate(setting), 0.03))
        assert max(found) < 40
        assert len(found) >= 4


class TestDeltas:
    @staticmethod
    def points(*pairs: tuple[float, float]) -> list[dict[str, float]]:
        return [{"bits_per_pixel": rate, "psnr": psnr} for rate, psnr in pairs]

    def test_no_number_where_there_is_none(self) -> None:
        base = self.points((0.02, 30), (0.1, 35))
        far, falling, alone = self.points((0.2, 36), (0.4, 38)), self.points((0.03, 33), (0.08, 31)), base[:1]
        rows = {r["codec"]: r for r in deltas({"x265": base, "far": far, "falling": falling, "alone": alone}, "x265")}
        assert set(rows) == {"far", "falling", "alone"}
        assert (rows["far"]["rate"], rows["far"]["rate_note"]) == (None, NO_OVERLAP)
        assert (rows["far"]["psnr"], rows["far"]["psnr_note"]) == (None, NO_OVERLAP)
        assert (rows["falling"]["rate"], rows["falling"]["rate_note"]) == (None, NOT_RISING)
        assert rows["falling"]["psnr"]["low"] == pytest.approx(0.03)
        assert rows["alone"]["rate_note"] == rows["alone"]["psnr_note"] == "a single point"


class TestFreshProcess:
    def test_the_answer_and_every_advance_come_back(self) -> None:
        calls: list[int] = []
        assert in_fresh_process(lambda: calls.append(1), _count, 3) != os.getpid()
        assert len(calls) == 3

    def test_a_damaged_archive_is_its_own_error(self, tmp_path: Path) -> None:
        (tmp_path / "a.dnerv").write_bytes(b"nothing")
        with pytest.raises(ArchiveError):
            in_fresh_process(lambda: None, archive_points.measure, tmp_path / "a.dnerv", (), "cpu", ())

    def test_a_process_that_dies_is_told(self) -> None:
        with pytest.raises(DnervError, match="code 3"):
            in_fresh_process(lambda: None, _die)


def _count(advance: Callable[[], None], times: int) -> int:
    for _ in range(times):
        advance()
    return os.getpid()


def _die(advance: object) -> None:
    os._exit(3)


def test_nerv_fills_the_rate_whatever_the_time(videos: Path, tmp_path: Path) -> None:
    options = replace(OPTIONS, codecs=("nerv", "x265"), rates=(1.0, 2.0), epochs=None, budget_seconds=1e-3)
    points = compare([videos], tmp_path / "out", options)["codecs"]["nerv"]["points"]
    assert [point["bits_per_pixel"] for point in points] == pytest.approx([1.0, 2.0], rel=0.15)


def test_vmaf_when_asked_for(videos: Path, tmp_path: Path) -> None:
    options = replace(OPTIONS, codecs=("x264", "aom"), anchor="x264", measures=("vmaf",))
    record = compare([videos], tmp_path / "out", options)
    scores = [point["vmaf"] for point in record["codecs"]["x264"]["points"]]
    assert all(0 <= score <= 100 for score in scores)
    assert scores[0] > scores[-1]
    assert "VMAF" in shown(record)


def test_a_measure_on_demand_is_the_mean_over_videos(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(perceptual, "check_perceptual", lambda: None)
    monkeypatch.setattr(perceptual, "perceptual_distance", lambda frames, decoded: 0.01 * len(list(decoded)))
    options = replace(OPTIONS, codecs=("x264",), anchor="x264", measures=("perceptual",))
    record = compare([videos], tmp_path / "out", options)
    assert [point["perceptual"] for point in record["codecs"]["x264"]["points"]] == pytest.approx([0.075] * 4)  # 9, 6
    assert "ST-LPIPS" in shown(record)
    assert "0.0750" in shown(record)


def test_archives_of_a_comparison_open(done: tuple[Path, dict[str, Any]]) -> None:
    output, record = done
    path = output / "points" / record["codecs"]["dnerv"]["points"][0]["files"][0]["path"]
    with Archive(path) as archive:
        assert archive.names == ["one", "two"]
