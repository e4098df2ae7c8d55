"""Fitting a network to a corpus. Needs torch, numpy and pytorch-msssim alone."""

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.training.clip_set import Batch, ClipSet, TrainingVideo
    from dnerv.training.config import LossName, Precision, TrainingConfig, paper_recipe
    from dnerv.training.losses import LOSS_NAMES, check_loss, check_masked_loss
    from dnerv.training.parallel import ONE_PROCESS, LostProcessError, ProcessGroup, join_processes, local_device
    from dnerv.training.trainer import DivergenceError, Trainer

__all__ = [
    "LOSS_NAMES",
    "ONE_PROCESS",
    "Batch",
    "ClipSet",
    "DivergenceError",
    "LossName",
    "LostProcessError",
    "Precision",
    "ProcessGroup",
    "Trainer",
    "TrainingConfig",
    "TrainingVideo",
    "check_loss",
    "check_masked_loss",
    "join_processes",
    "local_device",
    "paper_recipe",
]

__getattr__ = imports_on_use(
    __name__,
    {
        "LOSS_NAMES": "losses",
        "ONE_PROCESS": "parallel",
        "Batch": "clip_set",
        "ClipSet": "clip_set",
        "DivergenceError": "trainer",
        "LossName": "config",
        "LostProcessError": "parallel",
        "Precision": "config",
        "ProcessGroup": "parallel",
        "Trainer": "trainer",
        "TrainingConfig": "config",
        "TrainingVideo": "clip_set",
        "check_loss": "losses",
        "check_masked_loss": "losses",
        "join_processes": "parallel",
        "local_device": "parallel",
        "paper_recipe": "config",
    },
)
