"""Some of an archive's videos at a time: from a place on, or those whose name or label holds a text.

A search goes through the index, block by block, and stops when a page is full or its time is over; the next one goes on
from there. So nothing is kept between requests, and no request is long, however many videos there are.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from time import monotonic

from dnerv.archive import Archive, VideoEntry

PAGE = 50  # videos
_SECONDS = 2.0  # of one search


@dataclass(frozen=True)
class Listing:
    """A page of videos."""

    videos: list[tuple[int, VideoEntry]]  # with their places in the archive
    start: int  # place that it was looked for from
    stop: int | None  # place to go on from; None: there is nothing more

    @property
    def is_partial(self) -> bool:
        """Whether the search ran out of time, not of room."""
        return self.stop is not None and len(self.videos) < PAGE


def listing(archive: Archive, start: int = 0, text: str = "", *, seconds: float = _SECONDS) -> Listing:
    """Up to `PAGE` videos from place `start` on, in the order of names.

    Args:
        text: only videos whose name or label holds it, in upper or lower case; empty for all.
        seconds: after which a search stops, wherever it is.

    Raises ArchiveError where the index is damaged.
    """
    start = min(max(start, 0), len(archive))
    found: list[int] = []
    stop = start
    until = monotonic() + seconds
    with archive.errors_name_it():
        for stop, is_found in _matches(archive, start, text.casefold()):
            if is_found:
                found.append(stop)
            if len(found) == PAGE or monotonic() > until:
                break
    past = min(stop + 1, len(archive))
    videos = [(place, archive.entries[place]) for place in found]
    return Listing(videos, start, past if past < len(archive) else None)


def _matches(archive: Archive, start: int, text: str) -> Iterator[tuple[int, bool]]:
    """Every place from `start` on, with whether it is wanted. Raises ArchiveError."""
    place = 0
    for number, block in enumerate(archive.index.blocks):
        if place + block.rows > start:
            rows = archive.index.block(number)
            if not rows.may_hold(text):
                yield place + block.rows - 1, False
                place += block.rows
                continue
            for row in range(max(0, start - place), block.rows):
                yield place + row, not text or text in rows.name(row).casefold() or text in _label(rows.label(row))
        place += block.rows


def _label(label: str | None) -> str:
    return (label or "").casefold()
