"""The index: where every video of an archive is found, however many there are.

    directory (section INDX): for each block its place, its videos, frames and pixels, and its first name
    blocks (anywhere in the file): up to `BLOCK_ROWS` videos each, sorted by name (`entry.py`)

Opening reads the directory alone, some bytes a block; one video is found by bisecting first names and inflating one
block. A change writes the blocks that it touches anew and leaves the others where they are.
"""

from __future__ import annotations

from bisect import bisect_right
from collections import OrderedDict
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, fields
from itertools import accumulate, pairwise
from zlib import crc32

from dnerv.archive.entry import MOST_ROWS, Rows, VideoEntry, encode_block, sort_key
from dnerv.archive.limits import FRAMES, VIDEOS, Bounds
from dnerv.archive.sharing import turns
from dnerv.bitstream.integers import Cursor, decode_integers, encode_integers, split_integers
from dnerv.errors import ArchiveError

BLOCK_ROWS = 128
_BLOCK_NUMBERS = 1 << 18  # integers of a block, about: fewer of long videos stand in one
_KEPT_BLOCKS, _KEPT_MEMORY = 8, 64 << 20  # decoded blocks that an index holds, and bytes of them
_NUMBERS_OF_ENTRY = 32  # integers that a video takes, its packets and times apart

Append = Callable[[bytes], tuple[int, int, int]]  # writes bytes: offset, length, crc32


@dataclass(frozen=True)
class Block:
    """Where a block lies and what it holds."""

    first: bytes  # `sort_key` of its first video's name
    offset: int  # in the file
    length: int  # bytes
    crc32: int
    rows: int  # videos
    frames: int  # of all of them
    pixels: int  # of these frames as coded
    packet_bytes: int  # of its videos' base layers


_COLUMNS = tuple(field.name for field in fields(Block))[1:]


def write_block(entries: Sequence[VideoEntry], append: Append) -> Block:
    """Write videos, sorted by name, as a block."""
    return Block(
        sort_key(entries[0].name),
        *append(encode_block(entries)),
        len(entries),
        sum(e.timing.num_frames for e in entries),
        sum(e.num_pixels for e in entries),
        sum(e.num_bytes for e in entries),
    )


def write_blocks(entries: Iterable[VideoEntry], append: Append) -> list[Block]:
    """Write videos, sorted by name, as blocks of `BLOCK_ROWS`, or fewer long ones; a block is in memory at a time."""
    blocks, rows, numbers = [], list[VideoEntry](), 0
    for entry in entries:
        if rows and (len(rows) == BLOCK_ROWS or numbers + _numbers(entry) > _BLOCK_NUMBERS):
            blocks.append(write_block(rows, append))
            rows, numbers = [], 0
        rows.append(entry)
        numbers += _numbers(entry)
    return [*blocks, write_block(rows, append)] if rows else blocks


def _numbers(entry: VideoEntry) -> int:
    """Integers that a video takes in a block, about."""
    steps = 0 if isinstance(entry.timing.pts, range) else entry.timing.num_frames
    return _NUMBERS_OF_ENTRY + entry.num_coded + entry.num_groups + steps


def encode_directory(blocks: Sequence[Block]) -> bytes:
    """The bytes of the directory."""
    columns = [[len(b.first) for b in blocks], *[[getattr(b, name) for b in blocks] for name in _COLUMNS]]
    integers = b"".join(encode_integers(column) for column in columns)
    return encode_integers([len(blocks), len(integers)]) + integers + b"".join(b.first for b in blocks)


def decode_directory(data: bytes) -> tuple[Block, ...]:
    """Inverse of `encode_directory`. Raises ArchiveError for anything else."""
    (count, size), start = split_integers(data, 2)
    if not 0 < count <= size <= len(data) - start:
        raise ArchiveError("the archive's index is damaged: its directory has an impossible number of blocks")
    cursor = Cursor(decode_integers(data[start : start + size]))
    lengths = cursor.take(count).tolist()
    columns = [cursor.take(count).tolist() for _ in _COLUMNS]
    cursor.check_end()
    if sum(lengths) != len(data) - start - size:
        raise ArchiveError("the archive's index is damaged: its directory's names do not fit")
    ends = [*accumulate(lengths, initial=start + size)]
    firsts = [data[a:b] for a, b in pairwise(ends)]
    blocks = tuple(Block(first, *facts) for first, *facts in zip(firsts, *columns, strict=True))
    if any(a.first >= b.first for a, b in pairwise(blocks)):
        raise ArchiveError("the archive's index is damaged: its blocks are not sorted by name")
    if any(not 1 <= block.rows <= MOST_ROWS for block in blocks):
        raise ArchiveError(f"the archive's index is damaged: blocks hold 1 to {MOST_ROWS} videos")
    return blocks


