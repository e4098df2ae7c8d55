"""`dnerv study layers` on tiny videos."""

from __future__ import annotations

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerv.archive import Archive
from dnerv.codecs import Planes, SvtAv1, decode_packets, mse, psnr
from dnerv.errors import InputError
from dnerv.evaluation import evaluate
from dnerv.studies.layers.scores import head_of, ms_ssim_in_decibels
from dnerv.studies.layers.study import MEASURES, Layers, LayersOptions, Way, _deltas_of, covering
from dnerv.video import VideoSource, cache_video, discover

OPTIONS = LayersOptions(crf=(45.0, 60.0), own_crf=(40.0, 55.0), access=("4", "all"), every=("chosen", "1"))


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, write_video: Callable[[Path, int, int], None]) -> Path:
    folder = tmp_path_factory.mktemp("layers") / "videos"
    for speed, (name, count) in enumerate((("one", 9), ("two", 12)), 1):
        write_video(folder / f"{name}.mp4", count, speed)
    return folder


def untimed(record: dict[str, Any]) -> dict[str, Any]:
    """What does not differ from one run to the next."""
    ways = {
        name: [{k: v for k, v in point.items() if k != "encoding_seconds"} for point in found["points"]]
        for name, found in record["ways"].items()
    }
    return {name: record[name] for name in ("content", "anchors", "deltas", "ratios")} | {"ways": ways}


@pytest.fixture(scope="module")
def done(videos: Path, made_twice: Any) -> tuple[Path, dict[str, Any]]:
    """Made once as it is, and once killed half-way and given again."""
    whole, resumed = made_twice(Layers(), [videos], videos.parent, OPTIONS)
    assert untimed(resumed) == untimed(whole)
    return videos.parent / "whole", whole


def test_points_are_those_of_the_archives(done: tuple[Path, dict[str, Any]], videos: Path) -> None:
    output, record = done
    assert json.loads((output / "results.json").read_text()) == record
    assert list(record["ways"]) == ["4", "4, every frame", "all", "all, every frame"]
    for name, way in record["ways"].items():
        assert [point["crf"] for point in way["points"]] == [40, 55]
        for point in way["points"]:
            path = output / "steps" / point["files"][0]["path"]
            again = evaluate(path, [videos])
            assert point["bytes"] == path.stat().st_size == again.file_bytes
            assert point["psnr"] == pytest.approx(again.psnr)
            assert point["worst_psnr"] == pytest.approx(again.worst_psnr)
            assert point["encoding_seconds"] > 0
            with Archive(path) as archive:
                entries = list(archive.entries)
                assert archive.config.network is None
                if "every" in name:
                    assert {entry.distance for entry in entries} == {1}
                if name == "4, every frame":
                    assert {entry.group_length for entry in entries} == {4}
            assert sum(point["videos_by_distance"].values()) == 2
            assert point["groups"] == sum(entry.num_groups for entry in entries)


def test_anchors_are_streams_of_each_video_alone(
    done: tuple[Path, dict[str, Any]], videos: Path, tmp_path: Path
) -> None:
    codecs = {
        "A": SvtAv1(preset=4, group=1000),
        "B": SvtAv1(preset=4, group=8),
        "C": SvtAv1(preset=12, group=2, planes=Planes(depth=8)),
    }
    for name, codec in codecs.items():
        points = done[1]["anchors"][name]["points"]
        assert [point["crf"] for point in points] == ([30] if name == "C" else [45, 60])
        sizes, mp4_sizes, means, worst = 0, 0, [], []
        for video in ("one", "two"):
            frames = [frame for _, frame in VideoSource(videos / f"{video}.mp4").frames()]
            coded = codec.keyframes(frames, points[0]["crf"])
            packets = [packet.data for packet in coded]
            cached = cache_video(discover([videos / f"{video}.mp4"])[0], tmp_path)
            path = tmp_path / f"{name}-{video}.mp4"
            path.write_bytes(head_of(cached, coded, codec.planes) + b"".join(packets))
            assert sum(1 for _ in VideoSource(path).frames()) == len(frames)
            mp4_sizes += path.stat().st_size
            made = decode_packets(packets, height=64, width=80, planes=codec.planes)
            values = [psnr(float(mse(*pair))) for pair in zip(frames, made, strict=True)]
            sizes, means, worst = sizes + sum(map(len, packets)), [*means, np.mean(values)], [*worst, min(values)]
        assert points[0]["bytes"] == sizes
        assert points[0]["mp4_bytes"] == mp4_sizes
        assert points[0]["psnr"] == pytest.approx(np.mean(means))
        assert points[0]["worst_psnr"] == pytest.approx(np.mean(worst))


