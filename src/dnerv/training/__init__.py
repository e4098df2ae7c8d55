"""Fitting a network to a corpus. Needs torch, numpy and pytorch-msssim alone."""

from dnerv.training.clip_set import Batch, ClipSet, TrainingVideo
from dnerv.training.config import Precision, TrainingConfig, paper_recipe
from dnerv.training.losses import LOSS_NAMES, LossName, check_loss
from dnerv.training.trainer import Listener, Progress, Trainer, computes_in_bf16

__all__ = [
    "LOSS_NAMES",
    "Batch",
    "ClipSet",
    "Listener",
    "LossName",
    "Precision",
    "Progress",
    "Trainer",
    "TrainingConfig",
    "TrainingVideo",
    "check_loss",
    "computes_in_bf16",
    "paper_recipe",
]
