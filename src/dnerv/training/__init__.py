"""Fitting a network to a corpus. Needs torch, numpy and pytorch-msssim alone."""

from dnerv.training.clip_set import Batch, ClipSet, TrainingVideo
from dnerv.training.config import Precision, TrainingConfig, paper_recipe
from dnerv.training.losses import LOSS_NAMES, LossName, check_loss, check_masked_loss
from dnerv.training.parallel import ONE_PROCESS, LostProcessError, ProcessGroup, join_processes, local_device
from dnerv.training.trainer import DivergenceError, Listener, Progress, Trainer

__all__ = [
    "LOSS_NAMES",
    "ONE_PROCESS",
    "Batch",
    "ClipSet",
    "DivergenceError",
    "Listener",
    "LossName",
    "LostProcessError",
    "Precision",
    "ProcessGroup",
    "Progress",
    "Trainer",
    "TrainingConfig",
    "TrainingVideo",
    "check_loss",
    "check_masked_loss",
    "join_processes",
    "local_device",
    "paper_recipe",
]
