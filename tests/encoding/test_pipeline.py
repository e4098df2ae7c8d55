"""Whole encodings: what comes out, and what an interruption, a bad file or a full disk leaves."""

import os
import resource
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import replace
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


class Recorder(Listener):
    def __init__(self) -> None:
        self.stages: list[str] = []
        self.warnings: list[str] = []
        self.notes: list[str] = []
        self.steps: list[int] = []

    def stage(self, title: str, total: int | None = None) -> None:
        self.stages.append(title)

    def training(self, progress: TrainingProgress) -> None:
        self.steps.append(progress.step)

    def note(self, text: str) -> None:
        self.notes.append(text)

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def only(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_dnerv_from_end_to_end(corpus: Path, options: EncodeOptions, undisturbed: bytes, tmp_path: Path) -> None:
    output = tmp_path / "a.dnerv"
    recorder = Recorder()
    with listening(recorder):
        result = encode([str(corpus)], str(output), options)
    assert only(tmp_path) == ["a.dnerv"]
    assert output.read_bytes() == undisturbed  # two encodings with one seed
    assert (result.path, result.file_bytes) == (output, len(undisturbed))
    assert result.crf == 50
    assert result.network is not None
    assert result.network.design.model.keyframe_every == 4
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
    assert isinstance(result.network.design.model, NeRVConfig)
    assert result.crf is None
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive.index.packet_bytes == 0
        assert archive["long"][-1].shape == (3, 32, 32)


def test_the_paper_from_end_to_end(corpus: Path, tmp_path: Path) -> None:
    options = EncodeOptions(paper=True, epochs=1, width=2, clip_length=4, crf=50)
    network = encode([corpus], tmp_path / "a.dnerv", options).network
    assert network is not None
    model = network.design.model
    assert isinstance(model, DNeRVConfig)
    assert (model.head, model.strides, model.keyframe_every) == ("paper", (4, 2, 2, 2, 2), 4)
    assert (model.encoder_channels, model.stem_channels, model.encoding_levels) == (64, 512, 240)
    assert not any((model.refined_flow, model.adaptive_blend, model.contrast))
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive["odd"][:].shape == (4, 3, 27, 31)


def test_ctrl_c_within_training(corpus: Path, options: EncodeOptions, undisturbed: bytes, tmp_path: Path) -> None:
    class Impatient(Recorder):
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


def test_an_input_is_never_the_output(make_video: Callable[..., Path], options: EncodeOptions, tmp_path: Path) -> None:
    video = make_video(tmp_path / "in" / "a.mp4", 2, 32, 32)
    (tmp_path / "labels.csv").write_text("path,label\na,x\n")
    (tmp_path / "link.dnerv").hardlink_to(video)
    (tmp_path / "other.dnerv").symlink_to(video)
    before = video.read_bytes()
    for output in (video, tmp_path / "link.dnerv", tmp_path / "other.dnerv", tmp_path / "labels.csv"):
        with pytest.raises(OutputError, match="is one of the inputs"):
            encode([tmp_path / "in"], output, options, labels=tmp_path / "labels.csv", force=True)
    assert video.read_bytes() == before
    encode([tmp_path / "in"], tmp_path / "in" / "b.mp4", replace(options, epochs=0))  # strange, and no harm


def test_a_frame_larger_than_the_encoder_takes_is_named(
    make_video: Callable[..., Path], options: EncodeOptions, tmp_path: Path
) -> None:
    make_video(tmp_path / "in" / "good.mp4", 2, 32, 32)
    write_png_folder(tmp_path / "in" / "wide", [np.zeros((16, 16400, 3), np.uint8)] * 2)
    with pytest.raises(InputError, match=r"wide: frames of 16x16400 pixels are larger .*--resolution.*--skip-bad"):
        encode([tmp_path / "in"], tmp_path / "a.dnerv", options)
    with listening(recorder := Recorder()):
        encode([tmp_path / "in"], tmp_path / "a.dnerv", replace(options, epochs=0), skip_bad=True)
    assert len(recorder.warnings) == 1
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive.names == ["good"]


def test_existing_output(corpus: Path, options: EncodeOptions, tmp_path: Path) -> None:
    output = tmp_path / "a.dnerv"
    output.write_text("precious")
    with pytest.raises(OutputError, match="exists"):
        encode([corpus], output, options)
    assert output.read_text() == "precious"
    assert only(tmp_path) == ["a.dnerv"]
    encode([corpus / "still.mp4"], output, replace(options, epochs=0), force=True, keep_work=True)
    assert only(tmp_path) == ["a.dnerv", "a.dnerv.work"]
    with Archive(output) as archive:
        assert archive.names == ["still"]


@pytest.fixture
def with_a_bad_one(make_video: Callable[..., Path], tmp_path: Path) -> Path:
    folder = tmp_path / "videos"
    make_video(folder / "good.mp4", 2, 32, 32)
    (folder / "worse.mp4").write_bytes(b"this is no video")
    return folder


def test_a_bad_video_stops_before_training(with_a_bad_one: Path, options: EncodeOptions, tmp_path: Path) -> None:
    recorder = Recorder()
    with pytest.raises(InputError, match=r"worse\.mp4.*--skip-bad leaves such files out"), listening(recorder):
        encode([with_a_bad_one], tmp_path / "a.dnerv", options)
    assert recorder.stages == ["reading videos"]
    assert not (tmp_path / "a.dnerv").exists()


def test_bad_videos_can_be_left_out(with_a_bad_one: Path, options: EncodeOptions, tmp_path: Path) -> None:
    recorder = Recorder()
    with listening(recorder):
        encode([with_a_bad_one], tmp_path / "a.dnerv", replace(options, epochs=0), skip_bad=True)
    assert len(recorder.warnings) == 1
    assert "worse.mp4" in recorder.warnings[0]
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive.names == ["good"]
    with pytest.raises(InputError, match="none of the videos could be read"):
        encode([with_a_bad_one / "worse.mp4"], tmp_path / "b.dnerv", options, skip_bad=True)
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
    make_video: Callable[..., Path], tmp_path: Path, size: tuple[int, int], tiles: int
) -> None:
    video = make_video(tmp_path / "v.mp4", 4, *size)
    options = EncodeOptions(epochs=0, width=3, every=2, crf=40, clip_length=4, network="always")
    encode([video], tmp_path / "a.dnerv", options)
    with Archive(tmp_path / "a.dnerv") as archive, Archive(tmp_path / "a.dnerv", layers="base") as base:
        assert archive.config.network is not None
        canvas = archive.config.network.model.canvas
        assert (size[1] > canvas[1]) == (tiles > 1)
        difference = (archive["v"][:].int() - base["v"][:].int()).abs()
    assert difference.max() <= 1


