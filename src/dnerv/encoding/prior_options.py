"""What a user can ask of the training of a prior."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from dnerv.encoding.options import TRAINING, FrameOptions, RunOptions
from dnerv.errors import InputError
from dnerv.options import like, option

CROP_MULTIPLE = 4  # pixels, of the sides of crops


@dataclass(frozen=True)
class PriorOptions(FrameOptions):
    """Options of `dnerv prior train`."""

    held_out: tuple[Path, ...] = option(
        (),
        "Videos to measure on, of sources that training does not see.",
        metavar="VIDEO|FOLDER",
        unset="every tenth, of fewer than ten the last",
        is_repeatable=True,
        is_stored=False,
    )
    codings: int = option(4, "Base layers made of each video.", low=1, high=1000)
    width: int = option(32, "Its width at half the size.", low=4, high=256, group="The prior")
    budget_seconds: float | None = option(
        None, "Time spent in training.", flag="--budget", form="seconds", low=0, unset="1h", group=TRAINING
    )
    epochs: int | None = option(None, "Passes over all clips instead.", low=0, group=TRAINING)
    crop: tuple[int, int] = option(
        (128, 160), "Size of the pieces that are learned from.", form="size", low=16, high=1024, group=TRAINING
    )
    batch_clips: int = option(4, "Clips of eight frames a step.", flag="--batch", low=1, high=4096, group=TRAINING)
    learning_rate: float = option(2e-3, "Of AdamW, at its height.", low=1e-9, high=1, group=TRAINING)
    seed: int = option(0, "Of codings, initial weights and clip order.", group=TRAINING)
    licence: str = option("", "Of what it was trained on, for its card.", metavar="TEXT", is_stored=False)
    device: str = like(RunOptions, "device", is_stored=False)

    def __post_init__(self) -> None:
        super().__post_init__()
        if self.epochs is not None and self.budget_seconds is not None:
            raise InputError("--epochs and --budget both bound the training: give at most one of them")
        if any(side % CROP_MULTIPLE for side in self.crop):
            raise InputError(f"--crop {self.crop[0]}x{self.crop[1]}: its sides are multiples of {CROP_MULTIPLE}")
