"""A network stays where it is worth its bytes, and for the videos that it makes better."""

from collections.abc import Callable, Iterable
from dataclasses import replace
from math import log10
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Literal

import numpy as np
import pytest
import torch

from dnerv.archive import Archive, verify_archive
from dnerv.encoding import EncodeOptions, encode, gains, pipeline
from dnerv.encoding.network_stage import gain_over
from dnerv.evaluation import ArchiveQuality, measure_archive
from dnerv.progress import listening

AUTO = EncodeOptions(effort="fast", crf=50, every=4, access=8, epochs=0, width=2, clip_length=4, precision="fp32")


@pytest.fixture(scope="module")
def folder(made: SimpleNamespace, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Two videos, `0-0` and `1-0`."""
    folder: Path = made.scenes(tmp_path_factory.mktemp("two"), (0, 1), (0,), 9)
    return folder


@pytest.fixture
def praised(monkeypatch: pytest.MonkeyPatch) -> Callable[..., None]:
    """Let archives with a network measure better by so many dB, and these videos of them by as many."""

    def praise(gain: float, videos: dict[str, float]) -> None:
        def measured(archive: Archive, frames: Callable[[str], Iterable[Any]], **given: Any) -> ArchiveQuality:
            found = measure_archive(archive, frames, **given)
            if archive.config.network is None or archive.layers == "base":
                return found
            better = [replace(v, psnr_of_mean_mse=v.psnr_of_mean_mse + videos.get(v.name, 0)) for v in found.videos]
            return replace(found, psnr_of_mean_mse=found.psnr_of_mean_mse + gain, videos=better)

        monkeypatch.setattr(gains, "measure_archive", measured)
        monkeypatch.setattr(pipeline, "measure_archive", measured)

    return praise


def test_a_network_that_adds_nothing_goes(folder: Path, tmp_path: Path, recorder: Any) -> None:
    """Untrained, it makes the blends: its bytes are not earned."""
    with listening(recorder):
        result = encode([folder], tmp_path / "a.dnerv", AUTO)
    assert result.network is None
    assert recorder.notes[-1].endswith("it is left out")
    encode([folder], tmp_path / "base.dnerv", replace(AUTO, epochs=None, width=None))
    with Archive(tmp_path / "a.dnerv") as archive, Archive(tmp_path / "base.dnerv") as base:
        assert archive.config.network is None
        assert "NETW" not in archive.container
        assert all(torch.equal(archive[name][:], base[name][:]) for name in ("0-0", "1-0"))
    assert result.file_bytes == (tmp_path / "a.dnerv").stat().st_size
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a.dnerv", "base.dnerv"]


def test_a_network_that_wins_stays(folder: Path, tmp_path: Path, recorder: Any, praised: Callable[..., None]) -> None:
    praised(30.0, {"0-0": 3.0, "1-0": 3.0})
    with listening(recorder):
        result = encode([folder], tmp_path / "a.dnerv", AUTO)
    assert result.network is not None
    assert result.network.videos == 2
    assert result.network.gain is not None
    assert result.network.gain > 0
    assert recorder.notes[-1].endswith("it stays, for 2 of 2 videos")
    assert verify_archive(tmp_path / "a.dnerv")["intact"]
    with Archive(tmp_path / "a.dnerv") as archive:
        assert [entry.network_frame for entry in archive.entries] == [0, 9]
        assert [entry.distance for entry in archive.entries] == [4, 4]
        assert archive.made["base"]["distances"] == [4]
        assert archive["1-0"][:].shape == (9, 3, 64, 80)


def test_it_is_off_for_videos_that_it_makes_worse(folder: Path, tmp_path: Path, praised: Callable[..., None]) -> None:
    praised(30.0, {"0-0": -3.0, "1-0": 3.0})
    result = encode([folder], tmp_path / "a.dnerv", AUTO)
    assert result.network is not None
    assert result.network.videos == 1
    with Archive(tmp_path / "a.dnerv") as archive, Archive(tmp_path / "a.dnerv", layers="base") as base:
        assert [entry.network_frame for entry in archive.entries] == [None, 9]
        assert torch.equal(archive["0-0"][:], base["0-0"][:])


def test_it_goes_where_it_makes_no_video_better(folder: Path, tmp_path: Path, praised: Callable[..., None]) -> None:
    praised(30.0, {"0-0": -3.0, "1-0": -3.0})
    assert encode([folder], tmp_path / "a.dnerv", AUTO).network is None


def test_always_keeps_it_whatever_it_is_worth(
    folder: Path, tmp_path: Path, recorder: Any, praised: Callable[..., None]
) -> None:
    praised(-30.0, {"0-0": -3.0, "1-0": -3.0})
    with listening(recorder):
        result = encode([folder], tmp_path / "a.dnerv", replace(AUTO, network="always"))
    assert result.network is not None
    assert (result.network.videos, result.network.gain) == (2, None)
    assert "comparing network and base layer" not in recorder.stages
    with Archive(tmp_path / "a.dnerv") as archive:
        assert [entry.network_frame for entry in archive.entries] == [0, 9]


def test_both_have_the_bytes_that_were_asked_for(
    made: SimpleNamespace, tmp_path: Path, praised: Callable[..., None]
) -> None:
    praised(30.0, {"0-0": 3.0})
    folder = made.scenes(tmp_path / "in", (0,), (0,), 33)
    options = replace(AUTO, crf=None, bits_per_pixel=0.6, weight_bits=4)
    result = encode([folder], tmp_path / "a.dnerv", options)
    assert result.network is not None
    assert result.bits_per_pixel == pytest.approx(0.6, rel=0.1)  # the network's coded bytes are estimated
    with Archive(tmp_path / "a.dnerv") as archive:
        assert archive.config.network is not None


def test_a_gain_is_at_equal_bytes(folder: Path) -> None:
    base = ArchiveQuality(30.0, 28.0, 30.0, None, 0.1, 1000, [])
    network = replace(base, psnr_of_mean_mse=32.0, file_bytes=2000)
    assert gain_over(base, network, 12.0) == pytest.approx(2.0 - 12.0 * log10(2))
    assert gain_over(base, replace(network, file_bytes=1000), 12.0) == 2.0


@pytest.mark.parametrize("network", ["auto", "always"])
def test_base_layers_keep_their_references(
    made: SimpleNamespace, tmp_path: Path, praised: Callable[..., None], network: Literal["auto", "always"]
) -> None:
    """Behind a network groups start from shared pictures, too, and its inputs are the frames decoded from there."""
    praised(30.0, {f"0-{episode}": 3.0 for episode in range(3)})
    folder = made.scenes(tmp_path / "in", (0,), (0, 1, 2), 9)
    result = encode([folder], tmp_path / "a.dnerv", replace(AUTO, network=network))
    assert result.network is not None
    with Archive(tmp_path / "a.dnerv") as archive, Archive(tmp_path / "a.dnerv", layers="base") as base:
        assert len(archive.references) == 1
        for name in archive.names:
            assert archive[name].entry.references == (0,)
            made_, blends = (each[name][:].numpy().astype(int) for each in (archive, base))
            assert np.abs(made_ - blends).max() <= 1  # an untrained network blends
