"""What `dnerv study joint` is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from dnerv.encoding import EncodeOptions
from dnerv.errors import InputError
from dnerv.studies.diversity.options import Model


@dataclass(frozen=True)
class JointOptions:
    """One study."""

    counts: tuple[int, ...] = (1, 2, 4, 8)  # videos held together
    resolution: tuple[int, int] | None = None  # height, width that frames are scaled to; None: their own
    fps: Fraction | None = None  # rate that videos are resampled to; None: their own
    bits_per_pixel: float = 0.05
    epochs: int = 40
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for a value that is not allowed."""
        if not self.counts or min(self.counts) < 1 or len(set(self.counts)) < len(self.counts):
            raise InputError(f"--counts are {self.counts}; give different numbers of videos from 1")
        if self.epochs < 1:
            raise InputError(f"--epochs is {self.epochs}; it is at least 1")
        self.encoding("dnerv")

    def encoding(self, model: Model) -> EncodeOptions:
        """Options of every archive of a network. Raises InputError for one that `encode` would refuse."""
        return EncodeOptions(
            model=model,
            bits_per_pixel=self.bits_per_pixel,
            resolution=self.resolution,
            fps=self.fps,
            epochs=self.epochs,
            seed=self.seed,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"fps": None if self.fps is None else str(self.fps)}
