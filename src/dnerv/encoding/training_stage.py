"""The training of an encoding: with what, how long, and in this process alone or in all that were started together."""

from __future__ import annotations

import time
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import NamedTuple

import numpy as np
import torch

from dnerv import progress
from dnerv.archive import checked_device
from dnerv.encoding.base_stage import CodedCorpus
from dnerv.encoding.dial import Design
from dnerv.encoding.options import DEFAULT_BUDGET_SECONDS, EncodeOptions
from dnerv.families import ModelConfig, build_model, count_parameters
from dnerv.training import (
    ClipSet,
    DivergenceError,
    LostProcessError,
    ProcessGroup,
    Trainer,
    TrainingConfig,
    TrainingVideo,
    check_loss,
    paper_recipe,
)
from dnerv.video import CachedVideo, FrameStore, Timeline

OVERLAP = 16  # pixels shared by neighbouring tiles
_LARGEST_BATCH = 2  # clips per step: memory must not grow with the corpus
_CLIPS_PER_BATCHED_CLIP = 64  # one more clip per step for every so many clips of the corpus
_LEARNING_RATE, _SMALL_NETWORK = 5e-3, 20_000  # the rate for networks up to so many parameters; falling from there

_HEAD_START = 1.0  # seconds in which the first process says why: launchers end all as soon as one has ended


class DecodedBase(NamedTuple):
    """What a network sees of a video's base layer."""

    keyframes: FrameStore | None
    crf: float
    distance: int


def decoded_bases(videos: Sequence[CachedVideo], corpus: CodedCorpus, folder: Path) -> list[DecodedBase]:
    """The base layers of all videos, decoded, on disk in `folder`."""
    progress.stage("decoding coded frames", len(videos))
    bases = []
    for video, base in zip(videos, corpus.videos, strict=True):
        keyframes = base.decoded(video, corpus.by_digest, folder)
        bases.append(DecodedBase(keyframes, base.plan.crf, base.plan.distance))
        progress.advance()
    return bases


@dataclass(frozen=True)
class TrainingTask:
    """Everything that a process needs to train along; the clips' frames are read from the disk that all share."""

    model: ModelConfig
    seed: int  # of the initial weights
    clips: ClipSet
    config: TrainingConfig
    checkpoint: Path


def train(task: TrainingTask, device: torch.device, group: ProcessGroup) -> dict[str, np.ndarray]:
    """Train to the end, with the others of the group where there are any: float32 arrays by name."""
    group.hand_out(task)
    return _trained(task, device, group)


def follow(device: str, group: ProcessGroup) -> bool:
    """What every process but the first does: wait for a task and train along.

    Returns:
        Whether it ended well. Where it did not, the first process says why.

    Raises:
        DnervError: something is wrong in this process alone.
    """
    chosen = checked_device(device)
    try:
        _trained(group.receive(), chosen, group)
    except (LostProcessError, DivergenceError):
        time.sleep(_HEAD_START)
        return False
    return True


def _trained(task: TrainingTask, device: torch.device, group: ProcessGroup) -> dict[str, np.ndarray]:
    torch.manual_seed(task.seed)
    model = build_model(task.model)
    Trainer(model, task.clips, task.config, task.checkpoint, device, group).run()
    group.close()
    return {name: p.detach().cpu().float().numpy() for name, p in model.named_parameters()}


def training_config(options: EncodeOptions, design: Design, num_clips: int, processes: int) -> TrainingConfig:
    """How to train: what was asked for, and the recipe's values for the rest."""
    budget = options.budget_seconds
    if options.epochs is None and budget is None:
        budget = DEFAULT_BUDGET_SECONDS
    if options.paper:
        config = paper_recipe(loss="l1-ssim", epochs=options.epochs, budget_seconds=budget, seed=options.seed)
    else:
        # A clip for each process at least, where there are as many: they would have nothing to do otherwise.
        batch = max(min(_LARGEST_BATCH, max(1, num_clips // _CLIPS_PER_BATCHED_CLIP)), min(processes, num_clips))
        rate = _LEARNING_RATE * min(1.0, (_SMALL_NETWORK / count_parameters(design.model)) ** 0.25)
        config = TrainingConfig(
            epochs=options.epochs,
            budget_seconds=budget,
            seed=options.seed,
            batch_clips=batch,
            learning_rate=rate,
        )
    config = replace(config, weight_bits=design.weight_bits, precision=options.precision, ema=options.ema)
    config = replace(config, keyframe_dropout=options.keyframe_dropout)
    if options.learning_rate is not None:
        config = replace(config, learning_rate=options.learning_rate)
    if options.batch_clips is not None:
        config = replace(config, batch_clips=options.batch_clips)
    return replace(config, loss=check_loss(options.loss or config.loss, *design.model.canvas))


def clip_set(videos: Sequence[CachedVideo], bases: Sequence[DecodedBase], model: ModelConfig) -> ClipSet:
    """The clips of all videos; `bases` has one for each, or none for a network without keyframes."""
    training, first = [], 0
    for place, video in enumerate(videos):
        base = bases[place] if bases else DecodedBase(None, 0.0, model.keyframe_every)
        timeline = Timeline(video.timing.num_frames, model.clip_length, base.distance)
        training.append(TrainingVideo(video, timeline, base.keyframes, first, base.crf))
        first += video.timing.num_frames
    return ClipSet(training, model.canvas, overlap(model), absolute_time=model.absolute_time)


def overlap(model: ModelConfig) -> int:
    """Pixels that neighbouring tiles share: fewer than a canvas has on its shorter side."""
    return min(OVERLAP, min(model.canvas) - 1)
