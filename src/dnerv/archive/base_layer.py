"""The base layer of an archive: AV1 packets of every k-th frame, in groups, and what lies between them as blends.

    entry, frames wanted ── coded frames needed ── groups ── [reference packet] + packets ── dav1d ── RGB ── blends

Decoding needs neither torch nor the network. A group's checksum is compared before its packets are decoded.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from itertools import accumulate, pairwise
from threading import local
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dnerv.archive.config import PlaneFormat
from dnerv.archive.entry import OWN_INTRA, VideoEntry
from dnerv.archive.references import Reference, digest_of
from dnerv.codecs import decode_packets
from dnerv.codecs.blending import blend
from dnerv.errors import ArchiveError

Frames = NDArray[np.uint8]  # [n, H, W, 3] RGB in [0, 255]
ReadAt = Callable[[int, int], bytes]


class BaseLayer:
    """Coded frames, and blends of them, of the videos of one archive. Safe to share between threads."""

    def __init__(self, read_at: ReadAt, formats: Sequence[PlaneFormat], references: Sequence[Reference]) -> None:
        self._read_at, self._formats, self._references = read_at, formats, references
        self._state = local()  # an open decoder for each thread

    def frames(self, entry: VideoEntry, indices: Sequence[int]) -> Frames:
        """Frames of these indices, in their order: uint8 [n, H, W, 3] at the coded size.

        Raises ArchiveError where their packets are damaged.
        """
        conditioning = entry.timeline.conditioning(np.asarray(indices, np.int64))
        needed = np.unique(np.concatenate([conditioning.start, conditioning.end[conditioning.distance > 0]]))
        coded = dict(zip(needed.tolist(), self.coded(entry, needed.tolist()), strict=True))
        made = [
            coded[start] if share == 0 else blend(coded[start], coded[end], share)
            for start, end, share in zip(*(c.tolist() for c in conditioning[:3]), strict=True)
        ]
        return np.stack(made) if made else np.empty((0, *entry.coded_size, 3), np.uint8)

    def coded(self, entry: VideoEntry, ordinals: Sequence[int]) -> list[NDArray[np.uint8]]:
        """Coded frames by ordinal, ascending: uint8 [H, W, 3] each. Raises ArchiveError."""
        walk = self._walk(entry)
        return [walk.frame(ordinal) for ordinal in ordinals]

    def check(self, entry: VideoEntry) -> None:
        """Compare every group with its checksum. Raises ArchiveError."""
        for group in range(entry.num_groups):
            self._packets(entry, group)

    def reference_packet(self, place: int) -> bytes:
        """The packet of a reference. Raises ArchiveError where it is damaged or there is none of this place."""
        if not 0 <= place < len(self._references):
            raise ArchiveError(f"the archive has no reference {place}")
        reference = self._references[place]
        packet = self._read_at(reference.offset, reference.length)
        if digest_of(packet) != reference.digest:
            raise ArchiveError(f"the archive is damaged: reference {place} does not match its name")
        return packet

    def _walk(self, entry: VideoEntry) -> _Walk:
        """The thread's place in this video; another video begins anew."""
        kept: tuple[VideoEntry, _Walk] | None = getattr(self._state, "walk", None)
        if kept is None or kept[0].offset != entry.offset or kept[0].name != entry.name:
            kept = self._state.walk = (entry, _Walk(entry, self._group))
        return kept[1]

    def _group(self, entry: VideoEntry, group: int) -> Iterator[NDArray[np.uint8]]:
        packets, place = self._packets(entry, group), entry.references[group]
        if not 0 <= entry.format < len(self._formats):
            raise ArchiveError(f"video {entry.name!r} is of a format that the archive does not describe")
        header, (height, width) = self._formats[entry.format].header, entry.coded_size
        if place == OWN_INTRA:
            return decode_packets([header + packets[0], *packets[1:]], height=height, width=width)
        decoded = decode_packets([header + self.reference_packet(place), *packets], height=height, width=width)
        next(decoded)
        return decoded

    def _packets(self, entry: VideoEntry, group: int) -> list[bytes]:
        data = self._read_at(*entry.group_span(group))
        if crc32(data) & 0xFFFF != entry.checksums[group]:
            raise ArchiveError(f"video {entry.name!r} is damaged: the checksum of group {group} does not match")
        places = entry.group_packets(group)
        ends = accumulate(entry.packet_lengths[places.start : places.stop], initial=0)
        return [data[a:b] for a, b in pairwise(ends)]


class _Walk:
    """Coded frames of one video in ascending order; an open decoder and the last two frames are kept for the next call."""

    def __init__(self, entry: VideoEntry, open_group: Callable[[VideoEntry, int], Iterator[NDArray[np.uint8]]]) -> None:
        self._entry, self._open = entry, open_group
        self._kept: dict[int, NDArray[np.uint8]] = {}  # the last frames decoded: blends reach from one group to the next
        self._next, self._end = 0, 0  # ordinal that the open decoder gives next; first one beyond its group
        self._decoder: Iterator[NDArray[np.uint8]] = iter(())

    def frame(self, ordinal: int) -> NDArray[np.uint8]:
        """The coded frame of this ordinal, uint8 [H, W, 3]."""
        if ordinal not in self._kept:
            self._decode(ordinal)
        return self._kept[ordinal]

    def _decode(self, ordinal: int) -> None:
        if not self._next <= ordinal < self._end:
            group = ordinal // self._entry.group_length
            places = self._entry.group_packets(group)
            self._next, self._end = places.start, 0
            self._decoder = self._open(self._entry, group)
            self._end = places.stop
        while self._next <= ordinal:
            try:
                frame = next(self._decoder)
            except BaseException:
                self._end = 0  # a decoder that has failed once yields nothing more: begin with another
                raise
            self._kept[self._next] = frame
            self._kept = {k: v for k, v in self._kept.items() if k >= self._next - 1}
            self._next += 1
