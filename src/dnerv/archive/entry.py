"""What an archive knows of one video, and many of them as a block of bytes.

A block holds up to a few hundred videos as columns, deflated: what is alike in neighbouring videos takes next to
nothing, and one video is found by inflating one block. Every value comes from an untrusted file, and is checked against
what there is in it: packets lie inside the file and take a byte at least, so that frames are bounded by it too.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import groupby, pairwise

import numpy as np

from dnerv.archive.limits import CODED_PIXELS, INDEX_MEMORY, SHOWN_PIXELS, Bounds
from dnerv.bitstream.header import HEADER_SIZE
from dnerv.bitstream.integers import (
    Cursor,
    Integers,
    decode_integers,
    encode_integers,
    split_integers,
    unzigzag,
    zigzag,
)
from dnerv.errors import ArchiveError, InputError
from dnerv.video import Timeline, Timing
from dnerv.video.names import refusal
from dnerv.video.timing import MAX_FRAMES

MOST_ROWS = 4096  # of a block
MAX_SIDE = 65_536  # pixels; more is no video
MAX_PIXELS = 1 << 27  # of one frame, just above 16K video: a small file must not ask for all of the memory
MAX_DISTANCE = 65_535  # frames
MAX_GROUP = 1 << 26  # coded frames
_MAX_CRF4 = 1023
_RAW_DEFLATE = -15
_MEMORY_PER_BYTE = 32  # what an inflated byte takes, decoded: half of it in a block that is kept
OWN_INTRA = -1  # in place of a reference: the group starts with an intra frame of its own


@dataclass(frozen=True)
class VideoEntry:
    """One video of the archive: names, times, and where its base layer lies.

    The base layer codes frames 0, k, 2k, ... and the last, in groups of `group_length` coded frames (the last group may
    be shorter), each decodable by itself, after the packet of its reference where it has one. Without base layer k is
    0, there are neither packets nor groups, and the network makes every frame.
    """

    name: str
    label: str | None
    original_size: tuple[int, int]  # height, width of the frames that decoding returns
    coded_size: tuple[int, int]  # height, width of the coded frames
    timing: Timing  # one time per frame
    distance: int  # k, frames from one coded frame to the next; 0 without base layer
    group_length: int  # coded frames; 0 without base layer
    format: int  # place in the configuration's list of formats; 0 without base layer
    crf: float  # the encoder's quality setting in quarters: for people, and for priors
    references: tuple[int, ...]  # of each group: place in the archive's list of references, or OWN_INTRA
    packet_lengths: tuple[int, ...]  # bytes, one a coded frame
    checksums: tuple[int, ...]  # of each group: the low 16 bits of the crc32 of its packets
    offset: int  # of its first packet in the file
    network_frame: int | None  # the network's place of its first frame; None where the network is not used

    @property
    def timeline(self) -> Timeline:
        """Which frames are coded. InputError without base layer."""
        return Timeline(self.timing.num_frames, 1, self.distance)

    @property
    def num_coded(self) -> int:
        """Coded frames, and packets."""
        return len(self.packet_lengths)

    @property
    def access(self) -> int:
        """Coded frames that are decoded at most, beside a reference, before any frame is there."""
        return access_of(self.group_length, self.distance, self.num_coded)

    @property
    def num_groups(self) -> int:
        """Groups that decode by themselves."""
        return len(self.references)

    @property
    def num_bytes(self) -> int:
        """Of all its packets."""
        return sum(self.packet_lengths)

    @property
    def num_pixels(self) -> int:
        """Of all its frames as coded."""
        return self.timing.num_frames * self.coded_size[0] * self.coded_size[1]

    def group_packets(self, group: int) -> range:
        """Places of the group's packets among the video's."""
        first = group * self.group_length
        return range(first, min(first + self.group_length, self.num_coded))

    def group_span(self, group: int) -> tuple[int, int]:
        """Offset in the file and length of a group's packets, in bytes."""
        packets = self.group_packets(group)
        before = sum(self.packet_lengths[: packets.start])
        return self.offset + before, sum(self.packet_lengths[packets.start : packets.stop])


def access_of(group_length: int, distance: int, num_coded: int) -> int:
    """Coded frames, of a video's `num_coded`, that any frame takes at most, beside a reference."""
    reaches_next = distance > 1  # a blend at the end of a group needs the first frame of the next
    return min(group_length + reaches_next, num_coded)


def sort_key(name: str) -> bytes:
    """Names are in the order of their bytes."""
    return name.encode("utf-8", "surrogatepass")


