"""Train the classifier from scratch, and ask it about the test videos."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch
from torch import Tensor
from torch.nn import functional as F
from torch.optim.lr_scheduler import OneCycleLR

from dnerv import progress
from dnerv.engine.precision import computes_in_bf16
from dnerv.loading import Augmentation
from dnerv.studies.recognition.footage import Footage
from dnerv.studies.recognition.network import TemporalShiftNetwork, TSMConfig
from dnerv.studies.recognition.sampling import Clip, centred_batches, training_batches
from dnerv.studies.recognition.split import Split
from dnerv.video.content import digest_of

if TYPE_CHECKING:
    from dnerv.studies.recognition.study import ClassifierOptions

_LARGEST_GRADIENT = 5.0  # norm


@dataclass(frozen=True)
class Task:
    """What a classifier learns, and how; the pixels come later."""

    split: Split
    lengths: Mapping[str, int]  # frames of each video
    options: ClassifierOptions
    device: torch.device

    def to_json(self) -> dict[str, Any]:
        """What a classifier depends on, beside its frames and its seed."""
        parts = [self.split.train, self.split.test, dict(self.split.labels)]
        return {"split": digest_of(parts), "classifier": self.options.to_json(), "device": self.device.type}

    def new_network(self) -> TemporalShiftNetwork:
        """With weights of torch's global generator."""
        config = TSMConfig(len(self.split.classes), self.options.width, self.options.blocks)
        network = TemporalShiftNetwork(config).to(self.device)
        return network.to(memory_format=torch.channels_last)  # type: ignore[call-overload,no-any-return]


def train_classifier(task: Task, footage: Footage, seed: int) -> TemporalShiftNetwork:
    """A classifier trained on the training videos.

    AdamW, linear warm-up, cosine to zero. The same seed and frames give the same weights on one machine.
    """
    options, names = task.options, task.split.train
    progress.stage("training a classifier", options.epochs)
    with torch.random.fork_rng(), torch.backends.cudnn.flags(benchmark=False, deterministic=True):
        torch.manual_seed(seed)
        network = task.new_network().train()
        optimiser = torch.optim.AdamW(network.parameters(), lr=options.learning_rate, weight_decay=options.weight_decay)
        steps = options.epochs * max(1, len(names) // options.batch)
        schedule = OneCycleLR(optimiser, options.learning_rate, total_steps=steps + 1, pct_start=options.warm_up)
        for epoch in range(options.epochs):
            batches = training_batches(
                task.lengths, names, frames=options.frames, batch=options.batch, seed=seed, epoch=epoch
            )
            for clips, frames in zip(batches, footage.batches(batches), strict=True):
                _step(task, network, optimiser, clips, frames)
                schedule.step()
            progress.advance()
    return network.eval()


def read_weights(task: Task, path: Path) -> TemporalShiftNetwork:
    """The classifier that was kept at `path`."""
    with torch.random.fork_rng():
        network = task.new_network()
    network.load_state_dict(torch.load(path, map_location=task.device, weights_only=True))
    return network.eval()


@torch.no_grad()
def classify(task: Task, network: TemporalShiftNetwork, footage: Footage) -> Tensor:
    """Logits of the test videos, float32 [N, classes], in the split's order."""
    options, rows = task.options, []
    batches = centred_batches(task.lengths, task.split.test, frames=options.frames, batch=options.batch)
    for clips, frames in zip(batches, footage.batches(batches), strict=True):
        with _autocast(task.device):
            rows.append(network.eval()(_seen(task, clips, frames, training=False)).float().cpu())
    return torch.cat(rows)


def _step(
    task: Task,
    network: TemporalShiftNetwork,
    optimiser: torch.optim.Optimizer,
    clips: Sequence[Clip],
    frames: Sequence[Tensor],
) -> None:
    classes = torch.tensor(task.split.numbers(clip.name for clip in clips), device=task.device)
    with _autocast(task.device):
        logits = network(_seen(task, clips, frames, training=True)).float()
    loss = F.cross_entropy(logits, classes, label_smoothing=task.options.label_smoothing)
    optimiser.zero_grad()
    loss.backward()  # type: ignore[no-untyped-call]
    torch.nn.utils.clip_grad_norm_(network.parameters(), _LARGEST_GRADIENT)
    optimiser.step()


def _seen(task: Task, clips: Sequence[Clip], frames: Sequence[Tensor], *, training: bool) -> Tensor:
    """Cropped, in training flipped at random too: float [B, T, 3, crop, crop] in [0, 255].

    Not normalised: the norm after the first convolution does that, and bf16 has these numbers, and the differences of
    neighbouring frames, exactly.
    """
    options, dtype = task.options, torch.bfloat16 if computes_in_bf16(task.device) else torch.float32
    augmentation = Augmentation(
        crop=options.crop, random_crop=training, flip=training and options.flip, dtype=torch.uint8
    )
    draws = [clip.draw for clip in clips]
    placed = [augmentation.place(clip, draw) for clip, draw in zip(frames, draws, strict=True)]
    return augmentation.finish(torch.stack(placed).to(task.device), draws).to(dtype)


def _autocast(device: torch.device) -> AbstractContextManager[None]:
    return torch.autocast(device.type, dtype=torch.bfloat16, enabled=computes_in_bf16(device))
