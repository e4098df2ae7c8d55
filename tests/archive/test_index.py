"""The index: opened by its directory, searched by name, changed block by block."""

from __future__ import annotations

import threading
from collections.abc import Iterable
from dataclasses import replace
from fractions import Fraction
from zlib import crc32

import numpy as np
import pytest

from dnerv.archive import index as index_module
from dnerv.archive.entry import MOST_ROWS, OWN_INTRA, VideoEntry, encode_block, sort_key
from dnerv.archive.index import (
    BLOCK_ROWS,
    Block,
    Index,
    decode_directory,
    encode_directory,
    merged,
    write_block,
    write_blocks,
)
from dnerv.archive.limits import Bounds, Limits
from dnerv.errors import ArchiveError
from dnerv.video import Timing

PLAIN = VideoEntry(
    name="",
    label=None,
    original_size=(120, 160),
    coded_size=(120, 160),
    timing=Timing.constant(Fraction(25), 9),
    distance=4,
    group_length=4,
    format=0,
    crf=40.0,
    references=(OWN_INTRA,),
    packet_lengths=(90, 40, 80),
    checksums=(7,),
    offset=68,
    network_frame=None,
)
HEADER = bytes(68)


class File:
    """Stands for an archive's file: blocks behind a header, and how often it was read."""

    def __init__(self) -> None:
        self.data, self.reads = bytearray(HEADER + bytes(500)), 0

    def append(self, data: bytes) -> tuple[int, int, int]:
        self.data += data
        return len(self.data) - len(data), len(data), crc32(data)

    def read_at(self, offset: int, length: int) -> bytes:
        self.reads += 1
        return bytes(self.data[offset : offset + length])

    def index(self, blocks: Iterable[Block]) -> Index:
        return Index([*blocks], self.read_at, self.bounds)

    @property
    def bounds(self) -> Bounds:
        return Bounds(Limits(len(self.data)), num_formats=1, num_references=0, network_frames=0)


@pytest.fixture
def file() -> File:
    return File()


def named(*names: str) -> list[VideoEntry]:
    return sorted((replace(PLAIN, name=name) for name in names), key=lambda entry: sort_key(entry.name))


def numbered(count: int) -> list[VideoEntry]:
    return named(*(f"clip{number:05d}" for number in range(count)))


@pytest.mark.parametrize("count", [1, 2, BLOCK_ROWS, BLOCK_ROWS + 1, 3 * BLOCK_ROWS + 7])
def test_round_trip(file: File, count: int) -> None:
    entries = numbered(count)
    blocks = write_blocks(iter(entries), file.append)
    assert [block.rows for block in blocks] == [BLOCK_ROWS] * (count // BLOCK_ROWS) + [count % BLOCK_ROWS] * (
        count % BLOCK_ROWS > 0
    )
    index = file.index(decode_directory(encode_directory(blocks)))
    assert len(index) == count
    assert [*index] == entries
    assert [*index.names()] == [entry.name for entry in entries]
    assert index.num_frames == 9 * count
    assert index.num_pixels == 9 * count * 120 * 160
    assert index.packet_bytes == 210 * count
    assert index.block_bytes == len(file.data) - len(HEADER) - 500


def test_a_video_is_found_by_reading_one_block(file: File) -> None:
    index = file.index(write_blocks(numbered(5 * BLOCK_ROWS), file.append))
    assert file.reads == 0
    for place in (0, 1, BLOCK_ROWS - 1, BLOCK_ROWS, 5 * BLOCK_ROWS - 1):
        file.reads = 0
        fresh = file.index(index.blocks)
        assert fresh.find(f"clip{place:05d}") == place
        assert fresh[place].name == f"clip{place:05d}"
        assert file.reads == 1
    for name in ("", "clip", "clip00000a", "clip99999", "zebra", "\ud800"):
        assert index.find(name) is None
    for place in (-1, 5 * BLOCK_ROWS):
        with pytest.raises(IndexError):
            index[place]


