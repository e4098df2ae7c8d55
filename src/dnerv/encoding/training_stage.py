"""The training of an encoding: in this process alone, or in all that were started together."""

from __future__ import annotations

import time
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch

from dnerv.archive import checked_device
from dnerv.families import ModelConfig, build_model
from dnerv.training import (
    ClipSet,
    DivergenceError,
    Listener,
    LostProcessError,
    ProcessGroup,
    Trainer,
    TrainingConfig,
)

_HEAD_START = 1.0  # seconds in which the first process says why: launchers end all as soon as one has ended


@dataclass(frozen=True)
class TrainingTask:
    """Everything that a process needs to train along; the clips' frames are read from the disk that all share."""

    model: ModelConfig
    seed: int  # of the initial weights
    clips: ClipSet
    config: TrainingConfig
    checkpoint: Path


def train(task: TrainingTask, device: torch.device, group: ProcessGroup, listener: Listener) -> dict[str, np.ndarray]:
    """Train to the end, with the others of the group where there are any: float32 arrays by name."""
    group.hand_out(task)
    return _trained(task, device, group, listener)


def follow(device: str, group: ProcessGroup) -> bool:
    """What every process but the first does: wait for a task and train along.

    Returns:
        Whether it ended well. Where it did not, the first process says why.

    Raises:
        DnervError: something is wrong in this process alone.
    """
    chosen = checked_device(device)
    try:
        _trained(group.receive(), chosen, group, lambda progress: None)
    except (LostProcessError, DivergenceError):
        time.sleep(_HEAD_START)
        return False
    return True


def _trained(
    task: TrainingTask, device: torch.device, group: ProcessGroup, listener: Listener
) -> dict[str, np.ndarray]:
    torch.manual_seed(task.seed)
    model = build_model(task.model)
    Trainer(model, task.clips, task.config, task.checkpoint, device, group).run(listener)
    group.close()
    return {name: p.detach().cpu().float().numpy() for name, p in model.named_parameters()}
