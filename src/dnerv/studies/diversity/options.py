"""What `dnerv study diversity` is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any, Literal, get_args

from dnerv.encoding import EncodeOptions
from dnerv.errors import InputError

Model = Literal["nerv", "dnerv"]
Grouping = Literal["video", "label"]
MODELS: tuple[Model, ...] = get_args(Model)


@dataclass(frozen=True)
class DiversityOptions:
    """One study."""

    sources: tuple[int, ...] = (4, 12, 48)  # that the clips come from
    clips: int = 48
    length: int = 8  # frames of a clip
    by: Grouping = "video"  # what a source is: a video, or all videos of a class
    draws: int = 3  # choices of sources, each with its own seed
    resolution: tuple[int, int] | None = None  # height, width that frames are scaled to; None: their own
    fps: Fraction | None = None  # rate that videos are resampled to; None: their own
    bits_per_pixel: float = 0.05
    epochs: int = 40
    device: str = "cpu"
    seed: int = 0

    def __post_init__(self) -> None:
        """Raise InputError for a value that is not allowed."""
        if len(set(self.sources)) < len(self.sources) or not self.sources or min(self.sources) < 1:
            raise InputError(f"--sources are {self.sources}; give different numbers from 1, few and many")
        for count in self.sources:
            if self.clips % count:
                raise InputError(f"--clips {self.clips} cannot come from {count} sources in equal parts")
        if self.by not in get_args(Grouping):
            raise InputError(f"--by is {self.by!r}; choose from {', '.join(get_args(Grouping))}")
        if self.length < 2 or self.draws < 1 or self.epochs < 1:
            raise InputError("--length is at least 2 frames, --draws and --epochs at least 1")
        self.encoding("dnerv", 0)

    def encoding(self, model: Model, draw: int) -> EncodeOptions:
        """Options of one archive. Raises InputError for one that `encode` would refuse."""
        return EncodeOptions(model=model, bits_per_pixel=self.bits_per_pixel, epochs=self.epochs, seed=self.seed + draw)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return asdict(self) | {"fps": None if self.fps is None else str(self.fps)}
