"""Several files as one: what `merge` would make of them, without making it."""

from __future__ import annotations

import pickle
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch
from remote import RangeServer

import dnerv
from dnerv.archive import Archive, Collection, open_archives
from dnerv.archive.changing import merge
from dnerv.errors import ArchiveError, InputError, VideoNameError

NAMES = ["a/one", "a/two", "b", "c", "d", "z"]


@pytest.fixture
def collection(shards: list[Path]) -> Iterator[Collection]:
    opened = open_archives(shards)
    assert isinstance(opened, Collection)
    with opened:
        yield opened


def test_it_reads_as_what_merge_makes(collection: Collection, shards: list[Path], tmp_path: Path) -> None:
    merge(shards, tmp_path / "all.dnerv")
    with Archive(tmp_path / "all.dnerv") as merged:
        assert collection.names == merged.names == NAMES
        assert [entry.name for entry in collection.entries] == NAMES
        assert [entry.name for entry in collection.entries[1:5:2]] == ["a/two", "c"]
        assert (collection.entries[-1].name, len(collection.entries)) == ("z", 6)
        assert (len(collection), collection.num_frames) == (len(merged), merged.num_frames)
        assert collection.num_pixels == merged.num_pixels
        assert [reader.metadata for reader in collection] == [reader.metadata for reader in merged]
        for place, name in enumerate(NAMES):
            assert torch.equal(collection[name][:], merged[name][:])
            assert (collection.place_of(name), merged.place_of(name)) == (place, place)
            assert collection.located(place)[1].name == merged.located(place)[1].name == name


def test_what_is_known_of_it(collection: Collection, shards: list[Path]) -> None:
    assert collection.file_bytes == sum(path.stat().st_size for path in shards)
    assert collection.bits_per_pixel == 8 * collection.file_bytes / (32 * 32 * collection.num_frames)
    assert repr(collection) == f"<dnerv collection of 3 archives: 6 videos, {3 * 9 + 2 * 10 + 11} frames>"
    assert ("c" in collection, "e" in collection, collection.place_of("e")) == (True, False, None)
    assert not collection.is_remote
    parts = [archive.breakdown() for archive in collection.archives]
    assert collection.breakdown() == {purpose: sum(part[purpose] for part in parts) for purpose in parts[0]}
    assert sum(collection.breakdown().values()) == collection.file_bytes
    with pytest.raises(VideoNameError, match=r"no video is called 'e' in 3 archives; there are 6: a/one, .*, \.\.\."):
        collection["e"]
    for read in (collection, collection.archives[0]):
        with pytest.raises(InputError, match=r"found by their names, and 0 is none"):
            read[0]  # type: ignore[index]
    for place in (-7, 6):
        with pytest.raises(IndexError):
            collection.entries[place]


def test_a_name_that_two_have_is_refused_with_both_files(shards: list[Path], tmp_path: Path) -> None:
    twice = shutil.copy(shards[0], tmp_path / "twice.dnerv")
    before = len([*Path("/proc/self/fd").iterdir()])
    with pytest.raises(InputError, match="each name once") as caught:
        open_archives([*shards, twice])
    for name in ("a/two", "c", "z"):
        assert f"{name!r} in {shards[0]} and in {twice}" in str(caught.value)
    with pytest.raises(ArchiveError, match=r"nothing\.dnerv: no such file"):
        open_archives([*shards, tmp_path / "nothing.dnerv"])
    assert len([*Path("/proc/self/fd").iterdir()]) == before


def test_patterns(shards: list[Path], tmp_path: Path) -> None:
    folder = shards[0].parent
    with dnerv.open(f"{folder}/shard-*.dnerv") as found, dnerv.open([folder / "shard-[01].dnerv", shards[2]]) as listed:
        assert found.names == listed.names == NAMES
    with dnerv.open([shards[0]]) as one:
        assert (type(one), one.title) == (Collection, "shard-0.dnerv")
    literal = shutil.copy(shards[0], tmp_path / "a[1].dnerv")
    with dnerv.open(literal) as archive:
        assert isinstance(archive, Archive)
    with pytest.raises(InputError, match=r"no file matches '.*/none-\*\.dnerv'"):
        dnerv.open(str(tmp_path / "none-*.dnerv"))
    with pytest.raises(InputError, match="at least one archive"):
        dnerv.open([])


def test_options_are_those_of_all(shards: list[Path]) -> None:
    with open_archives(shards, layers="base", size="coded") as collection:
        assert collection.reopened(layers="base") is collection
        with collection.reopened(layers="all") as other:
            assert (collection.layers, other.layers) == ("base", "all")
            assert [each.layers for each in other.archives] == ["all"] * 3
            assert other.names == NAMES
    archives = [Archive(shards[0]), Archive(shards[1], layers="base")]
    with pytest.raises(InputError, match="the same layers, device and precision"):
        Collection(archives)
    for archive in archives:
        archive.close()


def test_it_pickles(collection: Collection) -> None:
    with pickle.loads(pickle.dumps(collection)) as again:
        assert again.names == NAMES
        assert torch.equal(again["c"][3], collection["c"][3])


def test_it_closes_all(shards: list[Path]) -> None:
    with open_archives(shards) as collection:
        readers = [collection[name] for name in ("b", "d", "z")]
    for reader in readers:
        with pytest.raises(ValueError, match="is closed"):
            _ = reader[0]


def test_files_behind_urls(shards: list[Path], collection: Collection) -> None:
    pytest.importorskip("aiohttp")
    with RangeServer({path.name: path.read_bytes() for path in shards}) as server:
        with dnerv.open([f"{server.url}/{path.name}" for path in shards]) as remote:
            assert remote.is_remote
            assert remote.names == NAMES
            server.counted()
            assert torch.equal(remote["b"][:], collection["b"][:])
            assert server.counted()[0] <= 2  # a video's groups, and the reference of some
        with dnerv.open([f"{server.url}/{shards[0].name}", shards[1]]) as mixed:
            assert mixed.names == ["a/one", "a/two", "c", "d", "z"]
