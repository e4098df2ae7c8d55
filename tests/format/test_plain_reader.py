"""A reader that shares no code with the package gives the same frames: the page about the format says all of it."""

from __future__ import annotations

import ast
import hashlib
import json
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerv.archive import Archive
from dnerv.archive.priors import PLACES

HERE, GOLDEN = Path(__file__).parent, Path(__file__).parents[1] / "golden"
NAMES = sorted(path.stem for path in GOLDEN.glob("*.dnerv"))
FRAMES: dict[str, dict[str, list[str]]] = json.loads((GOLDEN / "frames.json").read_text())


@pytest.fixture(autouse=True)
def beside(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.syspath_prepend(HERE)
    monkeypatch.setenv(PLACES, str(GOLDEN))


def plain(name: str) -> Any:
    from plain_reader import PlainArchive  # type: ignore[import-not-found]

    return PlainArchive(GOLDEN / f"{name}.dnerv")


def test_it_imports_numpy_and_pyav_alone() -> None:
    tree = ast.parse((HERE / "plain_reader.py").read_text())
    names = {alias.name for node in ast.walk(tree) if isinstance(node, ast.Import) for alias in node.names}
    names |= {str(node.module) for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}
    assert {name.split(".")[0] for name in names} - sys.stdlib_module_names == {"av", "numpy"}


@pytest.mark.parametrize("name", NAMES)
def test_frames_of_base_layers(name: str) -> None:
    archive = plain(name)
    with_base = [video for video in archive.names if archive.videos[video]["distance"]]
    assert with_base == list(FRAMES[name])
    for video in with_base:
        frames = archive.frames(video)
        assert frames.dtype == np.uint8
        assert [hashlib.sha256(frame.tobytes()).hexdigest() for frame in frames] == FRAMES[name][video]


@pytest.mark.parametrize("name", NAMES)
def test_names_sizes_times_and_places(name: str) -> None:
    archive = plain(name)
    with Archive(GOLDEN / f"{name}.dnerv") as other:
        assert archive.names == other.names
        for entry in other.entries:
            video = archive.videos[entry.name]
            assert (video["label"], video["frames"]) == (entry.label, entry.timing.num_frames)
            assert (video["height"], video["width"]) == entry.original_size
            assert (video["coded_height"], video["coded_width"]) == entry.coded_size
            assert video["seconds"] == entry.timing.seconds.tolist()
            assert video["end_seconds"] == entry.timing.end_seconds
            assert video["quarters_of_crf"] == 4 * entry.crf
            assert (video["network"] or None) == (None if entry.network_frame is None else entry.network_frame + 1)
        seeds = [(offset, length) for *_, offset, length in archive.references]
        assert seeds == [(each.seed_offset, each.seed_length) for each in other.references]


@pytest.mark.parametrize("name", ["sizes", "own"])
def test_frames_as_they_are_shown(name: str) -> None:
    """Processors scale in integers, with rounded weights: a level here and there is theirs."""
    archive = plain(name)
    with Archive(GOLDEN / f"{name}.dnerv", layers="base") as other:
        for video in archive.names:
            made, expected = archive.shown(video), other[video][:].permute(0, 2, 3, 1).numpy()
            assert made.shape == expected.shape
            difference = np.abs(made.astype(int) - expected)
            assert difference.max() <= 2
            assert difference.mean() < 0.02


@pytest.mark.parametrize("name", ["dnerv", "nerv"])
def test_frames_of_networks(name: str) -> None:
    from plain_network import network_frames  # type: ignore[import-not-found]

    archive = plain(name)
    with np.load(GOLDEN / "frames.npz") as stored:
        users = [video for video in archive.names if archive.videos[video]["network"]]
        assert users
        for video in users:
            made, expected = network_frames(archive, video), stored[f"{name} {video}"].transpose(0, 2, 3, 1)
            assert made.shape == expected.shape
            difference = np.abs(made.astype(int) - expected)
            assert difference.max() <= 1
            assert difference.mean() < 0.01


def test_it_notices_damage() -> None:
    from plain_reader import PlainArchive

    data = (GOLDEN / "own.dnerv").read_bytes()
    archive = PlainArchive(GOLDEN / "own.dnerv")
    archive.data = data[:70] + bytes([data[70] ^ 1]) + data[71:]
    with pytest.raises(AssertionError, match="a group is damaged"):
        archive.frames("walk/first")
