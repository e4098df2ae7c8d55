"""What a browser plays: a video's own packets as mp4, or where these are not its frames, a preview coded on the way."""

from __future__ import annotations

import os
from collections import OrderedDict
from collections.abc import Iterator
from fractions import Fraction
from itertools import pairwise
from pathlib import Path
from tempfile import TemporaryDirectory
from threading import Lock
from typing import BinaryIO, Protocol
from weakref import finalize

import numpy as np
from numpy.typing import NDArray

from dnerv.archive import Archive, VideoEntry, VideoReader
from dnerv.archive.remux import RemuxedVideo, why_not_remuxed
from dnerv.codecs.colour import pad_frame, padded_size
from dnerv.errors import InputError
from dnerv.video import Timing, write_mp4

_KEPT = 16  # clips, of which previews are files
_PREVIEW_CRF = 20.0
_PREVIEW_PIXELS, _NETWORK_PIXELS = 1 << 27, 1 << 25  # of all frames of a preview: some seconds of coding
_READ_FRAMES = 8
_READ_BYTES = 1 << 18


class Clip(Protocol):
    """A file that is read in parts. Threads may share it."""

    @property
    def size(self) -> int:
        """Bytes of it all."""
        ...

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """The bytes from `start` to before `stop`. Raises ArchiveError, OSError."""
        ...


class Preview:
    """An mp4 file that was coded for showing, open and nameless: nothing of it stays, however the process ends."""

    def __init__(self, file: BinaryIO) -> None:
        self._file, self.size = file, os.fstat(file.fileno()).st_size
        finalize(self, file.close)  # once nobody reads any more

    def read(self, start: int, stop: int) -> Iterator[bytes]:
        """See `Clip.read`."""
        for first in range(start, stop, _READ_BYTES):
            yield os.pread(self._file.fileno(), min(_READ_BYTES, stop - first), first)


class Clips:
    """Clips of an archive by place, the last ones kept."""

    def __init__(self, archive: Archive) -> None:
        """`archive`: opened for frames of the coded size; players scale them."""
        self._archive = archive
        self._kept: OrderedDict[int, Clip] = OrderedDict()
        self._lock, self._coding = Lock(), Lock()

    def open(self, place: int) -> Clip:
        """The clip of a video. Raises ArchiveError, OutputError."""
        clip = self._found(place) or self._own(place)
        if not isinstance(clip, str):
            return clip
        with self._coding:  # one at a time: a second request for the same clip finds it made
            return self._found(place) or self._keep(place, self._preview(self._archive.entries[place]))

    def why_preview(self, place: int) -> str | None:
        """Why a video's packets are not played as they are; None where they are. Raises ArchiveError."""
        clip = self._found(place)
        if isinstance(clip, RemuxedVideo):
            return None
        own = self._own(place)
        return own if isinstance(own, str) else None

    def preview_frames(self, entry: VideoEntry) -> int:
        """How many frames a preview shows."""
        height, width = entry.coded_size
        pixels = _NETWORK_PIXELS if self._archive.uses_network(entry) else _PREVIEW_PIXELS
        return min(entry.timing.num_frames, max(1, pixels // (height * width)))

    def _own(self, place: int) -> Clip | str:
        """A video's own packets, or why they are not its film."""
        entry = self._archive.entries[place]
        reason = why_not_remuxed(self._archive, entry)
        if reason is not None:
            return reason
        try:
            return self._keep(place, RemuxedVideo(self._archive, entry))
        except InputError as error:  # of a kind that mp4 does not have
            return str(error)

    def _found(self, place: int) -> Clip | None:
        with self._lock:
            if place in self._kept:
                self._kept.move_to_end(place)
            return self._kept.get(place)

    def _keep(self, place: int, clip: Clip) -> Clip:
        with self._lock:
            self._kept[place] = clip
            while len(self._kept) > _KEPT:
                self._kept.popitem(last=False)
        return clip

    def _preview(self, entry: VideoEntry) -> Preview:
        count = self.preview_frames(entry)
        pts = [*entry.timing.pts[:count], *entry.timing.pts[count : count + 1]]
        last = pts[count] - pts[count - 1] if len(pts) > count else entry.timing.last_duration
        frames, timing = _frames(self._archive.reader(entry), count), Timing(entry.timing.time_base, pts[:count], last)
        (height, width), (coded_height, coded_width) = entry.original_size, entry.coded_size
        aspect = Fraction(width * coded_height, height * coded_width)
        with TemporaryDirectory(prefix="dnerv-") as folder:
            path = Path(folder) / "preview.mp4"
            write_mp4(path, frames, timing, crf=_PREVIEW_CRF, pixel_aspect=aspect)
            return Preview(path.open("rb"))


def _frames(reader: VideoReader, count: int) -> Iterator[NDArray[np.uint8]]:
    """Frames from the first on, uint8 [H, W, 3], with even sides: players know no others."""
    size = padded_size(*reader.entry.coded_size)
    for first, past in pairwise([*range(0, count, _READ_FRAMES), count]):
        for frame in reader[first:past]:
            yield pad_frame(frame.permute(1, 2, 0).contiguous().cpu().numpy(), *size)
