"""A video of an archive as an mp4 file, its packets as they are: nothing is decoded, nothing is coded again.

Each group becomes samples that decoding can begin with: where it starts from a reference, the reference's packet stands
in the group's first sample, as a frame that is not shown (`codecs.frame_header`). So a player shows the archive's
frames, as many as there are, each at its time.
"""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Iterator
from itertools import accumulate, pairwise

from dnerv.archive.archive import Archive
from dnerv.archive.base_layer import packet_ends
from dnerv.archive.entry import OWN_INTRA, VideoEntry
from dnerv.codecs.av1 import SMALLEST_SIDE
from dnerv.codecs.av1_mp4 import mp4_head
from dnerv.codecs.colour import padded_size
from dnerv.codecs.frame_header import hidden_key_frame, read_sequence_header
from dnerv.errors import ArchiveError, InputError


def why_not_remuxed(archive: Archive, entry: VideoEntry) -> str | None:
    """What makes a video's packets another film than its frames, in words; None where they are the same."""
    if archive.uses_network(entry) or not entry.num_coded:
        return "a network makes its frames"
    if entry.num_coded < entry.timing.num_frames:
        return "some of its frames are blends of the coded ones around them"
    if padded_size(*entry.coded_size, smallest=SMALLEST_SIDE) != entry.coded_size:
        return "it is coded with a margin that players would show"
    return None


class RemuxedVideo:
    """The bytes of an mp4 file, made as they are asked for. Threads may share it."""

    def __init__(self, archive: Archive, entry: VideoEntry) -> None:
        """Raises InputError where the packets are not the video, ArchiveError where they are damaged."""
        reason = why_not_remuxed(archive, entry)
        if reason is not None:
            raise InputError(f"video {entry.name!r} cannot be an mp4 of its own packets: {reason}")
        self._archive, self._entry = archive, entry
        with archive.errors_name_it():
            self._ends = packet_ends(entry)
            self._before = self._read_starts()
        groups = [entry.group_packets(group) for group in range(entry.num_groups)]
        lengths = list(entry.packet_lengths)
        for group, before in zip(groups, self._before, strict=True):
            lengths[group.start] += len(before)
        pts = [*entry.timing.pts, entry.timing.pts[-1] + entry.timing.last_duration]
        known = archive.base.format_of(entry)
        self._head = mp4_head(
            read_sequence_header(known.header),
            known.header,
            known.planes,
            shown_size=entry.original_size,
            lengths=lengths,
            durations=[after - before for before, after in pairwise(pts)],
            syncs=[group.start for group in groups],
            time_base=entry.timing.time_base,
        )
        self._starts = [*accumulate((sum(lengths[g.start : g.stop]) for g in groups), initial=len(self._head))]

    @property
    def size(self) -> int:
        """Bytes of the file."""
        return self._starts[-1]

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`, a group at a time. Raises ArchiveError where one is damaged."""
        if start < len(self._head):
            yield self._head[start:stop]
        group = max(0, bisect_right(self._starts, start) - 1)
        while group < self._entry.num_groups and self._starts[group] < stop:
            first = self._starts[group]
            with self._archive.errors_name_it():
                data = self._before[group] + b"".join(self._archive.base.packets(self._entry, group, self._ends))
            yield data[max(0, start - first) : stop - first]
            group += 1

    def _read_starts(self) -> list[bytes]:
        """What stands before the packets of each group; equal ones are one object."""
        base, entry = self._archive.base, self._entry
        header = base.format_of(entry).header
        sequence = read_sequence_header(header)
        if (sequence.height, sequence.width) != entry.coded_size:
            raise ArchiveError(f"video {entry.name!r} has another size than its format's header says")
        made = {OWN_INTRA: header}
        for place in set(entry.references) - {OWN_INTRA}:
            made[place] = header + hidden_key_frame(sequence, base.reference_packet(place, entry))
        return [made[place] for place in entry.references]
