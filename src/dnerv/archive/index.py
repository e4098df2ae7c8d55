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
from dataclasses import dataclass
from itertools import accumulate, islice
from threading import Lock
from zlib import crc32

from dnerv.archive.entry import MOST_ROWS, Rows, VideoEntry, encode_block, sort_key
from dnerv.bitstream.integers import Cursor, decode_integers, encode_integers
from dnerv.errors import ArchiveError

BLOCK_ROWS = 256
_KEPT_BLOCKS = 8  # decoded blocks that an index holds
_MOST_BLOCKS = 1 << 24

Append = Callable[[bytes], tuple[int, int, int]]  # writes bytes: offset, length, crc32


@dataclass(frozen=True)
class Block:
    """Where a block lies and what it holds."""

    first: bytes  # `sort_key` of its first video's name
    offset: int  # in the file
    length: int  # bytes
    crc32: int
    rows: int
    frames: int
    pixels: int
    packet_bytes: int  # of its videos' base layers


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
    """Write videos, sorted by name, as blocks of `BLOCK_ROWS`; a block is in memory at a time."""
    source, blocks = iter(entries), []
    while rows := list(islice(source, BLOCK_ROWS)):
        blocks.append(write_block(rows, append))
    return blocks


def encode_directory(blocks: Sequence[Block]) -> bytes:
    """The bytes of the directory."""
    columns = [
        [len(b.first) for b in blocks],
        *[[getattr(b, name) for b in blocks] for name in _COLUMNS],
    ]
    integers = b"".join(encode_integers(column) for column in columns)
    return encode_integers([len(blocks), len(integers)]) + integers + b"".join(b.first for b in blocks)


def decode_directory(data: bytes) -> tuple[Block, ...]:
    """Inverse of `encode_directory`. Raises ArchiveError for anything else."""
    stops = [i for i, byte in enumerate(data[:18]) if byte < 0x80][:2]
    if len(stops) < 2:
        raise ArchiveError("the archive's index is damaged: its directory is cut")
    count, size = decode_integers(data[: stops[1] + 1]).tolist()
    start = stops[1] + 1
    if not 0 < count <= min(_MOST_BLOCKS, size) or start + size > len(data):
        raise ArchiveError("the archive's index is damaged: its directory has an impossible number of blocks")
    cursor = Cursor(decode_integers(data[start : start + size]))
    lengths = cursor.take(count).tolist()
    columns = [cursor.take(count).tolist() for _ in _COLUMNS]
    cursor.check_end()
    if sum(lengths) != len(data) - start - size:
        raise ArchiveError("the archive's index is damaged: its directory's names do not fit")
    ends = [start + size, *accumulate(lengths, initial=start + size)][1:]
    firsts = [data[a:b] for a, b in zip(ends, ends[1:], strict=False)]
    blocks = tuple(Block(first, *facts) for first, *facts in zip(firsts, *columns, strict=True))
    if any(a.first >= b.first for a, b in zip(blocks, blocks[1:], strict=False)):
        raise ArchiveError("the archive's index is damaged: its blocks are not sorted by name")
    if any(not 1 <= block.rows <= MOST_ROWS for block in blocks):
        raise ArchiveError(f"the archive's index is damaged: blocks hold 1 to {MOST_ROWS} videos")
    return blocks


_COLUMNS = ("offset", "length", "crc32", "rows", "frames", "pixels", "packet_bytes")


class Index:
    """The videos of an archive, by place or by name. Safe to share between threads."""

    def __init__(self, blocks: Sequence[Block], read_at: Callable[[int, int], bytes]) -> None:
        """`read_at`: gives bytes of the file by offset and length."""
        self.blocks, self._read_at = tuple(blocks), read_at
        self._firsts = [block.first for block in self.blocks]
        self._starts = [*accumulate((block.rows for block in self.blocks), initial=0)]
        self._decoded: OrderedDict[int, Rows] = OrderedDict()
        self._lock = Lock()

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

    def find(self, name: str) -> int | None:
        """The place of the video of this name, or None."""
        key = sort_key(name)
        number = bisect_right(self._firsts, key) - 1
        if number < 0:
            return None
        rows = self.block(number)
        row = bisect_right(rows.keys, key) - 1
        return self._starts[number] + row if row >= 0 and rows.key(row) == key else None

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
        rows = self._read(self.blocks[number])
        with self._lock:
            self._decoded[number] = rows
            while len(self._decoded) > _KEPT_BLOCKS:
                self._decoded.popitem(last=False)
        return rows

    def _read(self, block: Block) -> Rows:
        data = self._read_at(block.offset, block.length)
        if crc32(data) != block.crc32:
            raise ArchiveError("the archive is damaged: the checksum of a block of its index does not match")
        rows = Rows(data, block.rows)
        keys = rows.keys
        if keys[0] != block.first or any(a >= b for a, b in zip(keys, keys[1:], strict=False)):
            raise ArchiveError("the archive's index is damaged: its videos are not sorted by name")
        return rows


def merged(index: Index, new: Sequence[VideoEntry], gone: frozenset[str], append: Append) -> list[Block]:
    """The blocks of an index with `new` videos and without those named in `gone`; untouched blocks stay where they are."""
    fresh: dict[int, list[VideoEntry]] = {}
    firsts = [block.first for block in index.blocks]
    for entry in new:
        fresh.setdefault(max(0, bisect_right(firsts, sort_key(entry.name)) - 1), []).append(entry)
    for name in gone:
        fresh.setdefault(max(0, bisect_right(firsts, sort_key(name)) - 1), [])
    blocks: list[Block] = []
    for number, block in enumerate(index.blocks):
        if number not in fresh:
            blocks.append(block)
            continue
        kept = [entry for entry in index.block(number) if entry.name not in gone]
        rows = sorted([*kept, *fresh[number]], key=lambda entry: sort_key(entry.name))
        size = BLOCK_ROWS if len(rows) > 2 * BLOCK_ROWS else max(1, len(rows))
        blocks += [write_block(rows[i : i + size], append) for i in range(0, len(rows), size)]
    if not index.blocks:
        blocks = write_blocks(sorted(new, key=lambda entry: sort_key(entry.name)), append)
    return blocks