def test_names_are_in_the_order_of_their_bytes(file: File) -> None:
    names = ["z", "a", "ä", "Z", "a/b", "a-b", "\udcff", "\U0001f600", "\uffff"]
    index = file.index(write_blocks(named(*names), file.append))
    assert [*index.names()] == sorted(names, key=sort_key)
    for name in names:
        place = index.find(name)
        assert place is not None
        assert index[place].name == name


def test_long_videos_stand_in_smaller_blocks(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_BLOCK_NUMBERS", 2000)
    steps = Timing(Fraction(1, 1000), np.cumsum(np.arange(1, 700)).tolist(), 5)
    long = replace(PLAIN, timing=steps, distance=1000, packet_lengths=(5, 6))
    entries = [replace(long if number % 3 else PLAIN, name=f"{number:03d}") for number in range(60)]
    blocks = write_blocks(entries, file.append)
    assert max(block.rows for block in blocks) <= 4
    assert [*file.index(blocks)] == entries
    alone = [replace(long, name=name, timing=Timing.constant(Fraction(25), 9), distance=1) for name in "ab"]
    alone = [replace(entry, packet_lengths=(1,) * 9, group_length=9) for entry in alone]
    monkeypatch.setattr(index_module, "_BLOCK_NUMBERS", 1)
    assert [block.rows for block in write_blocks(alone, file.append)] == [1, 1]


def test_few_blocks_are_held(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "_KEPT_BLOCKS", 2)
    index = file.index(write_blocks(numbered(4 * BLOCK_ROWS), file.append))
    for number in (0, 1, 0, 2, 0):
        index.block(number)
    assert file.reads == 3
    index.block(1)
    assert file.reads == 4
    monkeypatch.setattr(index_module, "_KEPT_MEMORY", 1)
    index.block(1)
    index.block(3)
    index.block(3)
    assert file.reads == 5
    index.block(1)
    assert file.reads == 6


def test_threads_share_it(file: File) -> None:
    entries = numbered(6 * BLOCK_ROWS)
    index, wrong = file.index(write_blocks(entries, file.append)), list[str]()

    def find(first: int) -> None:
        for place in range(first, len(entries), 97):
            if index.find(entries[place].name) != place or index[place] != entries[place]:
                wrong.append(entries[place].name)

    threads = [threading.Thread(target=find, args=(first,)) for first in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong


def change(file: File, index: Index, new: list[VideoEntry], gone: Iterable[str] = ()) -> Index:
    return file.index(merged(index, new, frozenset(gone), file.append))


def test_a_change_writes_the_blocks_that_it_touches(file: File) -> None:
    entries = numbered(4 * BLOCK_ROWS)
    before = file.index(write_blocks(entries, file.append))
    (added,) = named("clip00200a")
    after = change(file, before, [added], gone=["clip00201", "clip00202"])
    assert [block == old for block, old in zip(after.blocks, before.blocks, strict=True)] == [True, False, True, True]
    names = sorted({entry.name for entry in entries} - {"clip00201", "clip00202"} | {"clip00200a"})
    assert [*after.names()] == names
    assert [*before.names()] == [entry.name for entry in entries]  # whoever has the old directory open


def test_what_comes_before_and_behind_all_others(file: File) -> None:
    before = file.index(write_blocks(numbered(2 * BLOCK_ROWS), file.append))
    after = change(file, before, named("a", "b", "zebra"))
    assert [*after.names()] == ["a", "b", *before.names(), "zebra"]
    assert after.blocks[0].first == b"a"


def test_blocks_split_when_they_grow_and_go_when_they_are_empty(file: File, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(index_module, "BLOCK_ROWS", 8)
    index = file.index(write_blocks(named("m"), file.append))
    for number in range(24):
        index = change(file, index, named(f"n{number:05d}"))
    assert len(index) == 25
    assert 2 <= len(index.blocks) <= 4
    assert max(block.rows for block in index.blocks) <= 16
    first = [*index.names()][: index.blocks[0].rows]
    assert len(change(file, index, [], gone=first).blocks) == len(index.blocks) - 1


def test_a_video_is_replaced_by_another_of_its_name(file: File) -> None:
    before = file.index(write_blocks(numbered(3), file.append))
    after = change(file, before, [replace(PLAIN, name="clip00001", crf=20.0)], gone=["clip00001"])
    assert [entry.crf for entry in after] == [40.0, 20.0, 40.0]


def test_damage_is_named(file: File) -> None:
    blocks = write_blocks(numbered(3), file.append)
    file.data[blocks[0].offset + 5] ^= 1
    with pytest.raises(ArchiveError, match="checksum of a block of its index does not match"):
        file.index(blocks).find("clip00001")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"frames": 26}, "does not fit a block's videos"),
        ({"pixels": 26}, "does not fit a block's videos"),
        ({"packet_bytes": 26}, "does not fit a block's videos"),
        ({"rows": 2}, "damaged"),
        ({"rows": 4}, "damaged"),
        ({"first": b"clip"}, "not sorted by name"),
        ({"crc32": 2**40}, "checksum"),
    ],
)
def test_a_directory_that_does_not_fit_its_blocks(file: File, changes: dict[str, int], message: str) -> None:
    (block,) = write_blocks(numbered(3), file.append)
    with pytest.raises(ArchiveError, match=message):
        file.index([replace(block, **changes)]).find("clip00001")


