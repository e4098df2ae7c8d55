"""How long things take, fairly: cold and warm, side by side in rounds, medians with their spread.

Notable decisions:
- what is compared takes turns, round after round, each round in another order: a machine that slows down or warms up
  does so under all alike, and ratios are taken within a round before their median;
- before a cold measurement the pages of the files are given back to the disk, as far as a program without privileges
  can ask for that: a file system in memory, or another process that holds them, keeps them.
"""

from __future__ import annotations

import os
import random
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from statistics import median
from typing import TypeVar

import torch

from dnerv import progress

T = TypeVar("T")


@dataclass(frozen=True)
class Spread:
    """A figure of several rounds."""

    median: float
    low: float
    high: float

    @classmethod
    def of(cls, values: Sequence[float]) -> Spread:
        """Of at least one value."""
        return cls(median(values), min(values), max(values))


def ratios(values: Sequence[float], reference: Sequence[float]) -> Spread:
    """`values` over `reference`, round by round."""
    return Spread.of([value / other for value, other in zip(values, reference, strict=True)])


def interleaved(subjects: Sequence[Callable[[int], T]], rounds: int, seed: int) -> list[list[T]]:
    """Call every subject once a round, with the round's number, in an order drawn anew: results by subject, round.

    Progress is by call.
    """
    results: list[list[T]] = [[] for _ in subjects]
    order = list(range(len(subjects)))
    for number in range(rounds):
        random.Random(seed + number).shuffle(order)
        for place in order:
            results[place].append(subjects[place](number))
            progress.advance()
    return results


def drop_pages(paths: Iterable[Path]) -> None:
    """Ask the system to forget what it has cached of these files. Raises OSError for one that cannot be opened."""
    for path in paths:
        descriptor = os.open(path, os.O_RDONLY)
        try:
            os.fdatasync(descriptor)  # pages that are still to be written cannot be dropped
            if hasattr(os, "posix_fadvise"):
                os.posix_fadvise(descriptor, 0, 0, os.POSIX_FADV_DONTNEED)
        finally:
            os.close(descriptor)


def synchronise(device: torch.device) -> None:
    """Wait until the device has done what it was given."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


@dataclass
class StageClock:
    """Adds up the seconds that named stages take."""

    device: torch.device
    seconds: dict[str, float] = field(default_factory=lambda: defaultdict(float))

    @contextmanager
    def __call__(self, name: str) -> Iterator[None]:
        """Time a `with` block, the device's work included."""
        synchronise(self.device)
        start = time.perf_counter()
        yield
        synchronise(self.device)
        self.seconds[name] += time.perf_counter() - start