def a_record() -> dict[str, Any]:
    """Made-up figures: an archive of half the bytes, one beside that lies elsewhere."""

    def point(crf: float, size: int, quality: float, **more: Any) -> dict[str, Any]:
        scores = {"psnr": quality, "worst_psnr": quality - 2, "ms_ssim": None, "vmaf": 3 * quality}
        return {"crf": crf, "bytes": size, "bits_per_pixel": size / 1e5, **scores, **more}

    def archive(crf: float, size: int, quality: float) -> dict[str, Any]:
        chosen = {"videos_by_distance": {"1": 1, "4": 2}, "videos_with_reference": 3, "encoding_seconds": 12.4}
        return point(crf, size, quality, references=2, reference_bytes=size // 10, **chosen)

    anchors = {
        "A": [point(40, 8000, 36.0, mp4_bytes=10_000), point(60, 2000, 30.0, mp4_bytes=2500)],
        "C": [point(30, 40_000, 33.0)],
    }
    ways = {"all": [archive(40, 4000, 36.0), archive(60, 1000, 30.0)], "8": [archive(40, 500, 20.0)]}
    content = {"videos": [{"name": "a", "frames": 9, "height": 64, "width": 80}] * 3, "frames": 27}
    study = Layers()
    measured = {"anchors": anchors, "ways": ways}
    found = study.rows(_FakeRun(), _FakeContent(), _Measured(**measured))  # type: ignore[arg-type]
    return {**found, "content": content, "options": OPTIONS.to_json()}


class _FakeContent:
    ms_ssim_in_words = "n/a"

    def to_json(self) -> dict[str, Any]:
        return {}


class _FakeRun:
    options = OPTIONS


class _Measured:
    def __init__(self, anchors: Any, ways: Any) -> None:
        self.anchors, self.ways = anchors, ways


def test_rates_and_ratios_against_the_anchors() -> None:
    record = a_record()
    rates = {row["way"]: row["psnr"] for row in record["deltas"]}
    assert [row["anchor"] for row in record["deltas"]] == ["A", "A"]
    assert rates["all"]["value"] == pytest.approx(-50)
    assert (rates["all"]["low"], rates["all"]["high"]) == (30, 36)
    assert rates["8"] == "a single point"
    assert record["deltas"][0]["in_mp4"]["value"] == pytest.approx(-60)
    assert record["deltas"][0]["ms_ssim"] == "a single point"
    assert record["deltas"][0]["vmaf"]["low"] == 90
    ratios = {row["way"]: row["ratio"] for row in record["ratios"]}
    assert ratios == {"all": pytest.approx(20), "8": None}  # 33 dB lie half-way between 1000 and 4000 bytes, in logs


def test_tables(printed: Any) -> None:
    text = printed(Layers().tables(a_record()))
    rows = [line.split() for line in text.splitlines()]
    assert ["all", "-50.0%", "-50.0%", "-50.0%", "30.00", "-", "36.00"] in rows
    assert "all frames, A's packets in MP4 files: access all: -60.0%, access 8: -" in text
    assert "MS-SSIM n/a" not in text  # a column that nobody has is left out
    assert ["all", "40", "12", "2", "10.0%", "3", "1/2"] in rows
    assert ["A", "40", "8,000", "0.0800", "36.00", "34.00", "108.0"] in rows
    assert "times fewer bytes than C at its 33.00 dB: access all: 20.0, access 8: -" in text


def test_charts() -> None:
    charts = Layers().charts(a_record())
    assert [[series.name for series in chart.series] for chart in charts] == [
        ["A: AV1", "C: AV1", "access all", "access 8"]
    ] * 2
    assert charts[1].series[2].points == [(0.01, 28.0), (0.04, 34.0)]


def test_qualities_cover_those_of_the_anchors() -> None:
    def at(crf: float) -> dict[str, Any]:
        return {"crf": crf, "psnr": 60 - crf / 2}

    def covered(span: tuple[float, float], first: float = 40) -> list[float]:
        return [point["crf"] for point in covering([first, first + 7, first + 14], span, at)]

    assert covered((30.0, 40.0)) == [40, 47, 54]
    assert covered((30.0, 43.0)) == [33, 40, 47, 54]
    assert covered((40.0, 45.0)) == [26, 33, 40]  # those below are not needed
    assert covered((50.0, 60.0)) == [19, 26, 33, 40]  # not for ever
    assert covered((52.0, 60.0), 10) == [3, 10, 17]  # the best there is


def test_ways_are_named_and_asked_for() -> None:
    assert Way(8, None, True).name == "8"
    assert Way(65_536, 1, False).name == "all, every frame, alone"
    assert Way(8, 2, True).name == "8, every 2 frames"
    encoding = OPTIONS.encoding_of(Way(8, 1, False), 50.0)
    assert (encoding.network, encoding.access, encoding.every, encoding.references) == ("none", 8, 1, False)
    assert (encoding.crf, encoding.effort) == (50.0, "default")


def test_ms_ssim_is_compared_in_decibels() -> None:
    assert ms_ssim_in_decibels(0.99) == pytest.approx(20)
    assert ms_ssim_in_decibels(1.0) == pytest.approx(90)


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"crf": (40.0,)}, "--crf is 40; give two or more"),
        ({"access": ("0",)}, "--access is '0'"),
        ({"access": ("most",)}, "--access is 'most'"),
        ({"every": ("3",)}, "--every is '3'"),
    ],
)
def test_options_that_make_no_sense_are_refused(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        replace(OPTIONS, **changes)


def test_a_prior_takes_part(videos: Path, tmp_path: Path, printed: Any) -> None:
    from dnerv.archive.priors import PLACES
    from dnerv.encoding.prior_options import PriorOptions
    from dnerv.encoding.prior_training import train_prior
    from dnerv.studies import run_study

    path = tmp_path / "a.prior"
    short = PriorOptions(codings=1, width=4, epochs=1, crop=(32, 32), batch_clips=1, held_out=(videos / "one.mp4",))
    prior = train_prior([videos / "two.mp4"], path, short)
    options = replace(OPTIONS, access=("all",), every=("1",), anchors=("A",), ms_ssim=False)
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv(PLACES, "")
        record = run_study(Layers(), [videos], tmp_path / "out", replace(options, prior=("none", f"{path}")))
    assert list(record["ways"]) == ["all, every frame", "all, every frame, prior a"]
    plain, better = (way["points"] for way in record["ways"].values())
    for without, point in zip(plain, better, strict=True):
        assert point["prior"] == prior.hash
        assert 0 < point["bytes"] - without["bytes"] < 250
    (over,) = record["over_base"]
    assert over["way"] == "all, every frame, prior a"
    assert set(over) == {"way", *MEASURES}
    assert "access, against no prior" in printed(Layers().tables(record))
    assert options.encoding_of(Way(8, None, True, f"{path}:30"), 45.0).budget_seconds == 30


def test_rates_over_another_curve() -> None:
    """A tenth more bytes for the same quality."""
    points = [{"bits_per_pixel": r, "psnr": q, "worst_psnr": q, "ms_ssim": None, "vmaf": None} for r, q in CURVE]
    more = [point | {"bits_per_pixel": 1.1 * point["bits_per_pixel"]} for point in points]
    found = _deltas_of(points, more)
    assert found["psnr"]["value"] == pytest.approx(10)
    assert found["vmaf"] == "a single point"


CURVE = ((0.02, 29.0), (0.03, 31.0), (0.05, 33.0), (0.08, 34.0))


@pytest.mark.parametrize("word", ["", "a:", "a:b", "a:1:2"])
def test_what_is_no_prior(word: str) -> None:
    with pytest.raises(InputError, match="--prior"):
        LayersOptions(prior=(word,))
