"""What `dnerv bench` is asked for."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal, get_args

from dnerv.engine import ChosenPrecision
from dnerv.errors import InputError, listed

Opponent = Literal["jpeg", "png", "h264", "nerv"]
OPPONENTS: tuple[Opponent, ...] = get_args(Opponent)
PRECISIONS: tuple[ChosenPrecision, ...] = tuple(p for p in get_args(ChosenPrecision) if p != "reference")


@dataclass(frozen=True)
class BenchOptions:
    """One measurement."""

    originals: tuple[Path, ...] = ()  # what was encoded; without it the archive's own frames are the content
    batch_sizes: tuple[int, ...] = (1, 4, 8)  # clips decoded together
    precisions: tuple[str, ...] | None = None  # of PRECISIONS; None: float32 and what the device is fast in
    against: tuple[str, ...] = OPPONENTS
    nerv: Path | None = None  # an archive of a NeRV of the same videos; None: random weights of the same bytes
    decoders: tuple[str, ...] = ()  # NAME=COMMAND
    device: str = "cpu"
    clips: int = 32  # in the random list that everybody loads
    seconds: float = 3.0  # of warm loading per row, over all rounds
    repeats: int = 5  # rounds
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for a value out of range."""
        if not self.batch_sizes or min(self.batch_sizes) < 1 or len(set(self.batch_sizes)) < len(self.batch_sizes):
            raise InputError(f"batch sizes are {listed(self.batch_sizes)}; give different ones, from 1")
        _check_names("precisions", self.precisions, PRECISIONS)
        if self.against:
            _check_names("opponents", self.against, OPPONENTS)
        for name, value in (("--clips", self.clips), ("--repeats", self.repeats)):
            if value < 1:
                raise InputError(f"{name} is {value}; it must be at least 1")
        if not 0 <= self.seconds < float("inf"):
            raise InputError(f"--seconds is {self.seconds:g}; it must be 0 or more")


def _check_names(what: str, given: tuple[str, ...] | None, allowed: tuple[str, ...]) -> None:
    if given is None:
        return
    if not given or not set(given) <= set(allowed) or len(set(given)) < len(given):
        raise InputError(f"{what} are {listed(given)}; choose from {listed(allowed)}, each once")