def encode_block(entries: Sequence[VideoEntry]) -> bytes:
    """The bytes of up to `MOST_ROWS` videos, in the order given."""
    labels = sorted({e.label for e in entries if e.label is not None}, key=sort_key)
    names, texts = [sort_key(e.name) for e in entries], [sort_key(label) for label in labels]
    runs = [[(ref + 2, len(list(same))) for ref, same in groupby(e.references)] for e in entries]
    offsets = _filled(entries)
    ends = [offset + e.num_bytes for offset, e in zip(offsets, entries, strict=True)]
    irregular = [e.timing.pts for e in entries if not isinstance(e.timing.pts, range)]
    columns: list[Sequence[int] | Integers] = [
        [len(labels), *map(len, texts)],
        [*map(len, names)],
        [0 if e.label is None else 1 + labels.index(e.label) for e in entries],
        *_size_columns(entries),
        [e.timing.time_base.numerator for e in entries],
        [e.timing.time_base.denominator for e in entries],
        zigzag(np.array([e.timing.pts[0] for e in entries], np.int64)),
        [e.timing.last_duration for e in entries],
        [e.timing.num_frames for e in entries],
        [e.timing.pts.step if isinstance(e.timing.pts, range) else 0 for e in entries],
        [after - before for pts in irregular for before, after in pairwise(pts)],
        [e.distance for e in entries],
        [e.group_length if e.distance else 0 for e in entries],
        [e.format if e.distance else 0 for e in entries],
        [round(4 * e.crf) for e in entries],
        [0 if e.network_frame is None else 1 + e.network_frame for e in entries],
        [len(r) for r in runs],
        [number for r in runs for pair in r for number in pair],
        zigzag(np.array([offset - end for offset, end in zip(offsets, [0, *ends], strict=False)], np.int64)),
        [length for e in entries for length in e.packet_lengths],
    ]
    integers = encode_integers(np.concatenate([np.asarray(column, np.int64) for column in columns]))
    checksums = np.array([c for e in entries for c in e.checksums], "<u2").tobytes()
    body = encode_integers([len(integers), len(checksums)]) + integers + checksums + b"".join([*texts, *names])
    deflater = zlib.compressobj(9, zlib.DEFLATED, _RAW_DEFLATE, 9)
    return deflater.compress(body) + deflater.flush()


