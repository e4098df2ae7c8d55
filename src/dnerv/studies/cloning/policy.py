"""A small policy that sees two frames and knows its task; trained by the squared error of its actions."""

from __future__ import annotations

from collections.abc import Generator, Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor, nn
from torch.nn import functional as F

from dnerv.process import side_by_side
from dnerv.studies.cloning.episodes import Episodes

if TYPE_CHECKING:
    from dnerv.studies.cloning.study import PolicyOptions

Pixels = NDArray[np.uint8]  # [frames, 3, h, w] RGB of all videos one after the other, at the size that the policy sees
_CURVE = 6  # times that the error on held-out episodes is looked at
_AT_ONCE = 512  # frames


class Policy(nn.Module):
    """Frames t - 1 and t and a task -> an action, as `Episodes.targets` has it."""

    def __init__(self, size: tuple[int, int], width: int, tasks: int, values: int) -> None:
        super().__init__()
        channels, layers = 6, list[nn.Module]()
        for out in (width, 2 * width, 3 * width, 4 * width):
            layers += [nn.Conv2d(channels, out, 3, stride=2, padding=1), nn.GroupNorm(4, out), nn.ReLU()]
            channels = out
        self.seeing = nn.Sequential(*layers, nn.Flatten())
        with torch.no_grad():
            features = self.seeing(torch.zeros(1, 6, *size)).shape[1]
        self.gather = nn.Linear(features, 128)
        self.task = nn.Embedding(tasks, 128)
        self.act = nn.Sequential(nn.ReLU(), nn.Linear(128, 128), nn.ReLU(), nn.Linear(128, values))

    def forward(self, frames: Tensor, tasks: Tensor) -> Tensor:
        """float32 [B, 6, h, w] in [-1, 1], int64 [B] -> float32 [B, values]."""
        made: Tensor = self.act(self.gather(self.seeing(frames)) + self.task(tasks))
        return made


@dataclass(frozen=True)
class Trained:
    """What came of one training."""

    errors: dict[str, list[float]]  # on held-out episodes, by whose frames are seen: of each task
    curve: list[tuple[int, float]]  # steps, mean error over the tasks on the frames that it learned from


def clone(
    episodes: Episodes,
    pixels: Mapping[str, Pixels],
    options: PolicyOptions,
    seeds: Iterable[int],
    device: torch.device,
) -> Generator[Trained]:
    """A policy from each seed, one a core: trained on the training episodes, tested on held-out ones.

    AdamW, cosine to zero; frames are moved by some pixels at random, both of a pair alike. The same seed gives the same
    weights to begin with, batches and shifts whatever the pixels.

    Args:
        pixels: the first are learned from; all are tested on.

    Yields:
        Of each seed. Errors: mean squared error over that of the training actions' mean, so 1 is a policy that sees
        nothing.
    """
    made = [(_new_policy(episodes, options, seed).to(device), seed) for seed in seeds]
    with _threads(1):  # such small tensors gain nothing by two
        yield from side_by_side(lambda one: _train(episodes, pixels, options, *one, device), made)


def _new_policy(episodes: Episodes, options: PolicyOptions, seed: int) -> Policy:
    with torch.random.fork_rng():
        torch.manual_seed(seed)
        return Policy(options.size, options.width, len(episodes.tasks), episodes.num_values)


@contextmanager
def _threads(number: int) -> Iterator[None]:
    before = torch.get_num_threads()
    torch.set_num_threads(number)
    try:
        yield
    finally:
        torch.set_num_threads(before)


def _train(
    episodes: Episodes,
    pixels: Mapping[str, Pixels],
    options: PolicyOptions,
    policy: Policy,
    seed: int,
    device: torch.device,
) -> Trained:
    targets, tasks = torch.from_numpy(episodes.targets), torch.from_numpy(episodes.task_of)
    before, places = torch.from_numpy(episodes.before), torch.from_numpy(np.flatnonzero(~episodes.is_test))
    learned = next(iter(pixels.values()))
    seen, curve = torch.from_numpy(learned), list[tuple[int, float]]()
    generator = torch.Generator().manual_seed(seed)
    optimiser = torch.optim.AdamW(policy.parameters(), options.learning_rate, weight_decay=options.weight_decay)
    schedule = torch.optim.lr_scheduler.CosineAnnealingLR(optimiser, options.steps)
    for step in range(options.steps):
        chosen = places[torch.randint(len(places), (options.batch,), generator=generator)]
        shift = torch.randint(-options.shift, options.shift + 1, (2,), generator=generator).tolist()
        frames = _moved(_pair(seen, before, chosen).to(device), shift)
        loss = F.mse_loss(policy(frames, tasks[chosen].to(device)), targets[chosen].to(device))
        optimiser.zero_grad()
        loss.backward()  # type: ignore[no-untyped-call]
        optimiser.step()
        schedule.step()
        if (step + 1) * _CURVE // options.steps > step * _CURVE // options.steps:
            curve.append((step + 1, float(np.mean(_errors(policy, episodes, learned, device)))))
    return Trained({name: _errors(policy, episodes, shown, device) for name, shown in pixels.items()}, curve)


@torch.no_grad()
def _errors(policy: Policy, episodes: Episodes, pixels: Pixels, device: torch.device) -> list[float]:
    """Of each task: mean squared error of the held-out frames, over that of the training frames' mean action."""
    targets, tasks = torch.from_numpy(episodes.targets), torch.from_numpy(episodes.task_of)
    before, places = torch.from_numpy(episodes.before), torch.from_numpy(np.flatnonzero(episodes.is_test))
    seen = torch.from_numpy(pixels)
    made = [policy(_pair(seen, before, p).to(device), tasks[p].to(device)).cpu() for p in torch.split(places, _AT_ONCE)]
    wrong = (torch.cat(made) - targets[places]).square().mean(1).double()
    usual = targets[places].square().mean(1).double()
    of = tasks[places]
    return [float(wrong[of == task].mean() / usual[of == task].mean()) for task in range(len(episodes.tasks))]


def _pair(seen: Tensor, before: Tensor, places: Tensor) -> Tensor:
    """Frames t - 1 and t: float32 [B, 6, h, w] in [-1, 1]."""
    return torch.cat((seen[before[places]], seen[places]), 1).float() / 127.5 - 1


def _moved(frames: Tensor, shift: list[int]) -> Tensor:
    """All of them by the same number of rows and columns; what comes in at an edge repeats it."""
    rows, columns = shift
    padded = F.pad(frames, (max(columns, 0), max(-columns, 0), max(rows, 0), max(-rows, 0)), mode="replicate")
    height, width = frames.shape[-2:]
    return padded[..., max(-rows, 0) :, max(-columns, 0) :][..., :height, :width]
