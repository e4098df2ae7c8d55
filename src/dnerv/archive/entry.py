"""What an archive knows of one video, and many of them as a block of bytes.

A block holds up to some hundreds of videos as columns, deflated: what is alike in neighbouring videos takes next to
nothing, and one video is found by inflating one block. Every value comes from an untrusted file and is checked.
"""

from __future__ import annotations

import zlib
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from fractions import Fraction
from itertools import accumulate, groupby, pairwise

import numpy as np

from dnerv.bitstream.integers import Cursor, Integers, decode_integers, encode_integers, unzigzag, zigzag
from dnerv.errors import ArchiveError, InputError
from dnerv.video import Timeline, Timing
from dnerv.video.timing import MAX_FRAMES

MOST_ROWS = 4096  # of a block
_MOST_BYTES = 1 << 26  # of an inflated block
_MAX_SIDE = 65_536  # pixels; more is no video
_MAX_PIXELS = 1 << 27  # of one frame, just above 16K video: a small file must not ask for all of the memory
_RAW_DEFLATE = -15
OWN_INTRA = -1  # in place of a reference: the group starts with an intra frame of its own


@dataclass(frozen=True)
class VideoEntry:
    """One video of the archive: names, times, and where its base layer lies.

    The base layer codes frames 0, k, 2k, ... and the last, in groups of `group_length` coded frames (the last group may be
    shorter), each decodable by itself, after the packet of its reference where it has one.
    """

    name: str
    label: str | None
    original_size: tuple[int, int]  # height, width of the frames that decoding returns
    coded_size: tuple[int, int]  # height, width of the coded frames
    timing: Timing  # one time per frame
    distance: int  # k, frames from one coded frame to the next
    group_length: int  # coded frames
    format: int  # place in the configuration's list of formats
    crf: float  # the encoder's quality setting, for people
    references: tuple[int, ...]  # of each group: place in the archive's list of references, or OWN_INTRA
    packet_lengths: tuple[int, ...]  # bytes, one a coded frame
    checksums: tuple[int, ...]  # of each group: the low 16 bits of the crc32 of its packets
    offset: int  # of its first packet in the file
    network_frame: int | None = None  # the network's place of its first frame; None where the network is not used

    @property
    def timeline(self) -> Timeline:
        """Which frames are coded."""
        return Timeline(self.timing.num_frames, 1, self.distance)

    @property
    def num_coded(self) -> int:
        """Coded frames, and packets."""
        return len(self.packet_lengths)

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


def sort_key(name: str) -> bytes:
    """Names are in the order of their bytes."""
    return name.encode("utf-8", "surrogatepass")


def encode_block(entries: Sequence[VideoEntry]) -> bytes:
    """The bytes of up to `MOST_ROWS` videos, in the order given."""
    labels = sorted({e.label for e in entries if e.label is not None}, key=sort_key)
    names, texts = [sort_key(e.name) for e in entries], [sort_key(label) for label in labels]
    runs = [[(ref + 2, len(list(same))) for ref, same in groupby(e.references)] for e in entries]
    ends = [e.offset + e.num_bytes for e in entries]
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
        [e.group_length for e in entries],
        [e.format for e in entries],
        [round(4 * e.crf) for e in entries],
        [0 if e.network_frame is None else 1 + e.network_frame for e in entries],
        [len(r) for r in runs],
        [number for r in runs for pair in r for number in pair],
        zigzag(np.array([e.offset - end for e, end in zip(entries, [0, *ends], strict=False)], np.int64)),
        [length for e in entries for length in e.packet_lengths],
    ]
    integers = b"".join(encode_integers(column) for column in columns)
    checksums = np.array([c for e in entries for c in e.checksums], "<u2").tobytes()
    body = encode_integers([len(integers), len(checksums)]) + integers + checksums + b"".join([*texts, *names])
    deflater = zlib.compressobj(9, zlib.DEFLATED, _RAW_DEFLATE, 9)
    return deflater.compress(body) + deflater.flush()


