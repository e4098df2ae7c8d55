"""A way to load clips, and how its speed is taken: opened afresh, its first batch cold, then warm for a while.

Networks, codecs and other people's programs take part behind one interface, `Candidate`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import AbstractContextManager, ExitStack
from dataclasses import asdict, dataclass
from functools import partial
from itertools import cycle, islice
from pathlib import Path
from statistics import median
from typing import TYPE_CHECKING, Any, Literal, NamedTuple

import torch
from torch import Tensor

from dnerv import progress
from dnerv.evaluation.decoder_quality import compare_decoders
from dnerv.evaluation.timing import Spread, drop_pages, interleaved, ratios, synchronise
from dnerv.process import usable_cores

if TYPE_CHECKING:
    from dnerv.studies.bench.sample import Sample

Found = Mapping[str, Any]  # a round as it is kept: JSON
CandidateKind = Literal["archive", "reference", "loader", "nerv", "stored frames", "video codec", "command"]


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
    kind: CandidateKind
    batch_size: int  # clips asked for at once
    files: tuple[Path, ...]  # what it reads from disk
    size: int  # bytes that the sampled videos take in this form
    note: str  # how it was made and is decoded, in words
    open: Callable[[int], AbstractContextManager[Load]]  # with so many threads; all that a fresh start has to do


@dataclass(frozen=True)
class Speed:
    """What was loaded in how long."""

    clips: int
    frames: int
    seconds: float


@dataclass(frozen=True)
class Round:
    """Both states of one candidate."""

    cold: Speed  # opening and the first batch, from the disk as far as the system lets its cache go
    warm: Speed


def measure_round(
    candidate: Candidate,
    places: Sequence[ClipPlace],
    seconds: float,
    seed: int,
    device: torch.device,
    threads: int | None = None,
) -> Round:
    """Load `places`, over and over in an order by `seed`, for about `seconds`; one batch at least.

    `threads`: None for as many as there are cores. What of its files the system has cached is dropped before.
    """
    batches = shuffled_batches(places, candidate.batch_size, seed)
    drop_pages(candidate.files)
    start = time.perf_counter()
    with candidate.open(threads or usable_cores()) as load:
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


def measured_round(
    candidates: Sequence[Candidate], places: Sequence[ClipPlace], seconds: float, seed: int, device: torch.device
) -> dict[str, Any]:
    """One round of all candidates, in an order by `seed`, after one that does not count: libraries set up in it."""

    def measured(candidate: Candidate, seconds: float, _: int) -> Round:
        return measure_round(candidate, places, seconds, seed, device)

    progress.stage("warming up", len(candidates))
    interleaved([partial(measured, candidate, 0.0) for candidate in candidates], 1, seed)
    progress.stage("measuring", len(candidates))
    rounds = interleaved([partial(measured, candidate, seconds) for candidate in candidates], 1, seed)
    return {"speeds": [asdict(found) for (found,) in rounds]}


def compared_frames(candidates: Sequence[Candidate], sample: Sample, has_originals: bool) -> dict[str, Any]:
    """Quality of every way to load but a NeRV, whose weights may be random, and the loader, whose order is its own."""
    compared = [candidate for candidate in candidates if candidate.kind not in ("nerv", "loader")]
    once = {candidate.name: candidate for candidate in reversed(compared)}
    places = sorted(set(sample.places))
    progress.stage("comparing frames", len(places))
    with ExitStack() as stack:
        threads = usable_cores()
        loads = {name: stack.enter_context(candidate.open(threads)) for name, candidate in reversed(once.items())}

        def load_one(name: str, place: ClipPlace) -> Tensor:
            return loads[name]([place])[0]

        found = compare_decoders(
            {name: partial(load_one, name) for name in loads},
            next(candidate.name for candidate in compared if candidate.kind == "reference"),
            [(place.video, place) for place in places],
            sample.clip if has_originals else None,
        )
    return {"quality": [asdict(one) for one in found]}


def row(
    candidate: Candidate, rounds: Sequence[Found], reference: Sequence[Found], workers: Mapping[str, Sequence[Found]]
) -> dict[str, Any]:
    """Speeds of a candidate, and their ratios to the reference's of the same rounds; those of its worker processes.

    `workers`: rounds by the number of processes; none of a candidate that ran in none.
    """
    return {
        "name": candidate.name,
        "kind": candidate.kind,
        "batch_size": candidate.batch_size,
        "bytes": candidate.size,
        "note": candidate.note,
        "cold": _state([r["cold"] for r in rounds], [r["cold"] for r in reference]),
        "warm": _state([r["warm"] for r in rounds], [r["warm"] for r in reference]),
        "workers": {
            count: {name: asdict(Spread.of([r[name] for r in found])) for name in found[0]}
            for count, found in workers.items()
        },
    }


def _state(speeds: Sequence[Found], reference: Sequence[Found]) -> dict[str, Any]:
    frames, others = ([speed["frames"] / speed["seconds"] for speed in given] for given in (speeds, reference))
    return {
        "clips_per_second": median(speed["clips"] / speed["seconds"] for speed in speeds),
        "frames_per_second": asdict(Spread.of(frames)),
        "ratio": asdict(ratios(frames, others)),
        "rounds": list(speeds),
    }


def shuffled_batches(places: Sequence[ClipPlace], batch_size: int, seed: int) -> Iterator[list[ClipPlace]]:
    """Batches without end; the order is the same for every batch size."""
    order = list(places)
    random.Random(seed).shuffle(order)
    endless = cycle(order)
    while True:
        yield list(islice(endless, batch_size))


def _count_frames(clips: Sequence[Tensor]) -> int:
    return sum(len(clip) for clip in clips)
