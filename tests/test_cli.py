"""The command line as users meet it: what it prints, how it ends, and what it leaves behind."""

from __future__ import annotations

import json
import os
import shutil
import signal
import struct
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import av
import numpy as np
import pytest

from dnerv import cli
from dnerv.archive import Archive

FAST = ["--every", "4", "--crf", "40", "--effort", "fast"]
TRAINED = [*FAST, "--network", "always", "--width", "2", "--precision", "fp32"]
QUICK = ["--precisions", "fp32", "--batch-sizes", "2", "--seconds", "0", "--repeats", "1", "--clips", "2"]
QUICK += ["--against", "png"]


@dataclass(frozen=True)
class Outcome:
    code: int
    out: str
    err: str

    @property
    def json(self) -> Any:
        return json.loads(self.out)


@pytest.fixture
def dnerv(monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]) -> Callable[..., Outcome]:
    """Run one command in this process."""

    def run(*words: object) -> Outcome:
        monkeypatch.setattr(sys, "argv", ["dnerv", *map(str, words)])
        capfd.readouterr()
        try:
            cli.main()
            code = 0
        except SystemExit as end:
            code = end.code if isinstance(end.code, int) else 0 if end.code is None else 1
        return Outcome(code, *capfd.readouterr())

    return run


def write_clip(path: Path, count: int = 9, size: tuple[int, int] = (48, 64), shade: int = 0) -> Path:
    """A square that moves over a slope, 25 frames a second."""
    path.parent.mkdir(parents=True, exist_ok=True)
    rows, columns = np.mgrid[: size[0], : size[1]]
    with av.open(str(path), "w") as container:
        stream = container.add_stream("libx264", rate=25, options={"crf": "10"})
        stream.height, stream.width = size
        stream.pix_fmt = "yuv420p"
        for i in range(count):
            picture = np.stack([rows * 2 + shade, columns * 2, np.full_like(rows, 90)], axis=-1).astype(np.uint8)
            picture[16:32, 4 + 4 * i : 20 + 4 * i] = 220
            container.mux(stream.encode(av.VideoFrame.from_ndarray(picture, format="rgb24")))
        container.mux(stream.encode(None))
    return path