class Rows:
    """The videos of a block, made one by one when they are asked for; what a file could get wrong is checked before."""

    def __init__(self, data: bytes, count: int, bounds: Bounds) -> None:
        """From the bytes of a block of `count` videos. Raises ArchiveError for what `encode_block` does not write."""
        integers, self._checksums, text = _parts(_inflated(data, bounds.limits.of(INDEX_MEMORY) // _MEMORY_PER_BYTE))
        c = Cursor(decode_integers(integers))
        self.memory = _MEMORY_PER_BYTE // 2 * len(integers) + len(text)  # bytes, about
        label_lengths = c.take(c.one())
        _check(np.array([len(label_lengths)]), 0, count, "number of labels")
        self._text, self._ends = text, _ends(text, label_lengths, c.take(count))
        self._labels = len(label_lengths)
        self._label, self._height, self._width, *coded = (c.take(count) for _ in range(5))
        self._numerator, self._denominator, start, self._last, self._frames, self._step = (
            c.take(count) for _ in range(6)
        )
        self._start = unzigzag(start)
        self._coded_height, self._coded_width = (
            np.where(a == 0, b, a) for a, b in zip(coded, (self._height, self._width), strict=True)
        )
        self._check_plain(bounds)
        irregular = np.where(self._step == 0, self._frames - 1, 0)
        self._deltas, self._delta_at = c.take(_sum(irregular)), _starts(irregular)
        self._distance, self._group, self._format, self._crf4, self._network, runs = (c.take(count) for _ in range(6))
        self._check_layers(bounds)
        has_base = self._distance > 0
        coded_frames = np.where(has_base, -(-(self._frames - 1) // np.maximum(1, self._distance)) + 1, 0)
        groups = -(-coded_frames // np.maximum(1, self._group))
        self._runs, self._run_at = c.take(2 * _sum(runs)), 2 * _starts(runs)
        gaps = unzigzag(c.take(count))
        self._lengths, self._length_at = c.take(_sum(coded_frames)), _starts(coded_frames)
        c.check_end()
        if len(self._checksums) != _sum(groups):
            raise ArchiveError("the archive's index is damaged: its checksums do not fit its groups")
        self._group_at = _starts(groups)
        self._check_runs(groups, bounds)
        self._bytes = self._packet_bytes(bounds)
        self._offset = self._offsets(gaps, bounds)

    def __len__(self) -> int:
        return len(self._label)

    def key(self, row: int) -> bytes:
        """`sort_key` of a video's name."""
        return self._text[self._ends[self._labels + row] : self._ends[self._labels + row + 1]]

    @property
    def keys(self) -> list[bytes]:
        """`sort_key` of all names."""
        return [self.key(row) for row in range(len(self))]

    def name(self, row: int) -> str:
        """A video's name. Raises ArchiveError where it is none."""
        name = _as_text(self.key(row))
        reason = refusal(name)
        if reason is not None:
            raise ArchiveError(f"the archive's index has a video named {name[:80]!r}, which {reason}")
        return name

    def may_hold(self, text: str) -> bool:
        """Whether casefolded `text` is in a name or a label, or where two of them meet; if not, no row has it."""
        return text in _as_text(self._text).casefold()

    def label(self, row: int) -> str | None:
        """A video's label. Raises ArchiveError where it is no text."""
        label = int(self._label[row])
        return _as_text(self._text[self._ends[label - 1] : self._ends[label]]) if label else None

    @property
    def num_frames(self) -> int:
        """Frames of all its videos."""
        return sum(self._frames.tolist())

    @property
    def num_pixels(self) -> int:
        """Pixels of all its videos' frames as coded."""
        areas = (self._coded_height * self._coded_width).tolist()
        return sum(frames * area for frames, area in zip(self._frames.tolist(), areas, strict=True))

    @property
    def num_bytes(self) -> int:
        """Of all its videos' packets."""
        return sum(self._bytes.tolist())

    def __getitem__(self, row: int) -> VideoEntry:
        """The video of this row. Raises ArchiveError where its times or its name are none."""
        network = int(self._network[row])
        first_run, past_run = self._run_at[row : row + 2].tolist()
        references = np.repeat(self._runs[first_run:past_run:2] - 2, self._runs[first_run + 1 : past_run : 2])
        first, past = self._length_at[row : row + 2].tolist()
        first_group, past_group = self._group_at[row : row + 2].tolist()
        return VideoEntry(
            name=self.name(row),
            label=self.label(row),
            original_size=(int(self._height[row]), int(self._width[row])),
            coded_size=(int(self._coded_height[row]), int(self._coded_width[row])),
            timing=self._timing(row),
            distance=int(self._distance[row]),
            group_length=int(self._group[row]),
            format=int(self._format[row]),
            crf=int(self._crf4[row]) / 4,
            references=tuple(references.tolist()),
            packet_lengths=tuple(self._lengths[first:past].tolist()),
            checksums=tuple(self._checksums[first_group:past_group].tolist()),
            offset=int(self._offset[row]) if past > first else 0,
            network_frame=network - 1 if network else None,
        )

    def __iter__(self) -> Iterator[VideoEntry]:
        return (self[row] for row in range(len(self)))

    def _timing(self, row: int) -> Timing:
        first, count, step = int(self._start[row]), int(self._frames[row]), int(self._step[row])
        pts: Sequence[int] = range(first, first + step * count, step) if step else ()
        if not step:
            a, b = self._delta_at[row : row + 2].tolist()
            pts = np.cumsum(np.concatenate([[first], self._deltas[a:b]])).tolist()
        try:
            return Timing(Fraction(int(self._numerator[row]), int(self._denominator[row])), pts, int(self._last[row]))
        except InputError as error:
            raise ArchiveError(f"the archive's index is damaged: {error}") from error

    def _check_plain(self, bounds: Bounds) -> None:
        _check(self._label, 0, self._labels, "label")
        for height, width, what in (
            (self._height, self._width, SHOWN_PIXELS),
            (self._coded_height, self._coded_width, CODED_PIXELS),
        ):
            _check(height, 1, MAX_SIDE, "height")
            _check(width, 1, MAX_SIDE, "width")
            _check(height * width, 1, MAX_PIXELS, "frame's number of pixels")
            bounds.limits.check(what, int((height * width).max()))
        _check(self._numerator, 1, 2**31 - 1, "time base")
        _check(self._denominator, 1, 2**31 - 1, "time base")
        _check(self._frames, 1, MAX_FRAMES, "number of frames")
        _check(self._step, 0, 2**53, "time step")
        _check(self._start, -(2**53), 2**53, "time")
        _check(self._last, 1, 2**53, "duration")

    def _check_layers(self, bounds: Bounds) -> None:
        _check(self._deltas, 1, 2**53, "time step")
        has_base = self._distance > 0
        _check(self._distance, 0, MAX_DISTANCE, "distance")
        _check(self._group[has_base], 1, MAX_GROUP, "group length")
        _check(self._group[~has_base], 0, 0, "group length")
        _check(self._format[has_base], 0, bounds.num_formats - 1, "format")
        _check(self._format[~has_base], 0, 0, "format")
        _check(self._crf4, 0, _MAX_CRF4, "crf")
        _check(self._network, 0, bounds.network_frames, "place in the network's time")
        if bool((~has_base & (self._network == 0)).any()):
            raise ArchiveError("the archive's index is damaged: a video has neither base layer nor network")

    def _check_runs(self, groups: Integers, bounds: Bounds) -> None:
        values, counts = self._runs[0::2], self._runs[1::2]
        _check(values, 1, bounds.num_references + 1, "reference")
        _check(counts, 1, MAX_FRAMES, "number of groups")
        totals = np.concatenate([[0], np.cumsum(counts)])[self._run_at // 2]
        if bool((np.diff(totals) != groups).any()):
            raise ArchiveError("the archive's index is damaged: its references do not fit its groups")

    def _packet_bytes(self, bounds: Bounds) -> Integers:
        """Bytes of each video's packets."""
        _check(self._lengths, 1, bounds.file_bytes, "packet's length")
        if _sum(self._lengths) >= 2**62:
            raise ArchiveError("the archive's index is damaged: its packets are longer than the file")
        return np.diff(_starts(self._lengths)[self._length_at])

    def _offsets(self, gaps: Integers, bounds: Bounds) -> Integers:
        """Of each video's first packet in the file."""
        if _sum(abs(gaps)) >= 2**62:
            raise ArchiveError("the archive's index is damaged: a video's packets lie outside the file")
        offsets: Integers = np.cumsum(gaps + np.concatenate([[0], self._bytes[:-1]]))
        has_base = self._distance > 0
        _check(offsets[has_base], HEADER_SIZE, bounds.file_bytes, "video's first packet")
        _check((offsets + self._bytes)[has_base], HEADER_SIZE, bounds.file_bytes, "video's last packet")
        return offsets


def _inflated(data: bytes, most: int) -> bytes:
    inflater = zlib.decompressobj(_RAW_DEFLATE)
    try:
        body = inflater.decompress(data, most + 1)
    except zlib.error as error:
        raise ArchiveError(f"the archive's index is damaged: {error}") from error
    if len(body) > most:
        raise ArchiveError(f"a block of the archive's index of {len(data):,} bytes inflates to more than {most:,}")
    if not inflater.eof or inflater.unused_data:
        raise ArchiveError("the archive's index is damaged: a block does not end where it should")
    return body


def _parts(body: bytes) -> tuple[bytes, Integers, bytes]:
    """Integers, checksums [groups] and text of a block."""
    (first, second), start = split_integers(body, 2)
    if second % 2 or start + first + second > len(body):
        raise ArchiveError("the archive's index is damaged: a block is cut")
    checksums = np.frombuffer(body, "<u2", second // 2, start + first).astype(np.int64)
    return body[start : start + first], checksums, body[start + first + second :]


def _ends(text: bytes, labels: Integers, names: Integers) -> list[int]:
    """Where each label and then each name of `text` ends, after a 0."""
    lengths = np.concatenate([labels, names])
    if _sum(lengths) != len(text):
        raise ArchiveError("the archive's index is damaged: its names do not fit their lengths")
    ends: list[int] = _starts(lengths).tolist()
    return ends


def _as_text(data: bytes) -> str:
    try:
        return data.decode("utf-8", "surrogatepass")
    except UnicodeDecodeError as error:
        raise ArchiveError(f"the archive's index is damaged: a name is no text ({error.reason})") from error


def _size_columns(entries: Sequence[VideoEntry]) -> list[list[int]]:
    coded = [(0, 0) if e.coded_size == e.original_size else e.coded_size for e in entries]
    return [
        [e.original_size[0] for e in entries],
        [e.original_size[1] for e in entries],
        [height for height, _ in coded],
        [width for _, width in coded],
    ]


def _filled(entries: Sequence[VideoEntry]) -> list[int]:
    """Offset of each; that of a video without packets is where the one before ends, which takes least bytes."""
    offsets, end = [], 0
    for entry in entries:
        offsets.append(entry.offset if entry.packet_lengths else end)
        end = offsets[-1] + entry.num_bytes
    return offsets


def _sum(values: Integers) -> int:
    """The sum; one beyond 2^62 as 2^62: integers of a hostile file would overflow."""
    return int(min(values.astype(np.float64).sum(), 2.0**62))


def _starts(lengths: Integers) -> Integers:
    return np.concatenate([[0], np.cumsum(lengths)])


def _check(values: Integers, low: int, high: int, what: str) -> None:
    if values.size and not low <= int(values.min()) <= int(values.max()) <= high:
        raise ArchiveError(f"the archive's index is damaged: a {what} lies outside {low} to {high}")