class Rows:
    """The videos of a block, made one by one when they are asked for; all that a file could get wrong is checked at once."""

    def __init__(self, data: bytes, count: int) -> None:
        """From the bytes of a block of `count` videos. Raises ArchiveError for anything that `encode_block` does not write."""
        integers, self._checksums, text = _parts(_inflated(data))
        c = Cursor(decode_integers(integers))
        label_lengths = c.take(c.one())
        self._text, self._ends = text, _ends(text, label_lengths, c.take(count))
        self._labels = len(label_lengths)
        self._label, self._height, self._width, self._coded_height, self._coded_width = (c.take(count) for _ in range(5))
        self._numerator, self._denominator, start, self._last, self._frames, self._step = (c.take(count) for _ in range(6))
        self._start = unzigzag(start)
        self._check_plain()
        irregular = np.where(self._step == 0, self._frames - 1, 0)
        self._deltas, self._delta_at = c.take(_sum(irregular)), _starts(irregular)
        self._distance, self._group, self._format, self._crf4, self._network, runs = (c.take(count) for _ in range(6))
        _check(self._distance, 1, 65_535, "distance")
        _check(self._group, 1, 1 << 20, "group length")
        coded = -(-(self._frames - 1) // self._distance) + 1
        groups = -(-coded // self._group)
        self._runs, self._run_at = c.take(2 * _sum(runs)), 2 * _starts(runs)
        gaps = unzigzag(c.take(count))
        self._lengths, self._length_at = c.take(_sum(coded)), _starts(coded)
        c.check_end()
        if len(self._checksums) != _sum(groups):
            raise ArchiveError("the archive's index is damaged: its checksums do not fit its groups")
        self._group_at = _starts(groups)
        if _sum(self._lengths) >= 2**62 or _sum(abs(gaps)) >= 2**62:
            raise ArchiveError("the archive's index is damaged: a video's packets lie outside the file")
        sizes = np.diff(np.concatenate([[0], np.cumsum(self._lengths)])[self._length_at])
        self._offset = np.cumsum(gaps + np.concatenate([[0], sizes[:-1]]))
        self._check_runs(groups)

    def __len__(self) -> int:
        return len(self._label)

    def key(self, row: int) -> bytes:
        """`sort_key` of a video's name."""
        return self._text[self._ends[self._labels + row] : self._ends[self._labels + row + 1]]

    @property
    def keys(self) -> list[bytes]:
        """`sort_key` of all names."""
        return [self.key(row) for row in range(len(self))]

    def __getitem__(self, row: int) -> VideoEntry:
        """The video of this row. Raises ArchiveError where its times or its name are none."""
        original = int(self._height[row]), int(self._width[row])
        coded = int(self._coded_height[row]) or original[0], int(self._coded_width[row]) or original[1]
        label, network = int(self._label[row]), int(self._network[row])
        first_run, past_run = self._run_at[row : row + 2].tolist()
        references = np.repeat(self._runs[first_run:past_run:2] - 2, self._runs[first_run + 1 : past_run : 2])
        first, past = self._length_at[row : row + 2].tolist()
        first_group, past_group = self._group_at[row : row + 2].tolist()
        return VideoEntry(
            _checked_name(_as_text(self.key(row))),
            _as_text(self._text[self._ends[label - 1] : self._ends[label]]) if label else None,
            original,
            coded,
            self._timing(row),
            int(self._distance[row]),
            int(self._group[row]),
            int(self._format[row]),
            int(self._crf4[row]) / 4,
            tuple(references.tolist()),
            tuple(self._lengths[first:past].tolist()),
            tuple(self._checksums[first_group:past_group].tolist()),
            int(self._offset[row]),
            network - 1 if network else None,
        )

    def __iter__(self) -> Iterator[VideoEntry]:
        return (self[row] for row in range(len(self)))

    def _timing(self, row: int) -> Timing:
        first, count, step = int(self._start[row]), int(self._frames[row]), int(self._step[row])
        pts: Sequence[int] = range(first, first + step * count, step) if step else ()
        if not step:
            a, b = self._delta_at[row : row + 2].tolist()
            pts = [*accumulate(self._deltas[a:b].tolist(), initial=first)]
        try:
            return Timing(Fraction(int(self._numerator[row]), int(self._denominator[row])), pts, int(self._last[row]))
        except InputError as error:
            raise ArchiveError(f"the archive's index is damaged: {error}") from error

    def _check_plain(self) -> None:
        _check(self._label, 0, self._labels, "label")
        coded_height = np.where(self._coded_height == 0, self._height, self._coded_height)
        coded_width = np.where(self._coded_width == 0, self._width, self._coded_width)
        for height, width in ((self._height, self._width), (coded_height, coded_width)):
            _check(height, 1, _MAX_SIDE, "height")
            _check(width, 1, _MAX_SIDE, "width")
            _check(height * width, 1, _MAX_PIXELS, "frame's number of pixels")
        _check(self._numerator, 1, 2**31 - 1, "time base")
        _check(self._denominator, 1, 2**31 - 1, "time base")
        _check(self._frames, 1, MAX_FRAMES, "number of frames")
        _check(self._step, 0, 2**53, "time step")

    def _check_runs(self, groups: Integers) -> None:
        values, counts = self._runs[0::2], self._runs[1::2]
        _check(values, 1, 2**31, "reference")
        _check(counts, 1, MAX_FRAMES, "number of groups")
        totals = np.concatenate([[0], np.cumsum(counts)])[self._run_at // 2]
        if bool((np.diff(totals) != groups).any()):
            raise ArchiveError("the archive's index is damaged: its references do not fit its groups")


def _inflated(data: bytes) -> bytes:
    inflater = zlib.decompressobj(_RAW_DEFLATE)
    try:
        body = inflater.decompress(data, _MOST_BYTES + 1)
    except zlib.error as error:
        raise ArchiveError(f"the archive's index is damaged: {error}") from error
    if len(body) > _MOST_BYTES or not inflater.eof or inflater.unused_data:
        raise ArchiveError("the archive's index is damaged: a block is not as long as it should be")
    return body


def _parts(body: bytes) -> tuple[bytes, Integers, bytes]:
    """Integers, checksums [groups] and text of a block."""
    head = body[:18]
    stops = [i for i, byte in enumerate(head) if byte < 0x80][:2]
    if len(stops) < 2:
        raise ArchiveError("the archive's index is damaged: a block is cut")
    first, second = decode_integers(head[: stops[1] + 1]).tolist()
    start = stops[1] + 1
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


def _sum(values: Integers) -> int:
    """The sum; one beyond 2^62 as 2^62: integers of a hostile file would overflow."""
    return int(min(values.astype(np.float64).sum(), 2.0**62))


def _starts(lengths: Integers) -> Integers:
    return np.concatenate([[0], np.cumsum(lengths)])


def _check(values: Integers, low: int, high: int, what: str) -> None:
    if values.size and not low <= int(values.min()) <= int(values.max()) <= high:
        raise ArchiveError(f"the archive's index is damaged: a {what} lies outside {low} to {high}")


def _checked_name(name: str) -> str:
    """A relative path without `..`: decoding writes files under it."""
    if not name or "\0" in name or "\\" in name:
        raise ArchiveError(f"the archive's index has a video named {name!r}")
    if name.startswith("/") or any(part in ("", ".", "..") for part in name.split("/")):
        raise ArchiveError(f"the archive's index has a video named {name!r}, which is no relative path")
    return name
