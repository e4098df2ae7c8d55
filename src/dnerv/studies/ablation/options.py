"""What `dnerv study ablation` is asked for."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from fractions import Fraction
from typing import Any

from dnerv.encoding import EncodeOptions
from dnerv.errors import InputError, listed
from dnerv.studies.ablation.variants import D_NERV, GROUPS, PARTS, Group, Variant

DEFAULT_EPOCHS = 20
MOST_SEEDS = 1000


@dataclass(frozen=True)
class AblationOptions:
    """One study."""

    resolution: tuple[int, int] | None = None  # height, width that frames are scaled to; None: their own
    fps: Fraction | None = None  # rate that videos are resampled to; None: their own
    bits_per_pixel: float = 0.05  # of every archive
    epochs: int | None = None  # of training, for each archive; None: DEFAULT_EPOCHS, or as `budget_seconds` says
    budget_seconds: float | None = None
    seeds: int = 1  # each row is encoded so many times, with seeds from 0
    parts: tuple[str, ...] = PARTS  # groups of rows
    device: str = "cpu"

    def __post_init__(self) -> None:
        """Raise InputError for a value that is not allowed."""
        if not self.parts or not set(self.parts) <= set(PARTS) or len(set(self.parts)) < len(self.parts):
            raise InputError(f"--parts are {listed(self.parts)}; choose from {listed(PARTS)}, each once")
        if not 1 <= self.seeds <= MOST_SEEDS:
            raise InputError(f"--seeds is {self.seeds}; allowed are 1 to {MOST_SEEDS}")
        self.encoding(D_NERV, 0)

    @property
    def groups(self) -> tuple[Group, ...]:
        """Those chosen, in the study's order."""
        return tuple(group for group in GROUPS if group.name in self.parts)

    def encoding(self, variant: Variant, seed: int) -> EncodeOptions:
        """Options of one archive. Raises InputError for one that `encode` would refuse."""
        untold = self.epochs is None and self.budget_seconds is None
        return EncodeOptions(
            bits_per_pixel=self.bits_per_pixel,
            resolution=self.resolution,
            fps=self.fps,
            epochs=DEFAULT_EPOCHS if untold else self.epochs,
            budget_seconds=self.budget_seconds,
            keyframe_every=variant.clip_length if variant.uses_keyframes else None,
            clip_length=variant.clip_length,
            components=variant.components,
            network_share=variant.network_share,
            seed=seed,
        )

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        plain = {name: list(v) if isinstance(v, tuple) else v for name, v in asdict(self).items()}
        told = self.encoding(D_NERV, 0)
        return plain | {"fps": None if self.fps is None else str(self.fps), "epochs": told.epochs}
