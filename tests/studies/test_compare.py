"""`dnerv compare` on two tiny clips: points, resuming, deltas, what is left out and what is published."""

from __future__ import annotations

import json
import threading
from dataclasses import asdict, replace
from fractions import Fraction
from pathlib import Path
from shutil import copytree
from typing import Any

import numpy as np
import pytest

from dnerv import progress
from dnerv.archive import Archive
from dnerv.codecs import CODECS
from dnerv.errors import InputError
from dnerv.evaluation import evaluate, perceptual
from dnerv.evaluation.published import published_results
from dnerv.studies import run_study
from dnerv.studies.charts import difference
from dnerv.studies.compare.deltas import NO_OVERLAP, NOT_RISING, deltas
from dnerv.studies.compare.study import Compare, CompareOptions, _participants, _usual_participants
from dnerv.studies.compare.sweep import Grid, sweep
from dnerv.studies.record import findings
from dnerv.video import Timing, write_mp4
from dnerv.video.cache import open_cached

OPTIONS = CompareOptions(rates=(0.3, 0.6), epochs=1, codecs=("dnerv", "nerv", "x265"), preset="ultrafast")
X264 = replace(OPTIONS, codecs=("x264",), anchor="x264")


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
def done(videos: Path, measured_here: None) -> tuple[Path, dict[str, Any]]:
    """A whole comparison, made once."""
    output = videos.parent / "out"
    return output, run_study(Compare(), [videos], output, OPTIONS)


