"""The videos that are trained on, and their labels as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import torch

from dnerv.archive import Archive, Collection, VideoEntry
from dnerv.errors import InputError, listed
from dnerv.loading.windows import Sample

UNLABELLED = -1
_USUAL_CLIP_LENGTH = 8  # frames, where no network has a clip length of its own


class Catalogue:
    """All or some videos of an archive or collection: some numbers of each; what else is known of them stays there."""

    def __init__(self, entries: Sequence[VideoEntry], names: Sequence[str] | None = None) -> None:
        """`names`: of the videos to use, in this order; None for all. Raises InputError for one that is not there."""
        wanted = None if names is None else _wanted(names)
        labels: list[str | None] = []
        found: dict[int, int] = {}  # by rank in what was asked for: place
        lengths: dict[int, int] = {}
        self._sizes: dict[tuple[int, int], str] = {}
        for place, entry in enumerate(entries):  # once, in the order in which the index is read
            labels.append(entry.label)
            rank = place if wanted is None else wanted.get(entry.name)
            if rank is not None:
                found[rank], lengths[rank] = place, entry.timing.num_frames
                self._sizes.setdefault(entry.coded_size, entry.name)
        if wanted is not None and len(found) < len(wanted):
            missing = next(name for name, rank in wanted.items() if rank not in found)
            raise InputError(f"no video is called {missing!r} in this archive; it holds {len(entries)}")
        self.class_names = sorted({label for label in labels if label is not None})
        numbers = {label: number for number, label in enumerate(self.class_names)}
        self._labels = [UNLABELLED if label is None else numbers[label] for label in labels]
        self.places = [found[rank] for rank in sorted(found)]  # in the archive
        self.lengths = [lengths[rank] for rank in sorted(found)]  # frames

    @property
    def coded_sizes(self) -> dict[str, tuple[int, int]]:
        """Each (height, width) that these videos are coded at, under the name of one that has it."""
        return {name: size for size, name in self._sizes.items()}

    def label(self, place: int) -> int:
        """Index into `class_names`, or -1 for a video without a label. `place`: in the archive."""
        return self._labels[place]


def describe(entry: VideoEntry, sample: Sample) -> dict[str, Any]:
    """Where a clip is from, in what torch's `default_collate` stacks.

    `video`: its name; `index`: of the sample; `frames`: int64 [L]; `seconds`: float64 [L], when each is shown.
    """
    return {
        "video": entry.name,
        "index": sample.index,
        "frames": torch.from_numpy(sample.frames),
        "seconds": torch.from_numpy(entry.timing.seconds_at(sample.frames.tolist())),
    }


def default_clip_length(archive: Archive | Collection) -> int:
    """Frames of a clip where nobody says: those of the network, 8 where there is none. InputError where they differ."""
    lengths = {each.network_clip_length for each in archive.archives if each.network_clip_length is not None}
    if len(lengths) > 1:
        raise InputError(
            f"networks of {archive.title} have clips of {listed(sorted(lengths))} frames: give clip_length"
        )
    return lengths.pop() if lengths else _USUAL_CLIP_LENGTH


def _wanted(names: Sequence[str]) -> dict[str, int]:
    """Names by rank."""
    if isinstance(names, str):
        raise InputError(f"videos is {names!r}; give a list of names")
    wanted = {name: rank for rank, name in enumerate(names)}
    if len(wanted) < len(names):
        raise InputError("videos names one twice: every clip is given once an epoch")
    return wanted
