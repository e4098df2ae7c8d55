"""The base layer of an archive: AV1 packets of every k-th frame, in groups, and what lies between them as blends.

    entry, frames wanted ── coded frames needed ── groups ── [reference packet] + packets ── dav1d ─┬─ RGB ── blends
                                                                                                   └─ samples

Decoding needs neither torch nor the network. A group's checksum is compared before its packets are decoded. A frame is
the same to the bit in whatever order frames are asked for. Pictures that are decoded on the way to others stay as they
are; those that are wanted become RGB, or go to an accelerator as samples (`base_on_device`).
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from itertools import accumulate, groupby, pairwise
from typing import TYPE_CHECKING
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dnerv.archive.config import PlaneFormat
from dnerv.archive.entry import OWN_INTRA, VideoEntry
from dnerv.archive.references import Reference, digest_of
from dnerv.codecs import Frame, decode_packets, decode_pictures
from dnerv.codecs.blending import blends_into
from dnerv.errors import ArchiveError, InputError

if TYPE_CHECKING:
    from dnerv.codecs import Picture

ReadAt = Callable[[int, int], bytes]  # bytes of the file by offset and length
Prepare = Callable[[Sequence[tuple[int, int]]], None]  # is told of all that will be read, (offset, length) each
_KEPT_BYTES = 4 << 20  # of decoded pictures that a reader holds beside the two that a blend needs
_PIXEL_BYTES = 6  # that a kept picture takes at most: three of samples, three of RGB


class BaseLayer:
    """Coded frames, and blends of them, of the videos of one archive. Threads may share it: it has no state."""

    def __init__(
        self,
        read_at: ReadAt,
        formats: Sequence[PlaneFormat],
        references: Sequence[Reference],
        prepare: Prepare | None = None,
    ) -> None:
        """`prepare`: where it makes reading faster to know of several reads before the first."""
        self._read_at, self._formats, self._references, self._prepare = read_at, formats, references, prepare

    def frames(self, entry: VideoEntry, positions: Sequence[int] | Sequence[float]) -> NDArray[np.uint8]:
        """Frames in the order asked for: uint8 [n, 3, H, W] RGB at the coded size. See `BaseReader.frames`."""
        return self.reader(entry).frames(positions)

    def coded(self, entry: VideoEntry, ordinals: Sequence[int]) -> list[Frame]:
        """Coded frames by ordinal: uint8 [H, W, 3] each. Raises ArchiveError, InputError as `reader`."""
        return self.reader(entry).coded(ordinals)

    def reader(self, entry: VideoEntry) -> BaseReader:
        """A reader of one video, which goes on where it was. Raises InputError for a video without a base layer."""
        if not entry.distance:
            raise InputError(f"video {entry.name!r} has no base layer: only the network makes its frames")
        return BaseReader(self, entry)

    def check(self, entry: VideoEntry) -> None:
        """Compare every group with its checksum, and its reference with what it must be. Raises ArchiveError."""
        if not entry.distance:
            return
        self.format_of(entry)
        for place in sorted(set(entry.references) - {OWN_INTRA}):
            self.reference_packet(place, entry)
        ends = packet_ends(entry)
        for group in range(entry.num_groups):
            self.packets(entry, group, ends)

    def format_of(self, entry: VideoEntry) -> PlaneFormat:
        """Of a video's packets. Raises ArchiveError where the archive does not describe it."""
        if not 0 <= entry.format < len(self._formats):
            raise ArchiveError(f"video {entry.name!r} is of a format that the archive does not describe")
        return self._formats[entry.format]

    def reference_packet(self, place: int, entry: VideoEntry | None = None) -> bytes:
        """The packet of a reference, without its sequence header.

        Raises ArchiveError where it is damaged, there is none of this place, or it does not fit the video.
        """
        if not 0 <= place < len(self._references):
            raise ArchiveError(f"the archive has no reference {place}")
        reference = self._references[place]
        if entry is not None and not self._fits(reference, entry):
            raise ArchiveError(
                f"video {entry.name!r} starts from reference {place}, which is of another size or format"
            )
        packet = self._read_at(reference.offset, reference.length)
        if digest_of(packet) != reference.digest:
            raise ArchiveError(f"the archive is damaged: reference {place} does not match its name")
        return packet

    def _fits(self, reference: Reference, entry: VideoEntry) -> bool:
        """Whether the reference's packet can stand before the video's: what is shown of them is another matter."""
        if (reference.height, reference.width) != entry.coded_size or not 0 <= reference.format < len(self._formats):
            return False
        coded, video = self._formats[reference.format], self.format_of(entry)
        return (coded.planes, coded.header) == (video.planes, video.header)

    def check_reference(self, place: int) -> None:
        """Compare a reference with its name, and decode its seed where it has one. Raises ArchiveError."""
        self.reference_packet(place)
        self.seed(place)

    def seed(self, place: int) -> Frame | None:
        """The picture that a reference was made from, uint8 [H, W, 3]; None where it has none. Raises ArchiveError."""
        reference = self._references[place]
        if not reference.seed_length:
            return None
        if not 0 <= reference.format < len(self._formats):
            raise ArchiveError(f"reference {place} is of a format that the archive does not describe")
        known = self._formats[reference.format]
        data = known.header + self._read_at(reference.seed_offset, reference.seed_length)
        return next(decode_packets([data], height=reference.height, width=reference.width, planes=known.planes))

    def reference_picture(self, place: int) -> Frame:
        """What a reference shows, uint8 [H, W, 3]. Raises ArchiveError."""
        packet, reference = self.reference_packet(place), self._references[place]
        if not 0 <= reference.format < len(self._formats):
            raise ArchiveError(f"reference {place} is of a format that the archive does not describe")
        known = self._formats[reference.format]
        size = {"height": reference.height, "width": reference.width}
        return next(decode_packets([known.header + packet], planes=known.planes, **size))

    def packets(self, entry: VideoEntry, group: int, ends: Sequence[int]) -> list[bytes]:
        """The packets of a group. `ends`: of `packet_ends`. Raises ArchiveError where they are damaged."""
        places = entry.group_packets(group)
        first, past = ends[places.start], ends[places.stop]
        data = self._read_at(entry.offset + first, past - first)
        if crc32(data) & 0xFFFF != entry.checksums[group]:
            raise ArchiveError(f"video {entry.name!r} is damaged: the checksum of group {group} does not match")
        return [data[a - first : b - first] for a, b in pairwise(ends[places.start : places.stop + 1])]

    def prepare(self, entry: VideoEntry, groups: Sequence[int], ends: Sequence[int]) -> None:
        """Have the bytes of groups, and of what they start from, at hand: where the archive is remote, in few requests.

        Raises ArchiveError.
        """
        if self._prepare is None:
            return
        spans = []
        for group in groups:
            places = entry.group_packets(group)
            first, past = ends[places.start], ends[places.stop]
            spans.append((entry.offset + first, past - first))
        for place in {entry.references[group] for group in groups} & {*range(len(self._references))}:
            spans.append((self._references[place].offset, self._references[place].length))
        self._prepare(spans)

    def decoder(self, entry: VideoEntry, group: int, ends: Sequence[int]) -> Iterator[Picture]:
        """A group's coded frames, one after the other. Raises ArchiveError."""
        packets, place, format = self.packets(entry, group, ends), entry.references[group], self.format_of(entry)
        height, width = entry.coded_size
        first = int(place != OWN_INTRA)
        if first:
            packets.insert(0, self.reference_packet(place, entry))
        packets[0] = format.header + packets[0]
        return decode_pictures(packets, height=height, width=width, planes=format.planes, first=first)