@pytest.mark.parametrize("every", [1, 3, 16])
def test_keyframe_distance_as_asked(corpus: Path, options: EncodeOptions, tmp_path: Path, every: int) -> None:
    result = encode([corpus], tmp_path / "a.dnerv", replace(options, every=every, epochs=0))
    assert result.network is not None
    assert result.network.design.model.keyframe_every == every
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive["long"].entry.num_coded == -(-8 // every) + 1
        assert torch.equal(archive["long"][5], archive["long"][:][5])


@pytest.mark.parametrize("bits_per_pixel", [0.4])
def test_the_file_has_the_bits_that_were_asked_for(
    make_video: Callable[..., Path], tmp_path: Path, bits_per_pixel: float
) -> None:
    for seed in range(3):
        make_video(tmp_path / "videos" / f"{seed}.mp4", 40, 64, 64, seed)
    options = EncodeOptions(bits_per_pixel=bits_per_pixel, epochs=0)
    result = encode([tmp_path / "videos"], tmp_path / "a.dnerv", options)
    assert result.bits_per_pixel == pytest.approx(bits_per_pixel, rel=0.12)


def test_resolution_and_rate(corpus: Path, options: EncodeOptions, tmp_path: Path) -> None:
    from fractions import Fraction

    asked: dict[str, Any] = {"resolution": (16, 24), "fps": Fraction(5), "epochs": 0}
    encode([corpus / "long.mp4"], tmp_path / "a.dnerv", replace(options, **asked))
    with Archive(tmp_path / "a.dnerv") as archive, Archive(tmp_path / "a.dnerv", size="coded") as coded:
        assert coded["long"][0].shape == (3, 16, 24)
        assert archive["long"][0].shape == (3, 32, 32)
        assert archive["long"].metadata.average_fps == 5
        assert len(archive["long"]) == 2


def test_encodings_share_decoded_frames(corpus: Path, options: EncodeOptions, tmp_path: Path) -> None:
    alone, first, second = (tmp_path / f"{name}.dnerv" for name in ("alone", "first", "second"))
    encode([corpus], alone, options)
    encode([corpus], first, options, frames=tmp_path / "frames")
    kept = {path: path.stat().st_mtime_ns for path in (tmp_path / "frames").iterdir()}
    encode([corpus], second, options, frames=tmp_path / "frames")
    assert len(kept) == 6  # frames and facts of three videos
    assert {path: path.stat().st_mtime_ns for path in (tmp_path / "frames").iterdir()} == kept
    assert alone.read_bytes() == first.read_bytes() == second.read_bytes()
