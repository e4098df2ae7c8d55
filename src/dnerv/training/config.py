"""How a network is trained: one frozen record."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

from dnerv.errors import InputError

Precision = Literal["auto", "fp32", "bf16"]
LossName = Literal["log-mse", "mse", "l1", "l1-ssim", "mse-ssim"]


@dataclass(frozen=True)
class TrainingConfig:
    """Exactly one of `epochs` and `budget_seconds` bounds the run; the schedule stretches over it."""

    epochs: int | None = None  # passes over all clips; on one machine's CPU the result is the same to the bit
    budget_seconds: float | None = None  # time spent in training, interruptions not counted
    batch_clips: int = 1  # clips per step; small corpora gain more from many steps than from the paper's 32
    learning_rate: float = 5e-3  # of AdamW at its height; the paper's is 5e-4 for networks a thousand times larger
    betas: tuple[float, float] = (0.9, 0.99)  # the paper's are (0.9, 0.999)
    warmup: float = 0.05  # share of the run with a rising rate; 0.2 in the paper
    loss: LossName = "log-mse"  # what mean PSNR asks for
    gradient_norm: float | None = 1.0  # gradients longer than this are shortened to it; None in the paper
    ema: float | None = None  # decay per step of an average of the weights that is stored in their place
    quantise_from: float | None = 0.7  # share of the run after which the forward pass sees quantised weights
    weight_bits: int = 5  # levels of that quantiser, 2^bits
    keyframe_dropout: float = 0.0  # share of the steps that know every second keyframe alone
    precision: Precision = "auto"  # bf16 where the hardware computes in it
    seed: int = 0  # of the order of clips; the initial weights are the caller's
    checkpoint_seconds: float = 20.0  # between two checkpoints

    def __post_init__(self) -> None:
        if (self.epochs is None) == (self.budget_seconds is None):
            raise InputError("training is bounded by either --epochs or --budget: give exactly one")
        if self.epochs is not None and self.epochs < 0:
            raise InputError(f"--epochs is {self.epochs}; it must be 0 or more")
        if self.budget_seconds is not None and self.budget_seconds < 0:
            raise InputError(f"--budget is {self.budget_seconds} seconds; it must be 0 or more")
        if not 0 <= self.keyframe_dropout < 1:
            raise InputError(f"--keyframe-dropout is {self.keyframe_dropout}; it must be a share of the steps, below 1")
        if self.batch_clips < 1:
            raise InputError(f"the batch holds {self.batch_clips} clips; it must hold at least 1")


def paper_recipe(*, loss: LossName, epochs: int | None, budget_seconds: float | None, seed: int) -> TrainingConfig:
    """The published training: section 4.1, 8-bit weights quantised after training only."""
    return TrainingConfig(
        epochs=epochs,
        budget_seconds=budget_seconds,
        batch_clips=32,
        learning_rate=5e-4,
        betas=(0.9, 0.999),
        warmup=0.2,
        loss=loss,
        gradient_norm=None,
        quantise_from=None,
        weight_bits=8,
        seed=seed,
    )
