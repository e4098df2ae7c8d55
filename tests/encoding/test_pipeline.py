"""Whole encodings: what comes out, and what an interruption, a bad file or a full disk leaves."""

import os
import resource
import signal
import subprocess
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from dnerv.archive import Archive, verify_archive
from dnerv.encoding import EncodeOptions, encode
from dnerv.errors import InputError, OutputError
from dnerv.families import DNeRVConfig, NeRVConfig
from dnerv.progress import Listener, TrainingProgress, listening
from dnerv.video import write_png_folder


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_base_layers_from_end_to_end(
    scenes: Path, fast: EncodeOptions, undisturbed_scenes: bytes, tmp_path: Path, recorder: Any
) -> None:
    output = tmp_path / "a.dnerv"
    with listening(recorder):
        result = encode([str(scenes)], str(output), fast)
    assert only(tmp_path) == ["a.dnerv"]
    assert output.read_bytes() == undisturbed_scenes
    assert (result.path, result.file_bytes, result.network) == (output, len(undisturbed_scenes), None)
    assert (result.crf, result.access) == (45, 4)  # twelve frames, of which every 4th and the last are coded
    assert recorder.stages == [
        "reading videos",
        "comparing videos",
        "measuring a sample",
        "coding videos, crf 45",
        "writing the archive",
        "measuring the archive",
    ]
    assert recorder.notes == [
        "access: any frame by decoding 8 coded frames at most, +0.3% bytes against one group a video"
    ]
    assert verify_archive(output)["intact"]
    with Archive(output) as archive:
        assert result.bits_per_pixel == archive.bits_per_pixel
        assert len(archive.references) == 2
        shapes = {reader.metadata.name: tuple(reader[:].shape) for reader in archive}
    assert shapes == {f"{place}-{episode}": (12, 3, 64, 80) for place in (0, 1) for episode in range(3)}


def test_dnerv_from_end_to_end(
    corpus: Path, options: EncodeOptions, undisturbed: bytes, tmp_path: Path, recorder: Any
) -> None:
    output = tmp_path / "a.dnerv"
    with listening(recorder):
        result = encode([str(corpus)], str(output), options)
    assert only(tmp_path) == ["a.dnerv"]
    assert output.read_bytes() == undisturbed  # two encodings with one seed
    assert (result.path, result.file_bytes, result.crf) == (output, len(undisturbed), 50)
    assert result.network is not None
    assert result.network.videos == 3
    assert result.network.model.keyframe_every == 4
    assert recorder.steps[-1] == 3 * (3 + 1 + 1)
    assert recorder.stages[0] == "reading videos"
    assert verify_archive(output)["intact"]
    with Archive(output) as archive:
        shapes = {reader.metadata.name: tuple(reader[:].shape) for reader in archive}
        assert result.bits_per_pixel == archive.bits_per_pixel
    assert shapes == {"long": (9, 3, 32, 32), "odd": (4, 3, 27, 31), "still": (1, 3, 32, 32)}


def test_another_seed_gives_another_file(
    corpus: Path, options: EncodeOptions, undisturbed: bytes, tmp_path: Path
) -> None:
    encode([corpus], tmp_path / "a.dnerv", replace(options, seed=1))
    assert (tmp_path / "a.dnerv").read_bytes() != undisturbed


@pytest.mark.parametrize("paper", [False, True])
def test_nerv_from_end_to_end(corpus: Path, tmp_path: Path, paper: bool) -> None:
    options = EncodeOptions(model="nerv", paper=paper, epochs=1, width=3, clip_length=4)
    result = encode([corpus], tmp_path / "a.dnerv", options)
    assert result.network is not None
    assert isinstance(result.network.model, NeRVConfig)
    assert (result.crf, result.access) == (None, 0)
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive.breakdown()["base layers"] == 0
        assert archive["long"][-1].shape == (3, 32, 32)


def test_the_paper_from_end_to_end(corpus: Path, tmp_path: Path) -> None:
    options = EncodeOptions(paper=True, epochs=1, width=2, clip_length=4, crf=50, effort="fast")
    result = encode([corpus], tmp_path / "a.dnerv", options)
    assert result.network is not None
    model = result.network.model
    assert isinstance(model, DNeRVConfig)
    assert (model.head, model.strides, model.keyframe_every) == ("paper", (4, 2, 2, 2, 2), 4)
    assert (model.encoder_channels, model.stem_channels, model.encoding_levels) == (64, 512, 240)
    assert not any((model.refined_flow, model.adaptive_blend, model.contrast))
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive["odd"][:].shape == (4, 3, 27, 31)


ENCODED = """
import sys
from dnerv.cli import main
sys.argv[1:1] = ["encode", "--effort", "fast"]
main()
print(*sorted(name for name in sys.modules if name.startswith(("dnerv.training", "dnerv.engine"))))
"""


