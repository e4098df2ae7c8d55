"""An archive against its originals."""

from __future__ import annotations

import tarfile
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

import dnerv
from dnerv.archive import Archive
from dnerv.errors import InputError
from dnerv.evaluation import evaluate, measure_archive
from dnerv.evaluation.archive_quality import find_originals, original_frames

Frames = list[np.ndarray]
LENGTHS = {"a": 11, "b": 3}


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, moving_frames: Callable[..., Frames]) -> Path:
    folder = tmp_path_factory.mktemp("videos")
    for seed, (name, count) in enumerate(LENGTHS.items()):
        timing = dnerv.video.Timing.constant(25, count)
        dnerv.video.write_mp4(folder / f"{name}.mp4", moving_frames(count, 48, 64, seed), timing)
    return folder


@pytest.fixture(scope="module")
def archive_path(videos: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("archive") / "a.dnerv"
    dnerv.encode([videos], path, dnerv.EncodeOptions(every=2, crf=50, effort="fast"))
    return path


@pytest.fixture(scope="module")
def decoded(archive_path: Path) -> dict[str, np.ndarray]:
    with Archive(archive_path, size="coded") as archive:
        return {reader.entry.name: reader[:].permute(0, 2, 3, 1).numpy() for reader in archive}


def test_figures_are_those_of_the_decoded_frames(
    archive_path: Path, decoded: dict[str, np.ndarray], advanced: list[int]
) -> None:
    offsets = {"a": 2, "b": 1}
    originals = {name: np.where(f < 200, f + offsets[name], f - offsets[name]) for name, f in decoded.items()}
    with Archive(archive_path, size="coded") as archive:
        quality = measure_archive(archive, originals.__getitem__)
    psnrs = {name: 10 * np.log10(255**2 / offset**2) for name, offset in offsets.items()}
    assert {video.name: video.psnr for video in quality.videos} == pytest.approx(psnrs)
    assert quality.psnr == pytest.approx(np.mean(list(psnrs.values())))
    assert quality.psnr_of_mean_mse == pytest.approx(10 * np.log10(255**2 / 2.5))
    assert quality.worst_psnr == pytest.approx(quality.psnr)
    assert quality.ms_ssim is None
    assert sum(advanced) == sum(LENGTHS.values())


def test_rates_of_videos_add_up_to_the_file(archive_path: Path, videos: Path) -> None:
    quality = evaluate(archive_path, [videos])
    bits = sum(video.bits_per_pixel * video.num_frames * video.height * video.width for video in quality.videos)
    assert bits == pytest.approx(8 * archive_path.stat().st_size)
    assert quality.file_bytes == archive_path.stat().st_size
    assert quality.bits_per_pixel == pytest.approx(bits / (48 * 64 * sum(LENGTHS.values())))


def test_bytes_of_a_video_are_its_packets_and_a_share_of_the_rest(archive_path: Path, videos: Path) -> None:
    quality = evaluate(archive_path, [videos])
    with Archive(archive_path) as archive:
        rest = archive.file_bytes - sum(entry.num_bytes for entry in archive.entries)
        for entry, video in zip(archive.entries, quality.videos, strict=True):
            own = 8 * entry.num_bytes / (video.num_frames * 48 * 64)
            assert video.bits_per_pixel == pytest.approx(own + 8 * rest / (48 * 64 * sum(LENGTHS.values())))
            assert entry.num_bytes > 0


def test_the_worst_frames_are_told(archive_path: Path, decoded: dict[str, np.ndarray]) -> None:
    """One of 11 frames is far off: the mean hardly shows it."""
    originals = {name: np.where(f < 200, f + 2, f - 2) for name, f in decoded.items()}
    originals["a"][7] = np.where(decoded["a"][7] < 200, decoded["a"][7] + 50, decoded["a"][7] - 50)
    with Archive(archive_path, size="coded") as archive:
        quality = measure_archive(archive, originals.__getitem__)
    usual, bad = 10 * np.log10(255**2 / 4), 10 * np.log10(255**2 / 2500)
    assert [video.worst_psnr for video in quality.videos] == pytest.approx([bad, usual])
    assert quality.worst_psnr == pytest.approx((bad + usual) / 2)
    assert quality.videos[0].psnr == pytest.approx((10 * usual + bad) / 11)


def test_the_network_that_a_video_does_without_is_told_apart(archive_path: Path, videos: Path) -> None:
    with Archive(archive_path, layers="base", size="coded") as archive:
        members = find_originals(archive, [videos])
        blends = measure_archive(archive, lambda name: original_frames(archive, members[name], "coded"))
    assert blends == evaluate(archive_path, [videos])  # nothing was trained


def test_originals_at_their_own_size(archive_path: Path, videos: Path) -> None:
    assert evaluate(archive_path, [videos], at="original").psnr == evaluate(archive_path, [videos]).psnr > 20


@pytest.mark.parametrize(
    "change", [lambda frames: frames[:-1], lambda frames: [*frames, frames[0]], lambda frames: [f[:-2] for f in frames]]
)
def test_other_frames_are_refused(
    change: Callable[[np.ndarray], object], archive_path: Path, decoded: dict[str, np.ndarray]
) -> None:
    with Archive(archive_path, size="coded") as archive, pytest.raises(InputError, match="made from another file"):
        measure_archive(archive, lambda name: change(decoded[name]))  # type: ignore[arg-type,return-value]


def test_a_missing_original_is_named(archive_path: Path, videos: Path) -> None:
    with Archive(archive_path) as archive:
        assert find_originals(archive, [videos]).keys() == LENGTHS.keys()
        with pytest.raises(InputError, match=r"'b' is not among the originals given; those are a"):
            find_originals(archive, [videos / "a.mp4"])


def test_frames_come_in_small_batches(archive_path: Path, decoded: dict[str, np.ndarray], advanced: list[int]) -> None:
    """A long video is never held whole: alone it tells of frames as they are compared, among others when done."""
    with Archive(archive_path, size="coded") as archive:
        measure_archive(archive, lambda name: iter(decoded[name]))
    assert advanced == [11, 3]
    alone = archive_path.with_name("alone.dnerv")
    dnerv.extract(archive_path, alone, ["a"])
    with Archive(alone, size="coded") as archive:
        measure_archive(archive, lambda name: iter(decoded[name]))
    assert advanced[2:] == [1, 8, 3]  # the extract itself, and the comparison


def test_originals_in_a_tar_file(archive_path: Path, videos: Path, tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "videos.tar", "w") as tar:
        for name in LENGTHS:
            tar.add(videos / f"{name}.mp4", f"./{name}.mp4")
    assert evaluate(archive_path, [tmp_path / "videos.tar"]) == evaluate(archive_path, [videos])
    dnerv.encode([tmp_path / "videos.tar"], tmp_path / "a.dnerv", dnerv.EncodeOptions(every=2, crf=50, effort="fast"))
    with Archive(tmp_path / "a.dnerv") as made, Archive(archive_path) as wanted:
        assert list(made.entries) == list(wanted.entries)
