"""Batches from afar, and from several files: those of one file at hand, in as few requests as there are samples."""

from __future__ import annotations

import pickle
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import torch
from remote import RangeServer
from torch.utils.data import DataLoader

import dnerv
from dnerv.archive.changing import merge
from dnerv.errors import ArchiveError, InputError
from dnerv.loading import ClipDataset, Loader

pytest.importorskip("aiohttp")
OPTIONS: dict[str, Any] = {"batch_size": 2, "clip_length": 2, "shuffle": True, "seed": 3}


@pytest.fixture
def server(base_path: Path) -> Iterator[RangeServer]:
    with RangeServer({"a.dnerv": base_path.read_bytes()}) as running:
        yield running


def batches(loader: Loader) -> list[tuple[torch.Tensor, list[int], list[str]]]:
    return [(clips, labels.tolist(), info["video"]) for clips, labels, info in loader]


def assert_same(found: list[Any], expected: list[Any]) -> None:
    for (clips, *facts), (others, *known) in zip(found, expected, strict=True):
        assert torch.equal(clips, others)
        assert facts == known


def test_a_loader_gives_the_batches_of_the_local_file(server: RangeServer, base_path: Path) -> None:
    loader = Loader(f"{server.url}/a.dnerv", **OPTIONS)
    opening, _ = server.counted()
    assert opening <= 4  # a look, header, tail, index
    assert_same(batches(loader), batches(Loader(base_path, **OPTIONS)))
    requests, sent = server.counted()
    assert requests <= loader.num_clips + 1  # a reference
    assert sent <= base_path.stat().st_size
    assert repr(loader) == "<loader of 'a.dnerv': 22 clips, 11 batches>"


def test_workers_read_for_themselves(server: RangeServer, base_path: Path) -> None:
    """Forked ones; spawned ones have the data set unpickled, and a container's test reads in such a process."""
    dataset, local = ClipDataset(f"{server.url}/a.dnerv", clip_length=8), ClipDataset(base_path, clip_length=8)
    dataset[0]  # has connections when it forks
    items: Any = DataLoader(dataset, batch_size=None, num_workers=1, multiprocessing_context="fork")
    for (clip, label, _), (other, known, _) in zip(items, local, strict=False):  # type: ignore[call-overload]
        assert torch.equal(clip, other)
        assert label == known
    assert torch.equal(dataset[3][0], local[3][0])
    assert torch.equal(pickle.loads(pickle.dumps(dataset))[3][0], local[3][0])


def test_a_loader_says_that_the_archive_was_replaced(server: RangeServer, some_path: Path) -> None:
    loader = Loader(f"{server.url}/a.dnerv", **OPTIONS)
    server.files["a.dnerv"] = some_path.read_bytes()
    with pytest.raises(ArchiveError, match=r"/a\.dnerv: the archive has been replaced since it was opened"):
        batches(loader)


def test_several_files_give_the_batches_of_the_merged_one(shards: list[Path], tmp_path: Path) -> None:
    merge(shards, tmp_path / "all.dnerv")
    loader, merged = Loader(shards, **OPTIONS), Loader(tmp_path / "all.dnerv", **OPTIONS)
    assert loader.class_names == merged.class_names == ["a"]
    assert_same(batches(loader), batches(merged))
    with dnerv.open(shards) as collection:
        assert_same(batches(Loader(collection, **OPTIONS)), batches(Loader(tmp_path / "all.dnerv", **OPTIONS)))
    data, known = ClipDataset(shards), ClipDataset(tmp_path / "all.dnerv")
    assert len(data) == len(known)
    for (clip, label, info), (other, number, facts) in zip(data, known, strict=True):  # type: ignore[call-overload]
        assert torch.equal(clip, other)
        assert (label, info["video"]) == (number, facts["video"])
    assert (repr(data), repr(loader)[:26]) == (f"<{len(data)} clips of '3 archives'>", "<loader of '3 archives': 2")


def test_files_with_networks_and_without(shards: list[Path], alike_path: Path, base_path: Path) -> None:
    """Each video by its own file's network, clips of that network's length."""
    files = [*shards, alike_path]
    loader, alone = Loader(files, batch_size=64), Loader(alike_path, batch_size=64)
    assert loader.clip_shape == alone.clip_shape == (4, 3, 32, 32)
    names = {name: clip for clips, _, name_of in batches(loader) for clip, name in zip(clips, name_of, strict=True)}
    expected = {name: clip for clips, _, name_of in batches(alone) for clip, name in zip(clips, name_of, strict=True)}
    for name, clip in expected.items():
        assert torch.allclose(names[name], clip, atol=2 / 255)
    done, _, _ = next(iter(Loader(files, batch_size=64, normalise="archive")))
    plain, _, _ = next(iter(loader))
    with dnerv.open(files) as collection:  # first frames stand for all: no one network's statistics do
        pixels = torch.cat([reader[0].flatten(1) for reader in collection], 1).double() / 255
    mean, std = (values.view(3, 1, 1).float() for values in (pixels.mean(1), pixels.std(1, correction=0)))
    assert torch.allclose(done, (plain - mean) / std.clamp_min(0.02), atol=0.05)
    with pytest.raises(InputError, match="each name once"):
        Loader([alike_path, base_path], batch_size=1)