@dataclass(frozen=True)
class CodedSamples:
    """Coded frames as the decoder gave them, and the frames that are asked for as mixtures of them."""

    samples: NDArray[np.integer]  # [m, S] of m coded frames: see `codecs.colour.samples_of`
    starts: NDArray[np.int64]  # [n], which of the m comes before each frame
    ends: NDArray[np.int64]  # [n], and which after it
    shares: NDArray[np.float32]  # [n], of the one after it, [0, 1]


class BaseReader:
    """Frames of one video, for one thread at a time: an open decoder goes on where it was, and begins where it must.

    It holds the last frames decoded: a blend reaches from one group into the next.
    """

    def __init__(self, base: BaseLayer, entry: VideoEntry) -> None:
        self.entry, self._base = entry, base
        self._ends = packet_ends(entry)
        self._limit = max(2, _KEPT_BYTES // (_PIXEL_BYTES * entry.coded_size[0] * entry.coded_size[1]))
        self._kept: OrderedDict[int, Picture] = OrderedDict()
        self._next, self._end = 0, 0  # ordinal that the open decoder gives next; first one beyond its group
        self._decoder: Iterator[Picture] = iter(())

    def frames(self, positions: Sequence[int] | Sequence[float]) -> NDArray[np.uint8]:
        """Frames in the order asked for, repeats allowed: uint8 [n, 3, H, W] RGB at the coded size.

        Args:
            positions: indices of frames in [0, N - 1]; one between two frames gives the blend that lies there.

        Raises:
            InputError: a position outside the video.
            ArchiveError: packets are damaged.
        """
        wanted = sorted(set(positions))
        made, row = np.empty((len(wanted), 3, *self.entry.coded_size), np.uint8), 0
        starts, ends, shares = self._between(wanted)
        for (start, end), group in groupby(zip(starts, ends, shares, strict=True), key=lambda each: each[:2]):
            parts = [share for _, _, share in group]
            out = made[row : row + len(parts)]
            row += len(parts)
            if start != end:
                blends_into(self._picture(start).rgb_planes(), self._picture(end).rgb_planes(), parts, out)
            elif self.entry.distance > 1:
                out[:] = self._picture(start).rgb_planes()  # kept for the blends around it
            else:
                self._picture(start).write_rgb_planes(out[0])
        if wanted == list(positions):
            return made
        rows = {position: row for row, position in enumerate(wanted)}
        return made[[rows[position] for position in positions]]

    def samples(self, positions: Sequence[int] | Sequence[float]) -> CodedSamples:
        """What `frames` makes its frames of, not converted; the same arguments, and errors."""
        starts, ends, shares = self._between(positions)
        ordinals = sorted({*starts, *ends})
        rows = {ordinal: row for row, ordinal in enumerate(ordinals)}
        return CodedSamples(
            np.stack([self._picture(ordinal).samples() for ordinal in ordinals]),
            np.array([rows[start] for start in starts]),
            np.array([rows[end] for end in ends]),
            np.array(shares, np.float32),
        )

    def coded(self, ordinals: Sequence[int]) -> list[Frame]:
        """Coded frames by ordinal: uint8 [H, W, 3] each. Raises ArchiveError."""
        self._prepare(ordinals)
        return [self._picture(ordinal).rgb() for ordinal in ordinals]

    def _between(self, positions: Sequence[int] | Sequence[float]) -> tuple[list[int], list[int], list[float]]:
        """The coded frames around each position, and the second one's share; the same twice for a coded frame."""
        starts, ends, shares = [], [], []
        for start, end, share in map(self.entry.timeline.around, positions):
            starts.append(end if share == 1 else start)
            ends.append(start if share == 0 else end)
            shares.append(share % 1)
        self._prepare([*starts, *ends])
        return starts, ends, shares

    def _prepare(self, ordinals: Sequence[int]) -> None:
        """Have the groups of these coded frames at hand, but for what is decoded or being decoded already."""
        groups = {o // self.entry.group_length for o in ordinals if o not in self._kept and not self._is_open_at(o)}
        self._base.prepare(self.entry, sorted(groups), self._ends)

    def _is_open_at(self, ordinal: int) -> bool:
        return self._next <= ordinal < self._end

    def _picture(self, ordinal: int) -> Picture:
        if ordinal not in self._kept:
            self._decode(ordinal)
        self._kept.move_to_end(ordinal)
        return self._kept[ordinal]

    def _decode(self, ordinal: int) -> None:
        if not self._is_open_at(ordinal):
            group = ordinal // self.entry.group_length
            places = self.entry.group_packets(group)
            self._end = 0
            self._decoder = self._base.decoder(self.entry, group, self._ends)
            self._next, self._end = places.start, places.stop
        while self._next <= ordinal:
            try:
                frame = next(self._decoder)
            except BaseException:
                self._end = 0  # a decoder that has failed once yields nothing more: begin with another
                raise
            self._kept[self._next] = frame
            self._kept.move_to_end(self._next)
            self._next += 1
            while len(self._kept) > self._limit:
                self._kept.popitem(last=False)


def packet_ends(entry: VideoEntry) -> list[int]:
    """Where each packet ends, after a 0, counted from the video's first byte: `packets` + 1."""
    return list(accumulate(entry.packet_lengths, initial=0))