@pytest.mark.parametrize("words", [[], ["--network", "none"]], ids=["auto", "none"])
def test_nothing_of_training_is_imported_where_nothing_is_trained(
    warm_python: str, scenes: Path, tmp_path: Path, words: list[str]
) -> None:
    command = [warm_python, "-c", ENCODED, str(scenes / "0-0.mp4"), "-o", str(tmp_path / "a.dnerv"), *words]
    done = subprocess.run(command, capture_output=True, text=True, timeout=300, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines()[-1] == "dnerv.training dnerv.training.config"  # words of options


@pytest.mark.parametrize(
    ("where", "sent"),
    [
        ("coding videos, crf 45 2", signal.SIGKILL),
        ("coding videos, crf 45 3", signal.SIGINT),
        ("published", signal.SIGKILL),
    ],
)
def test_stopped_and_begun_again(
    scenes: Path,
    fast: EncodeOptions,
    undisturbed_scenes: bytes,
    stopped: Callable[..., int],
    tmp_path: Path,
    recorder: Any,
    where: str,
    sent: signal.Signals,
) -> None:
    output = tmp_path / "a.dnerv"
    assert stopped("FAST", scenes, output, where, sent) == -sent
    assert (tmp_path / "a.dnerv.work").is_dir()
    assert output.exists() == (where == "published")
    with listening(recorder):
        encode([scenes], output, fast)
    assert recorder.notes[0].startswith("going on with the work in")
    assert output.read_bytes() == undisturbed_scenes
    assert only(tmp_path) == ["a.dnerv"]


def test_killed_within_training(
    corpus: Path,
    options: EncodeOptions,
    undisturbed: bytes,
    stopped: Callable[..., int],
    tmp_path: Path,
    recorder: Any,
) -> None:
    output = tmp_path / "a.dnerv"
    assert stopped("TINY", corpus, output, "7") == -signal.SIGKILL
    with listening(recorder):
        encode([corpus], output, options)
    assert recorder.steps
    assert min(recorder.steps) > 3  # it went on from a checkpoint
    assert output.read_bytes() == undisturbed
    assert only(tmp_path) == ["a.dnerv"]


def test_ctrl_c_within_training(corpus: Path, options: EncodeOptions, undisturbed: bytes, tmp_path: Path) -> None:
    class Impatient(Listener):
        def training(self, progress: TrainingProgress) -> None:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listening(Impatient()):
        encode([corpus], tmp_path / "a.dnerv", options)
    assert only(tmp_path) == ["a.dnerv.work"]
    assert (tmp_path / "a.dnerv.work" / "checkpoint.pt").exists()
    with pytest.raises(InputError, match="unfinished training of another command"):
        encode([corpus], tmp_path / "a.dnerv", replace(options, epochs=4))
    encode([corpus], tmp_path / "a.dnerv", options)
    assert (tmp_path / "a.dnerv").read_bytes() == undisturbed


def write_images(folder: Path, seed: int) -> None:
    rng = np.random.default_rng(seed)
    frames = [rng.integers(0, 255, (32, 32, 3), np.uint8) for _ in range(9)]
    if folder.exists():
        for place, frame in enumerate(frames):
            write_png_folder(folder, [frame], first=place, force=True)  # in place: the folder stays the same one
    else:
        write_png_folder(folder, frames)


@pytest.mark.parametrize(("job", "where"), [("TINY", "7"), ("FAST", "measuring the archive")])
def test_a_source_that_changed_is_coded_again(
    request: pytest.FixtureRequest, stopped: Callable[..., int], tmp_path: Path, job: str, where: str
) -> None:
    images, output = tmp_path / "images", tmp_path / "a.dnerv"
    options = request.getfixturevalue({"TINY": "options", "FAST": "fast"}[job])
    write_images(images, 0)
    before = images.stat().st_mtime_ns
    assert stopped(job, images, output, where) == -signal.SIGKILL
    write_images(images, 1)
    os.utime(images, ns=(before, before))
    encode([images], output, options)
    encode([images], tmp_path / "new.dnerv", options)
    assert output.read_bytes() == (tmp_path / "new.dnerv").read_bytes()


def test_an_input_is_never_the_output(make_video: Callable[..., Path], fast: EncodeOptions, tmp_path: Path) -> None:
    video = make_video(tmp_path / "in" / "a.mp4", 2, 32, 32)
    (tmp_path / "labels.csv").write_text("path,label\na,x\n")
    (tmp_path / "link.dnerv").hardlink_to(video)
    (tmp_path / "other.dnerv").symlink_to(video)
    before = video.read_bytes()
    for output in (video, tmp_path / "link.dnerv", tmp_path / "other.dnerv", tmp_path / "labels.csv"):
        with pytest.raises(OutputError, match="is one of the inputs"):
            encode([tmp_path / "in"], output, fast, labels=tmp_path / "labels.csv", force=True)
    assert video.read_bytes() == before
    encode([tmp_path / "in"], tmp_path / "in" / "b.mp4", fast)  # strange, and no harm


def test_a_frame_larger_than_the_encoder_takes_is_named(
    make_video: Callable[..., Path], fast: EncodeOptions, tmp_path: Path, recorder: Any
) -> None:
    make_video(tmp_path / "in" / "good.mp4", 2, 32, 32)
    write_png_folder(tmp_path / "in" / "wide", [np.zeros((16, 16400, 3), np.uint8)] * 2)
    with pytest.raises(InputError, match=r"wide: frames of 16x16400 pixels are larger .*--resolution.*--skip-bad"):
        encode([tmp_path / "in"], tmp_path / "a.dnerv", fast)
    with listening(recorder):
        encode([tmp_path / "in"], tmp_path / "a.dnerv", fast, skip_bad=True)
    assert len(recorder.warnings) == 1
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive.names == ["good"]


def test_existing_output(corpus: Path, fast: EncodeOptions, tmp_path: Path) -> None:
    output = tmp_path / "a.dnerv"
    output.write_text("precious")
    with pytest.raises(OutputError, match="exists"):
        encode([corpus], output, fast)
    assert output.read_text() == "precious"
    assert only(tmp_path) == ["a.dnerv"]
    encode([corpus / "still.mp4"], output, fast, force=True, keep_work=True)
    assert only(tmp_path) == ["a.dnerv", "a.dnerv.work"]
    with Archive(output) as archive:
        assert archive.names == ["still"]


@pytest.fixture
def with_a_bad_one(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    make_video(folder / "good.mp4", 2, 32, 32)
    (folder / "worse.mp4").write_bytes(b"this is no video")
    return folder


def test_a_bad_video_stops_before_all_else(
    with_a_bad_one: Path, fast: EncodeOptions, tmp_path: Path, recorder: Any
) -> None:
    with pytest.raises(InputError, match=r"worse\.mp4.*--skip-bad leaves such files out"), listening(recorder):
        encode([with_a_bad_one], tmp_path / "a.dnerv", fast)
    assert recorder.stages == ["reading videos"]
    assert not (tmp_path / "a.dnerv").exists()


def test_bad_videos_can_be_left_out(with_a_bad_one: Path, fast: EncodeOptions, tmp_path: Path, recorder: Any) -> None:
    with listening(recorder):
        encode([with_a_bad_one], tmp_path / "a.dnerv", fast, skip_bad=True)
    assert len(recorder.warnings) == 1
    assert "worse.mp4" in recorder.warnings[0]
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive.names == ["good"]
    with pytest.raises(InputError, match="none of the videos could be read"):
        encode([with_a_bad_one / "worse.mp4"], tmp_path / "b.dnerv", fast, skip_bad=True)
    assert not (tmp_path / "b.dnerv.work").exists()


@contextmanager
def largest_file(size: int) -> Iterator[None]:
    """Writing beyond `size` bytes of any file fails, as on a full disk."""
    before = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, before[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, before)


@pytest.mark.parametrize("size", [500, 30_000], ids=["nothing", "checkpoint"])
def test_a_full_disk(corpus: Path, options: EncodeOptions, undisturbed: bytes, tmp_path: Path, size: int) -> None:
    output = tmp_path / "a.dnerv"
    with largest_file(size), pytest.raises(OutputError, match="cannot be written"):
        encode([corpus], output, options)
    assert not output.exists()
    assert not [path for path in tmp_path.rglob("*") if ".partial" in path.name or path.suffix == ".tmp"]
    assert (tmp_path / "a.dnerv.work").exists() == (size == 30_000)  # kept where something was done
    if size == 30_000:
        encode([corpus], output, options)
        assert output.read_bytes() == undisturbed


def test_a_disk_that_is_full_at_the_very_end(
    corpus: Path, options: EncodeOptions, undisturbed: bytes, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fsync = os.fsync

    def failing(descriptor: int) -> None:
        path = Path(f"/proc/self/fd/{descriptor}").readlink()
        if path.is_file() and path.stat().st_size == len(undisturbed):  # the archive, and it alone
            raise OSError(28, "No space left on device")
        fsync(descriptor)

    with monkeypatch.context() as patch:
        patch.setattr(os, "fsync", failing)
        with pytest.raises(OutputError, match=r"a\.dnerv: cannot be written: No space left"):
            encode([corpus], tmp_path / "a.dnerv", options)
    assert only(tmp_path) == ["a.dnerv.work"]
    encode([corpus], tmp_path / "a.dnerv", options)
    assert (tmp_path / "a.dnerv").read_bytes() == undisturbed


@pytest.mark.parametrize(
    ("size", "tiles"), [((32, 32), 1), ((12, 20), 1), ((32, 704), 2), ((16, 704), 2)], ids=lambda value: str(value)
)
def test_untrained_frames_are_the_blend_without_seams(
    make_video: Callable[..., Path], options: EncodeOptions, tmp_path: Path, size: tuple[int, int], tiles: int
) -> None:
    video, path = make_video(tmp_path / "v.mp4", 4, *size), tmp_path / "a.dnerv"
    encode([video], path, replace(options, epochs=0, every=2, crf=40))
    with Archive(path) as archive, Archive(path, layers="base") as base:
        assert archive.config.network is not None
        canvas = archive.config.network.model.canvas
        assert (size[1] > canvas[1]) == (tiles > 1)
        difference = (archive["v"][:].int() - base["v"][:].int()).abs()
    assert difference.max() <= 1


@pytest.mark.parametrize("network", ["none", "always"])
@pytest.mark.parametrize("every", [1, 3, 16])
def test_the_distance_is_as_asked(
    corpus: Path, fast: EncodeOptions, options: EncodeOptions, tmp_path: Path, every: int, network: str
) -> None:
    asked = replace(fast, every=every) if network == "none" else replace(options, every=every, epochs=0)
    encode([corpus], tmp_path / "a.dnerv", asked)
    with Archive(tmp_path / "a.dnerv") as archive:
        assert {entry.distance for entry in archive.entries} == {every}
        assert archive["long"].entry.num_coded == -(-8 // every) + 1
        assert torch.equal(archive["long"][5], archive["long"][:][5])


@pytest.mark.parametrize("access", [1, 2, 5, 65_536])
def test_the_access_is_as_asked(corpus: Path, fast: EncodeOptions, tmp_path: Path, access: int) -> None:
    result = encode([corpus], tmp_path / "a.dnerv", replace(fast, access=access))
    with Archive(tmp_path / "a.dnerv") as archive:
        assert result.access == max(entry.access for entry in archive.entries) <= access
        for entry in archive.entries:
            between = entry.distance > 1 and access < 65_536  # a blend takes the next group's first frame, too
            assert entry.group_length == access - between


@pytest.mark.parametrize("bits_per_pixel", [0.2, 0.4])
def test_the_file_has_the_bits_that_were_asked_for(
    scenes: Path, fast: EncodeOptions, tmp_path: Path, recorder: Any, bits_per_pixel: float
) -> None:
    options = replace(fast, crf=None, bits_per_pixel=bits_per_pixel)
    with listening(recorder):
        result = encode([scenes / f"{name}.mp4" for name in ("0-0", "0-1", "1-0")], tmp_path / "a.dnerv", options)
    assert result.bits_per_pixel == pytest.approx(bits_per_pixel, rel=0.03)
    assert result.file_bytes == (tmp_path / "a.dnerv").stat().st_size
    assert recorder.warnings == []


def test_bits_that_cannot_be_reached_are_remarked_upon(
    corpus: Path, fast: EncodeOptions, tmp_path: Path, recorder: Any
) -> None:
    with listening(recorder):
        encode([corpus / "still.mp4"], tmp_path / "a.dnerv", replace(fast, crf=None, bits_per_pixel=0.01))
    assert "and 0.01 were asked for" in recorder.warnings[-1]


def test_references_can_be_left_out(
    scenes: Path, fast: EncodeOptions, undisturbed_scenes: bytes, tmp_path: Path
) -> None:
    result = encode([scenes], tmp_path / "a.dnerv", replace(fast, references=False))
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive.references == ()
    assert result.file_bytes > 1.2 * len(undisturbed_scenes)


def test_resolution_and_rate(corpus: Path, fast: EncodeOptions, tmp_path: Path) -> None:
    asked: dict[str, Any] = {"resolution": (16, 24), "fps": Fraction(5)}
    encode([corpus / "long.mp4"], tmp_path / "a.dnerv", replace(fast, **asked))
    with Archive(tmp_path / "a.dnerv") as archive, Archive(tmp_path / "a.dnerv", size="coded") as coded:
        assert coded["long"][0].shape == (3, 16, 24)
        assert archive["long"][0].shape == (3, 32, 32)
        assert archive["long"].metadata.average_fps == 5
        assert len(archive["long"]) == 2


def test_encodings_share_decoded_frames(corpus: Path, fast: EncodeOptions, tmp_path: Path) -> None:
    alone, first, second = (tmp_path / f"{name}.dnerv" for name in ("alone", "first", "second"))
    encode([corpus], alone, fast)
    encode([corpus], first, fast, frames=tmp_path / "frames")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "frames").iterdir()}
    encode([corpus], second, fast, frames=tmp_path / "frames")
    assert len(kept) == 6  # frames and facts of three videos
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "frames").iterdir()} == kept
    assert alone.read_bytes() == first.read_bytes() == second.read_bytes()