@pytest.fixture(scope="session")
def videos(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos in class folders."""
    folder = tmp_path_factory.mktemp("corpus") / "videos"
    write_clip(folder / "left" / "one.mp4")
    write_clip(folder / "right" / "two.mp4", count=5, shade=60)
    return folder


@pytest.fixture(scope="session")
def whole(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An archive of them, made once."""
    from dnerv.encoding import EncodeOptions, encode

    options = EncodeOptions(epochs=1, width=2, every=4, crf=40, effort="fast", network="always", precision="fp32")
    output = tmp_path_factory.mktemp("archives") / "whole.dnerv"
    encode([videos], output, options)
    return output


@pytest.fixture
def archive(whole: Path, tmp_path: Path) -> Path:
    """A copy to do harm to."""
    return Path(shutil.copy(whole, tmp_path / "collection.dnerv"))


def assert_one_line(outcome: Outcome, *parts: object, code: int = 1) -> None:
    assert outcome.code == code, outcome
    lines = outcome.err.splitlines()
    assert lines, outcome
    assert sum(line.startswith("dnerv: ") for line in lines) == 1, outcome.err
    assert lines[-1].startswith("dnerv: "), outcome.err
    assert "Traceback" not in outcome.err
    for part in parts:
        assert str(part) in lines[-1], f"{part!r} is missing in {lines[-1]!r}"


@pytest.fixture
def untouched(tmp_path: Path) -> Iterator[None]:
    """Whatever the test does, the folder holds afterwards what it held when the test's command began."""
    yield
    left = [p.name for p in tmp_path.rglob("*") if p.suffix in (".work", ".tmp", ".partial") or p.name[0] == "."]
    assert not left, f"left behind: {left}"


# What works.


def test_encode_writes_an_archive_and_says_how_good_it_is(
    dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path
) -> None:
    output = tmp_path / "new.dnerv"
    done = dnerv("encode", videos, "-o", output, *FAST, "--json")
    assert done.code == 0, done.err
    record = done.json
    assert record["file_bytes"] == output.stat().st_size
    assert set(record) >= {"path", "bits_per_pixel", "crf", "access", "network", "quality", "seconds"}
    assert record["network"] is None
    assert [p.name for p in tmp_path.iterdir()] == ["new.dnerv"]
    again = dnerv("evaluate", output, videos, "--json").json
    assert again["psnr"] == pytest.approx(record["quality"]["psnr"], abs=0.01)


def test_interpolate_writes_slow_motion_of_what_was_asked_for(
    dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path
) -> None:
    words = ["interpolate", archive, "-o", tmp_path / "slow", "--factor", 2, "--format", "png", "--video", "right/two"]
    done = dnerv(*words)
    assert done.code == 0, done.err
    assert done.out.split() == [str(tmp_path / "slow" / "right" / "two")]
    assert len(list((tmp_path / "slow" / "right" / "two").glob("*.png"))) == 2 * (5 - 1) + 1


def test_labels_out_of_a_csv_file_replace_class_folders(
    dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path
) -> None:
    table, output = tmp_path / "labels.csv", tmp_path / "new.dnerv"
    table.write_text("path,label,split\nleft/one.mp4,red,train\n")
    done = dnerv("encode", videos, "-o", output, "--labels", table, *FAST, "--json")
    assert done.code == 0, done.err
    record = dnerv("info", output, "--json").json
    assert {video["name"]: video["label"] for video in record["videos"]} == {"left/one": "red", "right/two": None}
    table.write_text("path,label\nleft/three.mp4,red\n")
    output.unlink()
    assert_one_line(dnerv("encode", videos, "-o", output, "--labels", table), "labels.csv, line 2", "left/three.mp4")
    assert [path.name for path in tmp_path.iterdir()] == ["labels.csv"]


def test_encode_prints_a_table_within_80_columns(
    dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    done = dnerv("encode", videos, "-o", "new.dnerv", *FAST)
    assert done.code == 0, done.err
    assert "left/one" in done.out
    assert not [line for line in done.out.splitlines() if len(line) > 80]


def test_keep_work_keeps_it(dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path) -> None:
    done = dnerv("encode", videos, "-o", tmp_path / "new.dnerv", *FAST, "--keep-work")
    assert done.code == 0, done.err
    assert (tmp_path / "new.dnerv.work").is_dir()


def test_decode_writes_every_video_under_its_name(dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path) -> None:
    done = dnerv("decode", archive, "-o", tmp_path / "out")
    assert done.code == 0, done.err
    written = [tmp_path / "out" / "left" / "one.mp4", tmp_path / "out" / "right" / "two.mp4"]
    assert done.out.splitlines() == [str(path) for path in written]
    with av.open(str(written[0])) as container:
        assert [(f.height, f.width) for f in container.decode(video=0)] == [(48, 64)] * 9


def test_decode_of_some_frames_of_one_video_as_png(
    dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path
) -> None:
    command = ("decode", archive, "-o", tmp_path / "out", "--video", "left/one", "--frames", "2:5", "--format", "png")
    done = dnerv(*command, "--json")
    assert done.code == 0, done.err
    assert done.json == {"written": [str(tmp_path / "out" / "left" / "one")]}
    assert len(list((tmp_path / "out" / "left" / "one").iterdir())) == 3


@pytest.mark.parametrize(("span", "count"), [(":", 9), ("7:", 2), (":3", 3)])
def test_decode_spans_may_be_open(
    dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path, span: str, count: int
) -> None:
    command = ("decode", archive, "-o", tmp_path, "--video", "left/one", "--frames", span, "--format", "png")
    assert dnerv(*command).code == 0
    assert len(list((tmp_path / "left" / "one").iterdir())) == count


def test_info_json_accounts_for_every_byte_and_keeps_labels(dnerv: Callable[..., Outcome], archive: Path) -> None:
    record = dnerv("info", archive, "--json").json
    assert sum(record["breakdown"].values()) == record["file_bytes"] == archive.stat().st_size
    assert {video["name"]: video["label"] for video in record["videos"]} == {"left/one": "left", "right/two": "right"}
    assert record["frames"] == 14
    assert record["network"]["parameters"] > 0
    assert [video["uses_network"] for video in record["videos"]] == [True, True]


def test_evaluate_json_has_each_video_and_all(dnerv: Callable[..., Outcome], archive: Path, videos: Path) -> None:
    record = dnerv("evaluate", archive, videos, "--json").json
    assert [video["name"] for video in record["videos"]] == ["left/one", "right/two"]
    assert record["psnr"] == pytest.approx(np.mean([video["psnr"] for video in record["videos"]]))
    assert record["bits_per_pixel"] == pytest.approx(8 * archive.stat().st_size / (14 * 48 * 64))
    assert record["ms_ssim"] is None  # too small for five scales, and not something else in its place


def test_verify_says_intact(dnerv: Callable[..., Outcome], archive: Path) -> None:
    done = dnerv("verify", archive, "--json")
    assert done.code == 0
    assert done.json["intact"]
    assert all(done.json["sections"].values())


def test_presets_json_has_the_papers_rows(dnerv: Callable[..., Outcome]) -> None:
    rows = dnerv("presets", "--json").json["published"]
    assert len(rows) == 11
    for row in rows:
        assert row["parameters"] / 1e6 == pytest.approx(row["published_millions"], abs=0.011)


def frames_of(archive: Path) -> dict[str, bytes]:
    with Archive(archive) as opened:
        return {reader.entry.name: reader[:].numpy().tobytes() for reader in opened}


class TestChanges:
    def test_remove_and_compact(self, dnerv: Callable[..., Outcome], archive: Path) -> None:
        before = frames_of(archive)
        done = dnerv("remove", archive, "le*")
        assert done.code == 0, done.err
        assert done.out.startswith("removed 1 video\n")
        assert "the file grew by " in done.out
        assert "of them unused: `dnerv compact` takes them away" in " ".join(done.out.split())
        assert frames_of(archive) == {"right/two": before["right/two"]}
        done = dnerv("compact", archive, "--json")
        assert done.json["bytes_before"] > done.json["file_bytes"] == archive.stat().st_size
        assert done.json["unused_bytes"] == 0
        assert frames_of(archive) == {"right/two": before["right/two"]}

    def test_extract_and_merge(self, dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path) -> None:
        left, right, both = (tmp_path / f"{name}.dnerv" for name in ("left", "right", "both"))
        assert dnerv("extract", archive, "left/one", "-o", left, "--json").json["videos"] == ["left/one"]
        assert dnerv("extract", archive, "right/*", "-o", right).code == 0
        done = dnerv("merge", left, right, "-o", both)
        assert done.code == 0, done.err
        assert "2 videos" in " ".join(done.out.split())
        assert "copying videos (2) ..." in done.err
        assert frames_of(both) == frames_of(archive)
        assert_one_line(dnerv("merge", left, right, "-o", both), "both.dnerv", "--force")
        assert dnerv("merge", left, right, "-o", both, "--force").code == 0
        assert_one_line(dnerv("merge", left, both, "-o", tmp_path / "new.dnerv"), "left/one")
        assert not (tmp_path / "new.dnerv").exists()

    def test_add(self, dnerv: Callable[..., Outcome], archive: Path, videos: Path, tmp_path: Path) -> None:
        before = frames_of(archive)
        write_clip(tmp_path / "more" / "three.mp4", count=7, shade=30)
        done = dnerv("add", archive, tmp_path / "more")
        assert done.code == 0, done.err
        assert "3 videos" in done.out
        after = frames_of(archive)
        assert {name: after[name] for name in before} == before
        assert len(after["three"]) == 7 * 3 * 48 * 64
        assert_one_line(dnerv("add", archive, videos), "left/one")
        assert frames_of(archive) == after

    @pytest.mark.usefixtures("untouched")
    def test_what_cannot_be_done(self, dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path) -> None:
        old = archive.read_bytes()
        assert_one_line(dnerv("remove", archive, "left/one", "middle"), "middle")
        assert_one_line(dnerv("remove", archive, "*"), "at least one")
        assert_one_line(dnerv("extract", archive, "mid*", "-o", tmp_path / "new.dnerv"), "mid*")
        assert archive.read_bytes() == old
        assert [path.name for path in tmp_path.iterdir()] == [archive.name]

    def test_text_fits_80_columns(
        self, dnerv: Callable[..., Outcome], archive: Path, monkeypatch: pytest.MonkeyPatch
    ) -> None:
        monkeypatch.setenv("COLUMNS", "80")
        monkeypatch.chdir(archive.parent)
        for words in (["extract", archive.name, "*", "-o", "new.dnerv"], ["remove", archive.name, "left/one"]):
            done = dnerv(*words)
            assert done.code == 0, done.err
            assert max(map(len, done.out.splitlines())) <= 80


def test_decode_of_the_base_layer_alone(dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path) -> None:
    words = ["decode", archive, "--video", "*/one", "--format", "png"]
    assert dnerv(*words, "-o", tmp_path / "all").code == 0
    done = dnerv(*words, "-o", tmp_path / "base", "--layers", "base")
    assert done.code == 0, done.err
    of_all, of_base = (
        [path.read_bytes() for path in sorted((tmp_path / layers / "left" / "one").iterdir())]
        for layers in ("all", "base")
    )
    assert len(of_all) == len(of_base) == 9
    assert of_all != of_base


@pytest.mark.parametrize("command", ["info", "evaluate", "verify", "presets"])
def test_text_output_fits_80_columns(
    dnerv: Callable[..., Outcome], archive: Path, videos: Path, monkeypatch: pytest.MonkeyPatch, command: str
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(archive.parent)
    words = {"presets": [], "evaluate": [archive.name, videos]}.get(command, [archive.name])
    done = dnerv(command, *words)
    assert done.code == 0, done.err
    assert done.out
    assert not [line for line in done.out.splitlines() if len(line) > 80]


@pytest.mark.usefixtures("warm_processes")
def test_bench_shows_tables_and_then_gives_json(
    dnerv: Callable[..., Outcome], archive: Path, videos: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(archive.parent)
    words = ["bench", archive.name, "-o", "out", "--originals", videos, *QUICK]
    done = dnerv(*words)
    assert done.code == 0, done.err
    lines = done.out.replace(str(archive.parent), "").splitlines()  # where tests run is not ours to shorten
    assert not [line for line in lines if len(line) > 80]
    assert sum(line.startswith("base layer") for line in lines) == 3  # in workers, in one process, and what it costs
    record = dnerv(*words, "--json").json
    assert record == json.loads(Path("out/results.json").read_text())
    names = [row["name"] for row in record["rows"] if row["kind"] != "loader"]
    assert names == ["reference", "network fp32", "base layer", "PNG"]


def test_compare_shows_tables_and_then_gives_json(
    dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("COLUMNS", "80")
    monkeypatch.chdir(tmp_path)
    words = ["compare", videos, "-o", "out", "--codecs", "x264,x265", "--rates", "0.1,0.3", "--preset", "ultrafast"]
    done = dnerv(*words)
    assert done.code == 0, done.err
    assert not [line for line in done.out.splitlines() if len(line) > 80]
    assert "BD-rate" in done.out
    again = dnerv(*words, "--json")
    assert again.json == json.loads(Path("out/results.json").read_text())
    assert "x264 at" in done.err
    assert "x264 at" not in again.err


@pytest.mark.parametrize("command", [(), ("encode",), ("study",), ("study", "joint")])
def test_help(dnerv: Callable[..., Outcome], command: tuple[str, ...]) -> None:
    done = dnerv(*command, "--help")
    assert done.code == 0
    assert done.out.startswith("Usage: dnerv")
    assert done.err == ""
    assert done.out == dnerv(*command, "-h").out


def test_a_reader_that_goes_away_is_no_error() -> None:
    read, write = os.pipe()
    os.close(read)
    command = [sys.executable, "-m", "dnerv", "encode", "--help"]
    done = subprocess.run(command, stdout=write, stderr=subprocess.PIPE, text=True, check=False)
    os.close(write)
    assert (done.returncode, done.stderr) == (1, "")


def test_version(dnerv: Callable[..., Outcome]) -> None:
    done = dnerv("--version")
    assert (done.code, done.out.split()[0]) == (0, "dnerv")


@pytest.mark.parametrize(
    ("name", "shown"),
    [("[red]take :smile:", "[red]take :smile:"), ("evil\x1b[31m\u202e", r"evil\x1b[31m\u202e")],
    ids=["markup", "escape sequence"],
)
def test_names_are_shown_as_they_are_and_do_nothing_to_the_terminal(
    dnerv: Callable[..., Outcome], tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str, shown: str
) -> None:
    monkeypatch.setenv("COLUMNS", "200")
    clip = write_clip(tmp_path / f"{name}.mp4", count=2)
    output, other = tmp_path / "new.dnerv", tmp_path / "out"
    outcomes = [dnerv("encode", clip, "-o", output, *FAST), dnerv("info", output)]
    outcomes += [dnerv("decode", output, "-o", other), dnerv("evaluate", output, clip)]
    assert [done.code for done in outcomes] == [0, 0, 0, 0]
    assert all(shown in done.out for done in outcomes)
    refused = dnerv("decode", output, "-o", other)  # is there already
    assert_one_line(refused, shown)
    assert not any("\x1b" in done.out + done.err for done in (*outcomes, refused))
    assert [video["name"] for video in dnerv("info", output, "--json").json["videos"]] == [name]
    assert (other / f"{name}.mp4").exists()


def test_one_epoch_is_called_one(dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path) -> None:
    done = dnerv("encode", videos, "-o", tmp_path / "new.dnerv", "--epochs", 1, *TRAINED)
    lines = [line for line in done.err.splitlines() if line.startswith("training: ")]
    assert lines
    assert all(line.startswith("training: epoch 1 of 1  ") for line in lines)


# What does not.


@pytest.mark.usefixtures("untouched")
class TestBadInputToEncode:
    def encode(self, dnerv: Callable[..., Outcome], tmp_path: Path, *words: object) -> Outcome:
        done = dnerv("encode", *words, "-o", tmp_path / "new.dnerv", *FAST)
        assert not (tmp_path / "new.dnerv").exists()
        return done

    def test_missing(self, dnerv: Callable[..., Outcome], tmp_path: Path) -> None:
        assert_one_line(self.encode(dnerv, tmp_path, tmp_path / "nowhere"), "nowhere", "no such file")

    def test_empty_folder(self, dnerv: Callable[..., Outcome], tmp_path: Path) -> None:
        (tmp_path / "empty").mkdir()
        assert_one_line(self.encode(dnerv, tmp_path, tmp_path / "empty"), "empty", "no video")

    def test_text_named_mp4(self, dnerv: Callable[..., Outcome], tmp_path: Path) -> None:
        (tmp_path / "notes.mp4").write_text("not a video at all\n" * 9)
        assert_one_line(self.encode(dnerv, tmp_path, tmp_path / "notes.mp4"), "notes.mp4", "--skip-bad")

    def test_zero_bytes(self, dnerv: Callable[..., Outcome], tmp_path: Path) -> None:
        (tmp_path / "zero.mp4").touch()
        assert_one_line(self.encode(dnerv, tmp_path, tmp_path / "zero.mp4"), "zero.mp4")

    def test_one_bad_among_good_stops_before_training(
        self, dnerv: Callable[..., Outcome], tmp_path: Path, videos: Path
    ) -> None:
        (tmp_path / "notes.mp4").write_text("not a video")
        done = dnerv("encode", videos, tmp_path / "notes.mp4", "-o", tmp_path / "new.dnerv", *FAST)
        assert_one_line(done, "notes.mp4")
        assert "training" not in done.err
        shutil.rmtree(tmp_path / "new.dnerv.work", ignore_errors=True)  # frames of the good ones: for the next try

    def test_all_bad_with_skip_bad(self, dnerv: Callable[..., Outcome], tmp_path: Path) -> None:
        (tmp_path / "notes.mp4").write_text("not a video")
        assert_one_line(self.encode(dnerv, tmp_path, tmp_path / "notes.mp4", "--skip-bad"), "nothing to encode")


def test_skip_bad_leaves_it_out_and_says_so(dnerv: Callable[..., Outcome], tmp_path: Path, videos: Path) -> None:
    (tmp_path / "notes.mp4").write_text("not a video")
    command = ("encode", videos, tmp_path / "notes.mp4", "-o", tmp_path / "new.dnerv", *FAST)
    done = dnerv(*command, "--skip-bad", "--json")
    assert done.code == 0, done.err
    assert "warning: skipped: " in done.err
    assert "notes.mp4" in done.err
    assert len(done.json["quality"]["videos"]) == 2


@pytest.mark.usefixtures("untouched")
class TestBadOutputOfEncode:
    def encode(self, dnerv: Callable[..., Outcome], videos: Path, output: Path) -> Outcome:
        return dnerv("encode", videos, "-o", output, *FAST)

    def test_existing(self, dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path) -> None:
        (tmp_path / "new.dnerv").write_bytes(b"precious")
        assert_one_line(self.encode(dnerv, videos, tmp_path / "new.dnerv"), "new.dnerv", "force")
        assert (tmp_path / "new.dnerv").read_bytes() == b"precious"

    def test_folder(self, dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path) -> None:
        (tmp_path / "new.dnerv").mkdir()
        assert_one_line(self.encode(dnerv, videos, tmp_path / "new.dnerv"), "directory")

    def test_missing_folder(self, dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path) -> None:
        assert_one_line(self.encode(dnerv, videos, tmp_path / "nowhere" / "new.dnerv"), "nowhere")
        assert not (tmp_path / "nowhere").exists()

    def test_below_a_file(self, dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert_one_line(self.encode(dnerv, videos, tmp_path / "file" / "new.dnerv"), "file")

    @pytest.mark.skipif(os.geteuid() == 0, reason="root may write anywhere")
    def test_unwritable_folder(self, dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path) -> None:
        (tmp_path / "locked").mkdir(mode=0o555)
        assert_one_line(self.encode(dnerv, videos, tmp_path / "locked" / "new.dnerv"), "locked")

    def test_device_file(self, dnerv: Callable[..., Outcome], videos: Path) -> None:
        assert_one_line(self.encode(dnerv, videos, Path("/dev/full")), "/dev/full")


def test_force_replaces(dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path) -> None:
    (tmp_path / "new.dnerv").write_bytes(b"old")
    done = dnerv("encode", videos, "-o", tmp_path / "new.dnerv", *FAST, "--force")
    assert done.code == 0, done.err
    assert dnerv("verify", tmp_path / "new.dnerv").code == 0


SMALL_DISK = """
import resource, signal, sys
signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
resource.setrlimit(resource.RLIMIT_FSIZE, (int(sys.argv[1]), resource.RLIM_INFINITY))
sys.argv = ["dnerv", *sys.argv[2:]]
from dnerv.cli import main
main()
"""


def on_a_small_disk(limit: int, *words: object) -> Outcome:
    """Run a command for which no file can grow beyond `limit` bytes: writing fails as on a full disk."""
    command = [sys.executable, "-c", SMALL_DISK, str(limit), *map(str, words)]
    done = subprocess.run(command, capture_output=True, text=True, check=False, timeout=120)
    return Outcome(done.returncode, done.stdout, done.stderr)


@pytest.mark.usefixtures("untouched", "warm_processes")
def test_disk_full_while_decoding(archive: Path, tmp_path: Path) -> None:
    done = on_a_small_disk(500, "decode", archive, "-o", tmp_path / "out", "--video", "left/one")
    assert_one_line(done, "one.mp4", "cannot be written")
    assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]


@pytest.mark.usefixtures("warm_processes")
def test_disk_full_while_encoding(videos: Path, tmp_path: Path) -> None:
    done = on_a_small_disk(30_000, "encode", videos, "-o", tmp_path / "new.dnerv", *FAST)
    assert_one_line(done)
    assert not (tmp_path / "new.dnerv").exists()


def damaged(archive: Path, change: Callable[[bytearray], object]) -> Path:
    data = bytearray(archive.read_bytes())
    change(data)
    archive.write_bytes(data)
    return archive


def set_version(data: bytearray, version: int) -> None:
    struct.pack_into("<H", data, 8, version)


EMPTY_SLOT = range(40, 68)  # bytes of the header that mean nothing before the first change


@pytest.mark.usefixtures("untouched")
class TestBadArchive:
    @pytest.mark.parametrize("command", ["info", "verify", "decode", "evaluate", "bench"])
    @pytest.mark.parametrize(
        ("harm", "reason"),
        [
            (lambda data: data.clear(), "empty"),
            (lambda data: data.__setitem__(slice(None), b"a text file\n" * 99), "not a dnerv archive"),
            (lambda data: data.__delitem__(slice(len(data) - 1, None)), ""),
            (lambda data: data.__delitem__(slice(100, None)), ""),
            (lambda data: set_version(data, 9), "version 9"),
            (lambda data: set_version(data, 1), "version 1, which dnerv 0.1 and 0.2 wrote"),
            (lambda data: data.__setitem__(30, data[30] ^ 1), "damaged"),
        ],
        ids=[
            "empty",
            "text",
            "last byte cut",
            "cut in the header",
            "future version",
            "version 1",
            "flip in the header",
        ],
    )
    def test_is_refused(
        self,
        dnerv: Callable[..., Outcome],
        archive: Path,
        videos: Path,
        tmp_path: Path,
        command: str,
        harm: Callable[[bytearray], object],
        reason: str,
    ) -> None:
        damaged(archive, harm)
        extra = {"evaluate": [videos], "info": [], "verify": []}.get(command, ["-o", tmp_path / "out"])
        done = dnerv(command, archive, *extra)
        assert_one_line(done, archive.name, reason)
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("command", ["info", "verify", "decode", "evaluate", "bench"])
    def test_missing(self, dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path, command: str) -> None:
        extra = {"evaluate": [videos], "info": [], "verify": []}.get(command, ["-o", tmp_path / "out"])
        done = dnerv(command, tmp_path / "no.dnerv", *extra)
        assert_one_line(done, "no.dnerv")
        assert "no such file" in done.err.lower()

    def test_one_flipped_byte_anywhere(self, dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path) -> None:
        whole = archive.read_bytes()
        places = range(0, len(whole), max(1, len(whole) // 40))
        for place in [at for at in places if at not in EMPTY_SLOT]:
            data = bytearray(whole)
            data[place] ^= 0x10
            archive.write_bytes(data)
            assert_one_line(dnerv("verify", archive), archive.name)

    def test_a_flipped_byte_of_a_packet_stops_decoding(
        self, dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path
    ) -> None:
        with Archive(archive) as opened:
            at = opened["right/two"].entry.offset + 20
        damaged(archive, lambda data: data.__setitem__(at, data[at] ^ 1))
        done = dnerv("decode", archive, "-o", tmp_path / "out", "--video", "right/two")
        assert_one_line(done, "right/two")
        assert not [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
        assert dnerv("decode", archive, "-o", tmp_path / "out", "--video", "left/one").code == 0
        shown = dnerv("verify", archive)
        assert_one_line(shown, "right/two")
        assert "video right/two: DAMAGED" in shown.out
        assert shown.out.splitlines()[-1] == "not intact"
        assert "checksum" not in shown.out  # said once, on stderr
        assert dnerv("verify", archive, "--json").json["damaged_videos"] == ["right/two"]

    def test_verify_json_names_the_section(self, dnerv: Callable[..., Outcome], archive: Path) -> None:
        with Archive(archive) as opened:
            at = opened.container.section("NETW").offset + 9
        damaged(archive, lambda data: data.__setitem__(at, data[at] ^ 1))
        done = dnerv("verify", archive, "--json")
        assert_one_line(done, "NETW")
        assert not done.json["intact"]
        assert [kind for kind, ok in done.json["sections"].items() if not ok] == ["NETW"]


@pytest.mark.usefixtures("untouched")
class TestBadRequest:
    def test_unknown_video(self, dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path) -> None:
        done = dnerv("decode", archive, "-o", tmp_path / "out", "--video", "middle")
        assert_one_line(done, "middle", "left/one")
        assert not (tmp_path / "out").exists()

    @pytest.mark.parametrize("span", ["3:10", "9:", "4:4", "6:2"])
    def test_frames_outside(self, dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path, span: str) -> None:
        done = dnerv("decode", archive, "-o", tmp_path / "out", "--video", "left/one", "--frames", span)
        assert_one_line(done, "left/one", "not empty, in 0:9")
        assert not (tmp_path / "out").exists()

    def test_existing_output(self, dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path) -> None:
        (tmp_path / "left").mkdir()
        (tmp_path / "left" / "one.mp4").write_bytes(b"precious")
        assert_one_line(dnerv("decode", archive, "-o", tmp_path), "one.mp4")
        assert (tmp_path / "left" / "one.mp4").read_bytes() == b"precious"
        assert dnerv("decode", archive, "-o", tmp_path, "--force").code == 0

    def test_output_below_a_file(self, dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path) -> None:
        (tmp_path / "file").touch()
        assert_one_line(dnerv("decode", archive, "-o", tmp_path / "file"), "file")

    def test_originals_of_other_names(self, dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path) -> None:
        other = write_clip(tmp_path / "other.mp4", count=3)
        assert_one_line(dnerv("evaluate", archive, other), "left/one", "other")

    def test_device_that_is_not_there(self, dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path) -> None:
        assert_one_line(dnerv("decode", archive, "-o", tmp_path, "--device", "abacus"), "abacus")


@pytest.mark.parametrize(
    "words",
    [
        ("--bpp", "0"),
        ("--bpp", "nan"),
        ("--bpp", "much"),
        ("--bpp", "0.05", "--quality", "50"),
        ("--quality", "101"),
        ("--size", "enormous"),
        ("--budget", "soon"),
        ("--budget", "-5s"),
        ("--epochs", "1", "--budget", "5s"),
        ("--epochs", "-1"),
        ("--resolution", "128"),
        ("--resolution", "0x64"),
        ("--fps", "0"),
        ("--fps", "1/0"),
        ("--model", "gan"),
        ("--weight-bits", "9"),
        ("--every", "0"),
        ("--crf", "0"),
        ("--crf", "40", "--quality", "50"),
        ("--access", "some"),
        ("--effort", "great"),
        ("--network", "none", "--budget", "5s"),
        ("--loss", "hinge"),
        ("--no-such-option",),
    ],
    ids=" ".join,
)
def test_bad_option_values_are_usage_errors(
    dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = dnerv("encode", videos, "-o", tmp_path / "new.dnerv", *words)
    assert done.code == 2, done
    assert words[0] in done.err or words[1] in done.err
    assert "Traceback" not in done.err
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(
    "words",
    [
        ("paint",),
        ("encode",),
        ("decode", "a.dnerv"),
        ("decode", "a.dnerv", "-o", "out", "--frames", "5"),
        ("info",),
        ("remove", "a.dnerv"),
        ("extract", "a.dnerv", "one"),
        ("merge", "a.dnerv"),
        ("add", "a.dnerv"),
    ],
    ids=" ".join,
)
def test_incomplete_commands_are_usage_errors(dnerv: Callable[..., Outcome], words: tuple[str, ...]) -> None:
    done = dnerv(*words)
    assert done.code == 2
    assert "Usage: " in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("--batch-sizes", "0"),
        ("--batch-sizes", "many"),
        ("--precisions", "fp7"),
        ("--against", "gif"),
        ("--clips", "0"),
        ("--repeats", "0"),
        ("--seconds", "-1"),
    ],
    ids=" ".join,
)
def test_bad_bench_values_are_usage_errors(
    dnerv: Callable[..., Outcome], archive: Path, words: tuple[str, ...]
) -> None:
    done = dnerv("bench", archive, "-o", archive.parent / "out", *words)
    assert done.code == 2, done
    assert words[1] in done.err
    assert "Traceback" not in done.err


@pytest.mark.parametrize(
    "words",
    [
        ("--rates", "many"),
        ("--rates", "0.1"),
        ("--codecs", "h263"),
        ("--anchor", "vhs"),
        ("--preset", "placebo"),
        ("--published", "davis"),
        ("--resolution", "big"),
        ("--budget", "soon"),
    ],
    ids=" ".join,
)
def test_bad_compare_values_are_usage_errors(
    dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = dnerv("compare", videos, "-o", tmp_path / "out", *words)
    assert done.code == 2, done
    assert words[1] in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize(
    "words",
    [("--rates", "many"), ("--seeds", "0"), ("--crop", "8"), ("--precision", "fp8"), ("--classifier-epochs", "0")],
    ids=" ".join,
)
def test_bad_recognition_values_are_usage_errors(
    dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path, words: tuple[str, ...]
) -> None:
    done = dnerv("study", "recognition", videos, "-o", tmp_path / "out", *words)
    assert done.code == 2, done
    assert words[1] in done.err
    assert "Traceback" not in done.err
    assert not (tmp_path / "out").exists()


def test_recognition_says_what_cannot_be_read_in_one_line(
    dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path
) -> None:
    words = ["study", "recognition", videos, "-o", tmp_path / "out"]
    assert_one_line(dnerv(*words), "has a single video")
    assert_one_line(dnerv(*words, "--split", tmp_path / "split.csv"), "split.csv: cannot be read")
    assert not (tmp_path / "out").exists()


def test_compare_says_what_cannot_be_read_in_one_line(dnerv: Callable[..., Outcome], tmp_path: Path) -> None:
    assert_one_line(dnerv("compare", tmp_path / "none", "-o", tmp_path / "out"), "none", "no such file")
    assert_one_line(dnerv("compare", tmp_path, "-o", tmp_path / "out", "--device", "abacus"), "abacus")


def test_bench_says_what_it_cannot_do_in_one_line(dnerv: Callable[..., Outcome], archive: Path, tmp_path: Path) -> None:
    words = ["bench", archive, "-o", tmp_path / "out"]
    assert_one_line(dnerv(*words, "--decoder", "mine"), "NAME=COMMAND")
    assert_one_line(dnerv(*words, "--device", "abacus"), "abacus")
    assert not (tmp_path / "out").exists()
    assert_one_line(dnerv(*words, "--nerv", archive, *QUICK[:-1], "nerv"), "--model nerv")


@pytest.mark.parametrize("words", [("--debug", "info", "no.dnerv"), ("info", "no.dnerv", "--debug")], ids=" ".join)
@pytest.mark.usefixtures("warm_processes")
def test_debug_shows_the_traceback(words: tuple[str, ...], tmp_path: Path) -> None:
    command = [sys.executable, "-m", "dnerv", *words]
    done = subprocess.run(command, capture_output=True, text=True, check=False, cwd=tmp_path)
    assert done.returncode == 1
    assert "Traceback" in done.stderr


@pytest.mark.usefixtures("warm_processes")
def test_interrupted_training_goes_on_when_asked_again(
    dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path
) -> None:
    output, work = tmp_path / "new.dnerv", tmp_path / "new.dnerv.work"
    words = ["encode", str(videos), "-o", str(output), "--budget", "4s", *TRAINED]
    lines = []
    # A shell's background job ignores SIGINT, and so would its children; this one is to hear it.
    with subprocess.Popen(
        [sys.executable, "-m", "dnerv", *words],
        stderr=subprocess.PIPE,
        text=True,
        preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
    ) as process:
        assert process.stderr is not None
        for line in process.stderr:
            lines.append(line)
            if line.startswith("training: epoch"):
                break
        time.sleep(0.5)
        process.send_signal(signal.SIGINT)
        lines += process.stderr.readlines()
    assert process.returncode == 130, "".join(lines)
    assert lines[-1] == "dnerv: interrupted\n"
    assert "Traceback" not in "".join(lines)
    assert not output.exists()
    # A signal that falls into the update of the weights leaves the checkpoint before it, here none: work stays anyway.
    assert (work / "job.json").exists()
    done = dnerv(*words)
    assert done.code == 0, done.err
    assert "going on" in done.err
    assert output.exists()
    assert not work.exists()


def test_another_job_does_not_take_over_unfinished_work(
    dnerv: Callable[..., Outcome], videos: Path, tmp_path: Path
) -> None:
    output = tmp_path / "new.dnerv"
    assert dnerv("encode", videos, "-o", output, "--epochs", 1, *TRAINED, "--keep-work").code == 0
    output.unlink()
    assert_one_line(dnerv("encode", videos, "-o", output, "--epochs", 2, *TRAINED), "--restart")
    assert dnerv("encode", videos, "-o", output, "--epochs", 2, *TRAINED, "--restart").code == 0


def test_report_says_what_it_cannot_show_in_one_line(dnerv: Callable[..., Outcome], tmp_path: Path) -> None:
    assert_one_line(dnerv("report", tmp_path, "-o", tmp_path / "r.html"), "results.json", "no such file")
    (tmp_path / "results.json").write_text('{"study": "alchemy"}')
    assert_one_line(dnerv("report", tmp_path, "-o", tmp_path / "r.html"), "'alchemy'", "compare")
    done = dnerv("report", tmp_path, "-o", tmp_path / "r.html", "--frames", 0)
    assert done.code == 2
    assert "--frames" in done.err


def test_report_of_a_record(dnerv: Callable[..., Outcome], tmp_path: Path) -> None:
    psnr = {"network": 31.25, "blend": 30.0, "kept": 35.0}
    record: dict[str, Any] = {
        "study": "interpolation",
        "archive": {"path": "a", "file_bytes": 10, "bits_per_pixel": 0.1, "model": {"parameters": 5}},
        "psnr": psnr,
        "videos": [{"name": "one", "held_out": 3, "psnr": psnr}],
    }
    (tmp_path / "results.json").write_text(json.dumps(record))
    assert_one_line(dnerv("report", tmp_path, "-o", tmp_path / "r.html"), "lacks command", "run the study again")
    made = dict.fromkeys(("commit", "started", "ended", "seconds", "machine", "seed"))
    made |= {"command": "dnerv study interpolation 'a b'", "version": "0", "note": "none of it is known"}
    record |= made | {"options": {}, "inputs": {"given": ["a b"], "files": []}}
    (tmp_path / "results.json").write_text(json.dumps(record))
    done = dnerv("report", tmp_path, "-o", tmp_path / "r.html", "--json")
    assert done.code == 0, done.err
    assert "<code>dnerv study interpolation &#x27;a b&#x27;</code>" in (tmp_path / "r.html").read_text()
    size = (tmp_path / "r.html").stat().st_size
    assert done.json == {"path": str(tmp_path / "r.html"), "studies": ["interpolation"], "players": 0} | {
        "file_bytes": size
    }
    assert "31.25" in (tmp_path / "r.html").read_text()