class Index:
    """The videos of an archive, by place or by name. Safe to share between threads."""

    def __init__(self, blocks: Sequence[Block], read_at: Callable[[int, int], bytes], bounds: Bounds) -> None:
        """Raises ArchiveError where blocks lie outside the file, or it asks for too much.

        Args:
            blocks: of `decode_directory`.
            read_at: gives bytes of the file by offset and length.
            bounds: what videos may refer to.
        """
        self.blocks, self._read_at, self._bounds = tuple(blocks), read_at, bounds
        self._firsts = [block.first for block in self.blocks]
        self._starts = [*accumulate((block.rows for block in self.blocks), initial=0)]
        self._decoded: OrderedDict[int, Rows] = OrderedDict()
        self._lock = turns()
        for block in self.blocks:
            bounds.check_span("a block of its index", block.offset, block.length)
        bounds.limits.check(VIDEOS, len(self))
        bounds.limits.check(FRAMES, self.num_frames)

    def __len__(self) -> int:
        return self._starts[-1]

    def __getitem__(self, place: int) -> VideoEntry:
        """The video of this place, counted from 0 in the order of names. IndexError outside."""
        if not 0 <= place < len(self):
            raise IndexError(f"video {place}: there are {len(self)}")
        number = bisect_right(self._starts, place) - 1
        return self.block(number)[place - self._starts[number]]

    def __iter__(self) -> Iterator[VideoEntry]:
        for number in range(len(self.blocks)):
            yield from self.block(number)

    def names(self) -> Iterator[str]:
        """All names, sorted by their bytes; faster than by way of entries. Raises ArchiveError for one that is none."""
        for number in range(len(self.blocks)):
            rows = self.block(number)
            yield from map(rows.name, range(len(rows)))

    def find(self, name: str) -> int | None:
        """The place of the video of this name, or None."""
        key = sort_key(name)
        number = bisect_right(self._firsts, key) - 1
        if number < 0:
            return None
        rows = self.block(number)
        row = bisect_right(range(len(rows)), key, key=rows.key) - 1
        return self._starts[number] + row if rows.key(row) == key else None

    @property
    def num_frames(self) -> int:
        """Frames of all videos."""
        return sum(block.frames for block in self.blocks)

    @property
    def num_pixels(self) -> int:
        """Pixels of all frames as coded: what bits per pixel are counted on."""
        return sum(block.pixels for block in self.blocks)

    @property
    def packet_bytes(self) -> int:
        """Bytes of all base layers."""
        return sum(block.packet_bytes for block in self.blocks)

    @property
    def block_bytes(self) -> int:
        """Bytes of all blocks."""
        return sum(block.length for block in self.blocks)

    def block(self, number: int) -> Rows:
        """The videos of a block. Raises ArchiveError where it is damaged."""
        with self._lock:
            if number in self._decoded:
                self._decoded.move_to_end(number)
                return self._decoded[number]
        rows = self._read(number)
        with self._lock:
            self._decoded[number] = rows
            while len(self._decoded) > 1 and (len(self._decoded) > _KEPT_BLOCKS or self._memory > _KEPT_MEMORY):
                self._decoded.popitem(last=False)
        return rows

    @property
    def _memory(self) -> int:
        return sum(rows.memory for rows in self._decoded.values())

    def _read(self, number: int) -> Rows:
        block = self.blocks[number]
        data = self._read_at(block.offset, block.length)
        if crc32(data) != block.crc32:
            raise ArchiveError("the archive is damaged: the checksum of a block of its index does not match")
        rows = Rows(data, block.rows, self._bounds)
        keys = [*rows.keys, *self._firsts[number + 1 : number + 2]]
        if keys[0] != block.first or any(a >= b for a, b in pairwise(keys)):
            raise ArchiveError("the archive's index is damaged: its videos are not sorted by name")
        if (rows.num_frames, rows.num_pixels, rows.num_bytes) != (block.frames, block.pixels, block.packet_bytes):
            raise ArchiveError("the archive's index is damaged: its directory does not fit a block's videos")
        return rows


def merged(index: Index, new: Sequence[VideoEntry], gone: frozenset[str], append: Append) -> list[Block]:
    """The blocks of an index with `new` videos and without those named in `gone`; others stay where they are."""
    fresh: dict[int, list[VideoEntry]] = {}
    firsts = [block.first for block in index.blocks]

    def touched(name: str) -> list[VideoEntry]:
        return fresh.setdefault(max(0, bisect_right(firsts, sort_key(name)) - 1), [])

    for entry in new:
        touched(entry.name).append(entry)
    for name in gone:
        touched(name)
    blocks: list[Block] = []
    for number, block in enumerate(index.blocks):
        if number not in fresh:
            blocks.append(block)
            continue
        kept = [entry for entry in index.block(number) if entry.name not in gone]
        rows = sorted([*kept, *fresh[number]], key=lambda entry: sort_key(entry.name))
        if 0 < len(rows) <= 2 * BLOCK_ROWS and sum(map(_numbers, rows)) <= 2 * _BLOCK_NUMBERS:
            blocks.append(write_block(rows, append))
        else:
            blocks += write_blocks(rows, append)
    return blocks
