"""The videos that are trained on, and their labels as numbers."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from typing import Any

import torch

from dnerv.archive import VideoEntry
from dnerv.errors import InputError
from dnerv.loading.windows import Sample

UNLABELLED = -1


class Catalogue:
    """All or some videos of an archive."""

    def __init__(self, entries: Sequence[VideoEntry], names: Sequence[str] | None = None) -> None:
        """`names`: of the videos to use, in this order; None for all. Raises InputError for one that is not there."""
        self.entries = entries
        self.places = list(range(len(entries))) if names is None else _places(entries, names)

    @cached_property
    def class_names(self) -> list[str]:
        """The labels of the whole archive, sorted; also of videos not chosen, so that subsets agree on the numbers."""
        return sorted({entry.label for entry in self.entries if entry.label is not None})

    @cached_property
    def _numbers(self) -> dict[str | None, int]:
        return {label: number for number, label in enumerate(self.class_names)}

    @property
    def lengths(self) -> list[int]:
        """Frames of each video."""
        return [self.entries[place].timing.num_frames for place in self.places]

    @property
    def coded_sizes(self) -> dict[str, tuple[int, int]]:
        """Each (height, width) that the network makes of these videos, under the name of the first that has it."""
        names: dict[tuple[int, int], str] = {}
        for place in self.places:
            names.setdefault(self.entries[place].coded_size, self.entries[place].name)
        return {name: size for size, name in names.items()}

    def label(self, place: int) -> int:
        """Index into `class_names`, or -1 for a video without a label."""
        return self._numbers.get(self.entries[place].label, UNLABELLED)

    def describe(self, sample: Sample) -> dict[str, Any]:
        """Where a clip is from, in what torch's `default_collate` stacks.

        `video`: its name; `index`: of the sample; `frames`: int64 [L]; `seconds`: float64 [L], when each is shown.
        """
        entry = self.entries[sample.place]
        seconds = entry.timing.seconds_at(sample.frames.tolist())
        return {
            "video": entry.name,
            "index": sample.index,
            "frames": torch.from_numpy(sample.frames),
            "seconds": torch.from_numpy(seconds),
        }


def _places(entries: Sequence[VideoEntry], names: Sequence[str]) -> list[int]:
    if isinstance(names, str):
        raise InputError(f"videos is {names!r}; give a list of names")
    places = {entry.name: place for place, entry in enumerate(entries)}
    for name in names:
        if name not in places:
            raise InputError(f"no video is called {name!r} in this archive; it holds {len(entries)}")
    if len(set(names)) < len(names):
        raise InputError("videos names one twice: every clip is given once an epoch")
    return [places[name] for name in names]
