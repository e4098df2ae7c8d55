"""A way to load clips, and how its speed is taken: opened afresh, its first batch cold, then warm for a while.

Networks, codecs and other people's programs take part behind one interface, `Candidate`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from itertools import cycle, islice
from pathlib import Path
from typing import Literal, NamedTuple

import torch
from torch import Tensor

from dnerv.evaluation.timing import drop_pages, synchronise

Kind = Literal["archive", "reference", "loader", "nerv", "stored frames", "video codec", "command"]


class ClipPlace(NamedTuple):
    """One clip of the archive."""

    video: int  # place of the video in the archive
    clip: int  # of its timeline


# Frames of each clip asked for, in that order (a "loader" gives as many clips in its own): uint8 [t, 3, H, W] RGB at
# the coded size, any strides, on the device.
Load = Callable[[Sequence[ClipPlace]], list[Tensor]]


@dataclass(frozen=True)
class Candidate:
    """One row of the table."""

    name: str  # what people read; with the batch size it tells rows apart
    kind: Kind
    batch_size: int  # clips asked for at once
    files: tuple[Path, ...]  # what it reads from disk
    size: int  # bytes that the sampled videos take in this form
    note: str  # how it was made and is decoded, in words
    open: Callable[[], AbstractContextManager[Load]]  # everything that a fresh start has to do is done in here


@dataclass(frozen=True)
class Speed:
    """What was loaded in how long."""

    clips: int
    frames: int
    seconds: float

    @property
    def clips_per_second(self) -> float:
        """Clips over seconds."""
        return self.clips / self.seconds

    @property
    def frames_per_second(self) -> float:
        """Frames over seconds."""
        return self.frames / self.seconds


@dataclass(frozen=True)
class Round:
    """Both states of one candidate."""

    cold: Speed  # opening and the first batch, from the disk as far as the system lets its cache go
    warm: Speed


def measure_round(
    candidate: Candidate, places: Sequence[ClipPlace], seconds: float, seed: int, device: torch.device
) -> Round:
    """Load `places`, over and over in an order by `seed`, for about `seconds`; one batch at least."""
    batches = shuffled_batches(places, candidate.batch_size, seed)
    drop_pages(candidate.files)
    start = time.perf_counter()
    with candidate.open() as load:
        first = load(next(batches))
        synchronise(device)
        cold = Speed(len(first), _count_frames(first), time.perf_counter() - start)
        load(next(batches))  # what is set up once per shape, per thread, per file
        synchronise(device)
        clips = frames = 0
        start = time.perf_counter()
        while not clips or time.perf_counter() - start < seconds:
            loaded = load(next(batches))
            synchronise(device)
            clips, frames = clips + len(loaded), frames + _count_frames(loaded)
        return Round(cold, Speed(clips, frames, time.perf_counter() - start))


def shuffled_batches(places: Sequence[ClipPlace], batch_size: int, seed: int) -> Iterator[list[ClipPlace]]:
    """Batches without end; the order is the same for every batch size."""
    order = list(places)
    random.Random(seed).shuffle(order)
    endless = cycle(order)
    while True:
        yield list(islice(endless, batch_size))


def _count_frames(clips: Sequence[Tensor]) -> int:
    return sum(len(clip) for clip in clips)