class TestComparison:
    def test_every_point_is_measured_on_files(self, done: tuple[Path, dict[str, Any]]) -> None:
        output, record = done
        pixels = 15 * 64 * 80
        assert record["content"]["pixels"] == pixels
        assert [len(found["points"]) for found in record["codecs"].values()][:2] == [2, 2]
        assert len(record["codecs"]["x265"]["points"]) >= 4
        for found in record["codecs"].values():
            for point in found["points"]:
                sizes = [(output / "steps" / file["path"]).stat().st_size for file in point["files"]]
                assert point["bytes"] == sum(sizes)
                assert point["bits_per_pixel"] == 8 * sum(sizes) / pixels
                assert point["psnr_of_mean_mse"] <= point["psnr"]
                assert point["ms_ssim"] is None
                assert [video["name"] for video in point["videos"]] == ["one", "two"]
        assert json.loads((output / "results.json").read_text()) == record

    def test_archives_measure_as_evaluate_does(self, done: tuple[Path, dict[str, Any]], videos: Path) -> None:
        output, record = done
        for codec in ("dnerv", "nerv"):
            for point in record["codecs"][codec]["points"]:
                again = evaluate(output / "steps" / point["files"][0]["path"], [videos])
                assert (point["psnr"], point["bits_per_pixel"]) == (again.psnr, again.bits_per_pixel)

    def test_views_are_what_the_files_hold(self, done: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
        output, record = done
        clip = next(Compare().views(record, output, frames=4, rate=None))
        networks, codecs = ["D-NeRV", "NeRV"], ["H.264", "D-NeRV", "NeRV"]
        labels = [view.label for view in clip.views]
        assert labels[:7] == ["Original", *codecs, *(f"Difference, {title}" for title in codecs)]
        assert (clip.name, clip.frames, clip.total, clip.left, clip.right) == ("one", range(2, 6), 9, 1, 2)
        original = open_cached("one", output / "frames").store.read(range(2, 6))
        assert np.array_equal(clip.views[0].pictures, original)
        for title, name in zip(networks, ("dnerv", "nerv"), strict=True):
            point = record["codecs"][name]["points"][0]  # of the middle rate
            with Archive(output / "steps" / point["files"][0]["path"], size="coded") as archive:
                decoded = archive["one"][2:6].permute(0, 2, 3, 1).numpy()
            view = clip.views[labels.index(title)]
            assert np.array_equal(view.pictures, decoded)
            errors = np.square(original - decoded.astype(float)).mean((1, 2, 3))
            assert list(view.figures) == [f"{10 * np.log10(255**2 / error):.2f} dB" for error in errors]
            assert f"{point['bytes']:,} bytes for all videos" in view.note
            gap = clip.views[labels.index(f"Difference, {title}")].pictures[0]
            assert np.array_equal(gap, difference(original[0], decoded[0]))
        target = record["codecs"]["dnerv"]["points"][0]["bytes"]
        size = int(clip.views[1].note.partition(" bytes")[0].replace(",", ""))
        assert 0.8 < size / target <= 1.01  # short streams have coarse steps

    def test_views_that_are_not_there(self, done: tuple[Path, dict[str, Any]], tmp_path: Path) -> None:
        output, record = done
        with pytest.raises(InputError, match=r"--rate is 0.1; .* has 0.3, 0.6"):
            next(Compare().views(record, output, frames=4, rate=0.1))
        with pytest.raises(InputError, match="has no frames of"):
            next(Compare().views(record, tmp_path, frames=4, rate=None))
        copytree(output / "frames", tmp_path / "frames")
        store = next((tmp_path / "frames").glob("*.rgb"))
        store.write_bytes(bytes(store.stat().st_size))
        with pytest.raises(InputError, match="other frames"):
            next(Compare().views(record, tmp_path, frames=4, rate=None))
        alone = record | {"codecs": {"x265": record["codecs"]["x265"]}}
        assert list(Compare().views(alone, output, frames=4, rate=None)) == []

    def test_settings_cover_the_rates(self, done: tuple[Path, dict[str, Any]]) -> None:
        points = done[1]["codecs"]["x265"]["points"]
        rates = [point["bits_per_pixel"] for point in points]
        assert min(rates) <= 0.3 or points[-1]["quality_setting"] == 51
        assert max(rates) >= 0.6

    def test_a_lost_point_alone_is_made_again(
        self, done: tuple[Path, dict[str, Any]], videos: Path, stages: Any
    ) -> None:
        output, record = done
        stream = output / "steps" / record["codecs"]["x265"]["points"][1]["files"][0]["path"]
        whole = stream.read_bytes()
        stream.write_bytes(whole[:-1])
        next((output / "steps").glob("dnerv-0.3-bpp-*.json")).unlink()
        with stages() as titles:
            again = run_study(Compare(), [videos], output, OPTIONS)
        assert findings(again) == findings(record)
        assert stream.read_bytes() == whole
        crf = record["codecs"]["x265"]["points"][1]["quality_setting"]
        # The archive was there, and was only measured.
        assert titles == ["reading videos", "decoding the archive in a fresh process", f"x265 at {crf}"]

    def test_another_preset_makes_other_points(self, done: tuple[Path, dict[str, Any]], videos: Path) -> None:
        output, record = done
        options = replace(OPTIONS, codecs=("x265",), preset="fast")
        other = run_study(Compare(), [videos], output, options)["codecs"]["x265"]["points"]
        assert not {p["files"][0]["path"] for p in other} & {
            p["files"][0]["path"] for p in record["codecs"]["x265"]["points"]
        }


def test_killed_half_way_and_given_again(videos: Path, tmp_path: Path, made_twice: Any) -> None:
    options = replace(OPTIONS, codecs=("nerv", "x265"))  # x264 is not the same to the byte
    whole, resumed = made_twice(Compare(), [videos], tmp_path, options)
    assert findings(resumed) | {"output": ""} == findings(whole) | {"output": ""}


@pytest.mark.parametrize("name", ["svtav1", "x264"])
def test_an_interruption_ends_the_encoders(videos: Path, tmp_path: Path, name: str) -> None:
    class Impatient(progress.Listener):
        def advance(self, units: int = 1) -> None:
            if any(thread.name.startswith("ThreadPool") for thread in threading.enumerate()):
                raise KeyboardInterrupt

    options = replace(OPTIONS, codecs=(name,), anchor=name)
    with pytest.raises(KeyboardInterrupt), progress.listening(Impatient()):
        run_study(Compare(), [videos], tmp_path / "out", options)
    assert not any(thread.name.startswith("ThreadPool") for thread in threading.enumerate())


class TestLeftOut:
    def test_a_codec_that_is_not_there_is_named(
        self, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: Any
    ) -> None:
        monkeypatch.setattr(type(CODECS["vvc"]), "missing", lambda self: "no libvvenc")
        record = run_study(Compare(), [videos], tmp_path / "out", replace(X264, codecs=("x264", "vvc")))
        assert record["left_out"] == {"vvc": "no libvvenc"}
        assert set(record["codecs"]) == {"x264"}
        assert "VVC is left out: no libvvenc." in printed(Compare().tables(record))

    def test_the_anchor_has_to_be_there(self, videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setattr(type(CODECS["x265"]), "missing", lambda self: "gone")
        with pytest.raises(InputError, match=r"--anchor x265 .*gone"):
            run_study(Compare(), [videos], tmp_path / "out", OPTIONS)
        assert not (tmp_path / "out").exists()

    def test_all_take_part_where_nobody_is_named(self) -> None:
        usual = {"dnerv", "nerv", "x264", "x265", "svtav1", "aom", "vvc"}
        assert set(_usual_participants()) == usual == set(_participants()) - {"prior"}
        assert CompareOptions().codecs is None


@pytest.mark.parametrize(
    ("changes", "words"),
    [
        ({"rates": (0.1,)}, "--rates"),
        ({"rates": (0.1, 0.1)}, "--rates"),
        ({"rates": (0.1, -0.2)}, "--rates"),
        ({"codecs": ("x265", "h263")}, "h263"),
        ({"codecs": ("x264",)}, "--anchor"),
        ({"preset": "placebo"}, "--preset"),
        ({"published": "davis"}, "--published"),
        ({"budget_seconds": 1.0}, "--epochs and --budget"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any], words: str) -> None:
    with pytest.raises(InputError, match=words):
        replace(OPTIONS, **changes)


def a_record(**changes: Any) -> dict[str, Any]:
    """Made-up points of two networks and an anchor, in their order."""

    def point(setting: str, bpp: float, psnr: float, **more: Any) -> dict[str, Any]:
        plain = {"setting": setting, "bytes": round(bpp * 1e5), "bits_per_pixel": bpp, "psnr": psnr, "ms_ssim": 0.9}
        return plain | {"psnr_of_mean_mse": psnr - 1} | more

    points = {
        "dnerv": [point("0.1 bpp", 0.1, 34, rate=0.1), point("0.05 bpp", 0.06, 32, rate=0.05)],
        "x265": [point(f"crf {20 + i}", 0.16 / 2**i, 36.0 - 2 * i) for i in range(4)],
    }
    return {
        "content": {"videos": [{"height": 64, "width": 80}], "frames": 15},
        "options": OPTIONS.to_json(),
        "measures": {"psnr": "RGB", "ms_ssim": "five scales"},
        "codecs": {name: {"points": found} for name, found in points.items()},
        "left_out": {},
        "deltas": deltas(points, "x265"),
        "published": None,
    } | changes


class TestShown:
    def test_tables(self, printed: Any) -> None:
        text = printed(Compare().tables(a_record()))
        rows = [line.split() for line in text.splitlines()]
        assert ["0.1", "bpp", "10,000", "0.1000", "34.00", "33.00", "0.9000"] in rows
        assert ["D-NeRV", "0.05", "bpp", "6,000", "0.0600", "32.00", "31.00", "0.9000"] in rows
        # The curve of x265 has 34 dB at 0.08 and 32 dB at 0.04 bits per pixel: a quarter and a half more bits.
        (delta,) = [row for row in rows if row[:1] == ["D-NeRV"] and row[1].endswith("%")]
        assert delta[1:5] == ["+36.9%", "32.00", "-", "34.00"]
        assert "More than 15% off the bits per pixel asked for: D-NeRV 0.05 bpp 0.0600." in text
        assert "Fewer than 4 points, so their deltas are rough: D-NeRV." in text

    def test_charts(self) -> None:
        psnr, ms_ssim = Compare().charts(a_record())
        assert [(series.name, series.points[0], series.points[-1]) for series in psnr.series] == [
            ("D-NeRV", (0.06, 32), (0.1, 34)),
            ("x265", (0.02, 30), (0.16, 36)),
        ]
        assert ms_ssim.series[0].points == [(0.06, 0.9), (0.1, 0.9)]
        without = a_record()
        without["codecs"]["dnerv"]["points"][0]["ms_ssim"] = None
        assert [chart.title for chart in Compare().charts(without)] == ["PSNR by rate"]

    def test_published_points_are_the_users_word(self, printed: Any) -> None:
        published = json.loads(json.dumps(asdict(published_results("ucf101"))))
        record = a_record(published=published)
        text = " ".join(printed(Compare().tables(record)).split())
        assert "published, not measured here" in text
        assert "28.15" in text
        assert "the user's word" in text
        names = [series.name for series in Compare().charts(record)[0].series]
        assert len(names) == 2 + len(published["curves"])
        assert "published" not in printed(Compare().tables(a_record()))


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


def test_nerv_fills_the_rate_whatever_the_time(videos: Path, tmp_path: Path, measured_here: None) -> None:
    options = replace(OPTIONS, codecs=("nerv",), anchor="nerv", rates=(1.0, 2.0), epochs=None, budget_seconds=1e-3)
    points = run_study(Compare(), [videos], tmp_path / "out", options)["codecs"]["nerv"]["points"]
    assert [point["bits_per_pixel"] for point in points] == pytest.approx([1.0, 2.0], rel=0.15)


def test_vmaf_when_asked_for(videos: Path, tmp_path: Path, printed: Any) -> None:
    record = run_study(Compare(), [videos], tmp_path / "out", replace(X264, vmaf=True))
    scores = [point["vmaf"] for point in record["codecs"]["x264"]["points"]]
    assert all(0 <= score <= 100 for score in scores)
    assert scores[0] > scores[-1]
    assert f" {scores[0]:.1f}" in printed(Compare().tables(record))


def test_a_measure_on_demand_is_the_mean_over_videos(
    videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, printed: Any
) -> None:
    monkeypatch.setattr(perceptual, "check_perceptual", lambda: None)
    monkeypatch.setattr(perceptual, "perceptual_distance", lambda frames, decoded: 0.01 * len(list(decoded)))
    record = run_study(Compare(), [videos], tmp_path / "out", replace(X264, perceptual=True))
    points = record["codecs"]["x264"]["points"]
    assert [point["perceptual"] for point in points] == pytest.approx([0.075] * len(points))  # 9 frames, 6 frames
    text = printed(Compare().tables(record))
    assert "ST-LPIPS" in text
    assert "0.0750" in text