@pytest.mark.parametrize("names", [["b", "a"], ["a", "a"]])
def test_blocks_whose_names_are_not_sorted(file: File, names: list[str]) -> None:
    block = write_block([replace(PLAIN, name=name) for name in names], file.append)
    with pytest.raises(ArchiveError, match="not sorted by name"):
        file.index([block])[0]


def test_names_do_not_reach_into_the_next_block(file: File) -> None:
    blocks = [write_block(named("a", "n"), file.append), write_block(named("m", "z"), file.append)]
    with pytest.raises(ArchiveError, match="not sorted by name"):
        file.index(blocks).find("a")


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"offset": 67}, "a block of its index lies outside"),
        ({"length": 2**40}, "a block of its index lies outside"),
        ({"offset": 2**62, "length": 2**62}, "a block of its index lies outside"),
        ({"frames": 2**40}, "asks for .* frames"),
    ],
)
def test_what_is_refused_on_opening(file: File, changes: dict[str, int], message: str) -> None:
    (block,) = write_blocks(numbered(3), file.append)
    with pytest.raises(ArchiveError, match=message):
        file.index([replace(block, **changes)])
    assert file.reads == 0


def test_more_videos_than_such_a_file_may_have(file: File) -> None:
    (block,) = write_blocks(numbered(3), file.append)
    blocks = [replace(block, first=b"%d" % number, rows=MOST_ROWS) for number in range(1, 3)]
    with pytest.raises(ArchiveError, match=r"asks for 8,192 videos"):
        file.index(blocks)


def directory(*blocks: Block) -> bytes:
    return encode_directory(blocks)


BLOCK = Block(b"a", 68, 10, 1, 2, 3, 4, 5)


def test_golden_directory() -> None:
    assert directory(BLOCK, replace(BLOCK, first=b"bcd", offset=300)).hex(" ") == (
        "02 11 01 03 44 ac 02 0a 0a 01 01 02 02 03 03 04 04 05 05 61 62 63 64"
    )


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x80",
        directory(),
        directory(BLOCK)[:-1],
        directory(BLOCK) + b"a",
        directory(BLOCK, BLOCK),
        directory(replace(BLOCK, first=b"b"), BLOCK),
        directory(replace(BLOCK, rows=0)),
        directory(replace(BLOCK, rows=MOST_ROWS + 1)),
        b"\xff\xff\xff\xff\x7f\x05" + directory(BLOCK)[2:],
        b"\x02" + directory(BLOCK)[1:],
    ],
)
def test_hostile_directories(data: bytes) -> None:
    with pytest.raises(ArchiveError, match="damaged"):
        decode_directory(data)


def test_a_directory_cut_anywhere_is_refused() -> None:
    data = directory(BLOCK, replace(BLOCK, first=b"b"))
    assert len(decode_directory(data)) == 2
    for length in range(len(data)):
        with pytest.raises(ArchiveError):
            decode_directory(data[:length])


def test_a_block_takes_some_bytes_a_video() -> None:
    assert len(encode_block(numbered(BLOCK_ROWS))) < 8 * BLOCK_ROWS
