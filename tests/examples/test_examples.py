"""The short examples on tiny videos; their figures are those of the files that they leave."""

from __future__ import annotations

import shutil
from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import encode_and_read
import numpy as np
import own_codec
import own_family
import own_study
import pytest
import train_a_classifier

from dnerv import EncodeOptions, encode
from dnerv.codecs import CODECS
from dnerv.families import FAMILIES
from dnerv.studies import run_study
from dnerv.studies.compare.study import CompareOptions
from dnerv.video import Timing, write_mp4

EXAMPLES = Path(__file__).parents[2] / "examples"
TINY = EncodeOptions(width=2, every=4, crf=30, network="always", epochs=1, precision="fp32")


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two classes of two videos: squares that walk to the right, dark, and to the left, bright."""
    folder = tmp_path_factory.mktemp("videos")
    for label, shade in (("left", 200), ("right", 40)):
        (folder / label).mkdir()
        for one in range(2):
            frames = np.full((9, 48, 64, 3), shade, np.uint8)
            for i, frame in enumerate(frames):
                x = 4 + 5 * i if label == "right" else 44 - 5 * i
                frame[10 + 8 * one :, x:][:16, :16] = 120
            write_mp4(folder / label / f"{one}.mp4", iter(frames), Timing.constant(Fraction(25), 9), crf=8)
    return folder


@pytest.fixture(scope="module")
def archive(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "clips.dnerv"
    encode([videos], path, TINY)
    return path


@pytest.mark.parametrize("name", sorted(path.name for path in EXAMPLES.glob("*.py")))
def test_each_says_how_it_is_run(name: str) -> None:
    assert f"python examples/{name}" in (EXAMPLES / name).read_text().split('"""')[1]


def test_encode_and_read(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "clips.dnerv"
    encode_and_read.main(videos / "left", path, TINY)
    printed = capsys.readouterr().out
    assert f"{path.stat().st_size:,} bytes" in printed
    assert printed.count("slow motion begins with 9 frames for the first 3") == 2
    # Nine frames at 25 a second: 0.18 s is half of the time, and frame 4 begins at 0.16 s.
    assert "on show at 0.180 s: the frame of 0.160 s" in printed


def test_a_classifier_learns_from_an_archive(archive: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert train_a_classifier.main(archive, epochs=12, batch_size=2) == 1.0
    assert "4 of 4 clips are recognised" in capsys.readouterr().out


class TestACodec:
    @pytest.fixture
    def codec(self, monkeypatch: pytest.MonkeyPatch) -> own_codec.Vp9:
        codec = own_codec.Vp9()
        monkeypatch.setitem(CODECS, codec.name, codec)  # type: ignore[arg-type]
        return codec

    def test_any_size_comes_back_from_packets_and_from_a_file(self, codec: own_codec.Vp9, tmp_path: Path) -> None:
        assert codec.missing() is None
        for count, height, width in ((1, 1, 1), (3, 17, 33), (12, 48, 64)):
            frames = [np.full((height, width, 3), 20 * i, np.uint8) for i in range(count)]
            stream = codec.encode(frames, fps=25, crf=20, effort="ultrafast")
            stream.write(tmp_path / "a.vp9")
            assert codec.counted_bytes(tmp_path / "a.vp9") == stream.size
            again = list(codec.decode_file(tmp_path / "a.vp9", height, width))
            assert np.array_equal(again, list(stream.frames()))
            assert [round(float(one.mean()) / 20) for one in again] == list(range(count))

    def test_bytes_are_those_asked_for(self, tmp_path: Path) -> None:
        noise = np.random.default_rng(0).integers(0, 256, (9, 64, 80, 3), np.uint8)
        write_mp4(tmp_path / "a.mp4", iter(noise), Timing.constant(Fraction(25), 9), crf=20)
        found = own_codec.main(tmp_path / "a.mp4", 9000, "ultrafast")
        assert list(found) == ["x265", "VP9"]
        for size, quality in found.values():
            assert 9000 / 1.1 < size < 9000 * 1.1
            assert 8 < quality < 30

    def test_studies_have_it_too(self, codec: own_codec.Vp9, videos: Path, tmp_path: Path) -> None:
        options = CompareOptions(codecs=("x264", "vp9"), anchor="x264", preset="ultrafast", rates=(0.1, 0.3))
        record = run_study("compare", [videos], tmp_path / "out", options)
        assert {point["codec"] for point in record["codecs"]["vp9"]["points"]} == {"vp9"}
        assert record["codecs"]["vp9"]["library"].startswith("libvpx-vp9")
        assert (tmp_path / "out" / "charts.png").exists()


@pytest.fixture
def no_family() -> Iterator[None]:
    yield
    FAMILIES.pop("blend", None)


@pytest.mark.usefixtures("no_family")
def test_a_family(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    own_family.main(videos, tmp_path / "blend.dnerv", epochs=1)
    # 8 + 8 weights to enter, 3 * 8 + 3 to leave
    assert f"{(tmp_path / 'blend.dnerv').stat().st_size:,} bytes" in (printed := capsys.readouterr().out)
    assert "43 weights" in printed


@pytest.mark.usefixtures("warm_processes")
def test_a_study_goes_on_where_it_was(videos: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    options = own_study.SizesOptions(epochs=0, bits_per_pixel=0.2)
    record = own_study.main(videos / "left" / "0.mp4", tmp_path / "out", options)
    made = {path.stat().st_size for path in (tmp_path / "out" / "steps").glob("*.dnerv")}
    assert {row["bytes"] for row in record["rows"]} == made
    shutil.rmtree(tmp_path / "out" / "frames")
    assert own_study.main(videos / "left" / "0.mp4", tmp_path / "out", options) == record
    assert f"{record['rows'][0]['bytes']:,}" in capsys.readouterr().out
