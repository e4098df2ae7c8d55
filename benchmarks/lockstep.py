"""Many small networks trained side by side on one device, step for step.

    clips of a corpus, whole on the device ─┬─ network ─ its own stream, its own CUDA graph of one whole step ─┐
                                            ├─ network ─ ...                                                   ├─ rounds
                                            └─ network ─ ...                                                  ─┘

Small networks leave a large device idle: launching a step's kernels takes longer than they do. So a step (which clips,
learning rate, forward, loss, backward, clipping, AdamW) is recorded once, and a round replays every network's record.
Every network takes the same number of steps whatever one of its steps costs, and the number is settled by what rounds
take on the machine at hand. Without CUDA, or where recording is not wanted, the same step runs as it is written.

The training is that of `dnerv.training.Trainer`: its loss, schedule, clipping, order of clips and quantiser.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from dnerv.bitstream import pack_weights, unpack_weights
from dnerv.families import ClipInputs, ModelConfig, build_model, config_to_json, tensor_shapes
from dnerv.training.clip_set import ClipSet
from dnerv.training.losses import frame_loss, squared_error
from dnerv.training.quantised import straight_through
from dnerv.training.schedule import learning_rate_factor

WARMUP, QUANTISE_FROM, GRADIENT_NORM, BETAS = 0.05, 0.7, 1.0, (0.9, 0.99)  # those of `TrainingConfig`
_WARM_STEPS = 2  # before a step is recorded: libraries choose kernels and take their memory
_CLIPS_AT_ONCE = 16  # when quality is measured


@dataclass(frozen=True)
class ClipTable:
    """All N clips of a corpus as a network's batches have them, on a device."""

    time: Tensor  # float32 [N, T]
    start: Tensor  # int64 [N, T], row among the clip's own keyframes
    end: Tensor  # int64 [N, T]
    distance: Tensor  # float32 [N, T]
    entry: Tensor  # float32 [N, T]
    keyframes: Tensor  # uint8 [N, m, 3, H, W]; a clip with fewer than m repeats its last
    wanted: Tensor  # uint8 [N, T, 3, H, W]
    mask: Tensor  # bool [N, T], False for frames that pad a video's last clip
    video: Tensor  # int64 [N]

    def __len__(self) -> int:
        return len(self.time)

    def inputs(self, index: Tensor) -> ClipInputs:
        """Of the clips at int64 [B]."""
        keyframes = self.keyframes.index_select(0, index)
        rows = torch.arange(len(index), device=index.device)[:, None] * keyframes.shape[1]
        rgb = (keyframes.flatten(0, 1).float() / 255).contiguous(memory_format=torch.channels_last)
        start, end = (rows + ordinal.index_select(0, index) for ordinal in (self.start, self.end))
        time, distance, entry = (x.index_select(0, index) for x in (self.time, self.distance, self.entry))
        return ClipInputs(time, rgb, start, end, distance, entry, time.new_zeros(len(time), 2))


def clip_table(clips: ClipSet, device: torch.device) -> ClipTable:
    """Read a whole corpus; of tiles, there must be one to a frame."""
    batches = [clips.batch([index]) for index in range(len(clips))]
    most = max(len(batch.inputs.keyframes) for batch in batches)
    videos = np.repeat(np.arange(len(clips.videos)), [video.timeline.num_clips for video in clips.videos])

    def filled(keyframes: Tensor) -> Tensor:
        if len(keyframes) < most:
            keyframes = torch.cat((keyframes, keyframes[-1:].expand(most - len(keyframes), -1, -1, -1)))
        return (keyframes * 255).round().to(torch.uint8)

    stacked = {
        name: torch.cat([getattr(batch.inputs, name) for batch in batches])
        for name in ("time", "start", "end", "distance", "entry")
    }
    table = ClipTable(
        **stacked,
        keyframes=torch.stack([filled(batch.inputs.keyframes) for batch in batches]),
        wanted=torch.cat([batch.wanted for batch in batches]),
        mask=torch.cat([batch.mask for batch in batches]),
        video=torch.from_numpy(videos),
    )
    return ClipTable(**{name: value.to(device) for name, value in vars(table).items()})


@dataclass(frozen=True)
class Task:
    """One network and how it is trained."""

    name: str
    config: ModelConfig
    learning_rate: float  # at its height
    seed: int = 0  # of the initial weights and of the order of clips
    bits: int = 5  # of the weights in the archive
    starts_at_identity: bool = False  # the temporal modules
    pace: float = 1.0  # its steps for each of the others': it ends early below 1, above 1 it takes several in a round

    def steps_of(self, rounds: int) -> int:
        """Its steps in so many rounds."""
        return max(1, round(self.pace * rounds))

    @property
    def steps_a_round(self) -> int:
        """Until it has taken all of its steps."""
        return max(1, round(self.pace))


class Trained:
    """A network in training, and its curve."""

    def __init__(self, task: Task, clips: ClipTable, most_rounds: int, *, recorded: bool) -> None:
        """`most_rounds`: that `plan` may ask for. `recorded`: as CUDA graphs, on a stream of its own."""
        self.task, self.clips, self.device = task, clips, clips.time.device
        torch.manual_seed(task.seed)
        model = build_model(task.config)
        if task.starts_at_identity:
            model.start_at_identity()  # type: ignore[operator]
        self.model = model.to(self.device).train()
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        # Sines of large numbers come from the processor, always: here once for each clip.
        stem: Any = self.model.stem
        self._encoded = stem.encoding(clips.time.cpu()).to(self.device)  # (N, T, 2 * levels)
        self._exact_encoding, self._looked_up = stem.encoding, _LookedUp()
        self.parameters = list(self.model.parameters())
        self.rate = torch.zeros((), device=self.device)
        self.optimizer = torch.optim.AdamW(
            self.parameters,
            lr=self.rate,
            betas=BETAS,
            weight_decay=0.0,
            fused=True,
            capturable=self.device.type == "cuda",
        )
        most = task.steps_of(most_rounds) + 8
        self.rates = torch.zeros(most, device=self.device)
        self.order = torch.zeros(most, dtype=torch.int64, device=self.device)
        self.curve = torch.full((most,), math.nan, device=self.device)  # PSNR in dB of each step's clip
        self.count = torch.zeros(1, dtype=torch.int64, device=self.device)
        self.steps, self.total = 0, 0
        self._start = [p.detach().clone() for p in self.parameters]
        self.graphs: list[torch.cuda.CUDAGraph] = []
        self.stream = torch.cuda.Stream() if recorded else None
        if self.stream is not None:
            self._record(self.stream)
        else:
            self._warm()

    def plan(self, rounds: int) -> None:
        """Settle the number of steps; start from the initial weights."""
        task, steps = self.task, self.task.steps_of(rounds)
        factors = [learning_rate_factor(step / steps, WARMUP) for step in range(steps)]
        epochs = range(-(-steps // len(self.clips)))
        orders = [np.random.default_rng([task.seed, epoch]).permutation(len(self.clips)) for epoch in epochs]
        self.rates[:steps] = task.learning_rate * torch.tensor(factors, device=self.device)
        self.order[:steps] = torch.from_numpy(np.concatenate(orders)[:steps]).to(self.device)
        self.total = steps
        self.reset()

    def reset(self) -> None:
        """To the initial weights; the recorded steps stay."""
        with torch.no_grad():
            for parameter, start in zip(self.parameters, self._start, strict=True):
                parameter.copy_(start)
        for state in self.optimizer.state.values():
            for value in state.values():
                value.zero_()
        self.count.zero_()
        self.curve.fill_(math.nan)
        self.steps = 0

    def step(self, *, quantised: bool | None = None) -> None:
        """One step, asynchronous where recorded. `quantised`: None for what the schedule says."""
        if quantised is None:
            quantised = self.steps >= QUANTISE_FROM * self.total
        if self.graphs:
            with torch.cuda.stream(self.stream):
                self.graphs[quantised].replay()
        else:
            self._step(quantised)
        self.steps += 1

    def quality(self) -> dict[str, Any]:
        """Of what the archive's bytes of the network give: 8-bit RGB frames, mean over frames, then over videos."""
        stem: Any = self.model.stem
        stem.encoding = self._exact_encoding
        weights = {n: p.detach().cpu().float().contiguous().numpy() for n, p in self.model.named_parameters()}
        packed = pack_weights(weights, self.task.bits)
        decoded = unpack_weights(packed, tensor_shapes(self.task.config))
        found = {"network_bytes": len(packed), "parameters": sum(w.size for w in weights.values())}
        psnr = {}
        for name, values in (("psnr_before_quantisation", weights), ("psnr", decoded)):
            placed = {key: torch.from_numpy(value).to(self.device) for key, value in values.items()}
            psnr[name] = self._psnr(placed)
        return {**found, **psnr, "packed": packed}

    def curve_in(self, bins: int) -> list[tuple[int, float]]:
        """Steps taken, and the mean PSNR of the clips since the point before."""
        values = self.curve[: self.steps].cpu().numpy()
        edges = np.unique(np.linspace(0, len(values), bins + 1).round().astype(int))
        return [(int(b), float(values[a:b].mean())) for a, b in pairwise(edges)]

    def _step(self, quantised: bool) -> None:
        at = self.count
        index = self.order.index_select(0, at)
        self.rate.copy_(self.rates.index_select(0, at)[0])
        made = self._forward(index, straight_through(self.model, self.task.bits) if quantised else None)
        wanted = self.clips.wanted.index_select(0, index).flatten(0, 1).float() / 255
        mask = self.clips.mask.index_select(0, index).flatten()
        loss = frame_loss("log-mse", made, wanted, mask)
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        nn.utils.clip_grad_norm_(self.parameters, GRADIENT_NORM)
        self.optimizer.step()
        with torch.no_grad():
            errors = squared_error(made.detach(), wanted).clamp(min=1e-10)
            psnr = (-10 * errors.log10() * mask).sum() / mask.sum()
            self.curve.index_copy_(0, at, psnr[None])
            self.count.add_(1)

    def _forward(self, index: Tensor, weights: dict[str, Tensor] | None) -> Tensor:
        """[B * T, 3, H, W]."""
        self._looked_up.encoded = self._encoded.index_select(0, index)
        stem: Any = self.model.stem
        stem.encoding = self._looked_up
        inputs = self.clips.inputs(index)
        made: Tensor = self.model(inputs) if weights is None else functional_call(self.model, weights, (inputs,))
        return made.flatten(0, 1)

    def _warm(self) -> None:
        for quantised in (False, True):
            for _ in range(_WARM_STEPS):
                self._step(quantised)
        self.reset()

    def _record(self, stream: torch.cuda.Stream) -> None:
        stream.wait_stream(torch.cuda.current_stream())
        with torch.cuda.stream(stream):
            self._warm()
        stream.synchronize()
        pool = None
        for quantised in (False, True):
            self.optimizer.zero_grad(set_to_none=True)
            graph = torch.cuda.CUDAGraph()
            with torch.cuda.graph(graph, pool=pool, stream=stream):
                self._step(quantised)
            pool = graph.pool()
            self.graphs.append(graph)
        torch.cuda.synchronize()

    def _psnr(self, weights: dict[str, Tensor]) -> float:
        clips, errors = self.clips, []
        with torch.no_grad():
            for first in range(0, len(clips), _CLIPS_AT_ONCE):
                index = torch.arange(first, min(first + _CLIPS_AT_ONCE, len(clips)), device=self.device)
                made: Tensor = functional_call(self.model, weights, (clips.inputs(index),))
                levels = (made.float() * 255).round().clamp(0, 255)
                wanted = clips.wanted.index_select(0, index).float()
                errors.append((levels - wanted).square().mean((2, 3, 4)))
        psnr = (10 * (255**2 / torch.cat(errors).double().clamp(min=6.5e-6)).log10()).cpu()
        mask, video = clips.mask.cpu(), clips.video.cpu()
        means = [psnr[video == v][mask[video == v]].mean() for v in video.unique()]
        return float(torch.stack(means).mean())


class _LookedUp(nn.Module):
    """Stands for the time encoding: its values were computed before."""

    encoded: Tensor

    def forward(self, time: Tensor) -> Tensor:
        return self.encoded


def seconds_a_round(networks: Sequence[Trained], seconds: float) -> float:
    """What a round takes while all networks train, quantised and not in the schedule's shares; all start anew."""
    taken = []
    for quantised in (False, True):
        rounds, started = 0, 0.0
        while True:
            for network in networks:
                for _ in range(network.task.steps_a_round if network.task.pace >= 1 else 0):
                    if network.steps < len(network.rates) - 1:
                        network.step(quantised=quantised)
            rounds += 1
            if rounds == 1:
                wait(networks)
                started = time.monotonic()  # the first one loads what was never run before
            elif rounds % 3 == 0:
                wait(networks)
                if time.monotonic() - started > seconds / 2:
                    break
        taken.append((time.monotonic() - started) / (rounds - 1))
        for network in networks:
            network.reset()
        wait(networks)
    brief = sum(network.task.pace for network in networks if network.task.pace < 1)
    whole = sum(network.task.pace for network in networks if network.task.pace >= 1)
    return (QUANTISE_FROM * taken[0] + (1 - QUANTISE_FROM) * taken[1]) * (1 + brief / whole)


def train(
    networks: Sequence[Trained], rounds: int, deadline: float, told: Callable[[int], None], *, every: float
) -> int:
    """Take all steps, or those that there is time for; -> rounds taken.

    Args:
        deadline: of `time.monotonic`. told: called with the rounds taken so far, each `every` seconds.
    """
    for network in networks:
        network.plan(rounds)
    wait(networks)  # streams do not wait for each other
    said = time.monotonic()
    for taken in range(1, rounds + 1):
        for network in networks:
            for _ in range(min(network.task.steps_a_round, network.total - network.steps)):
                network.step()
        if taken % 8 == 0 or taken == rounds or networks[0].device.type == "cpu":
            wait(networks)
            if time.monotonic() - said > every:
                told(taken)
                said = time.monotonic()
            if time.monotonic() > deadline:
                return taken
    return rounds


def wait(networks: Sequence[Trained]) -> None:
    """Until the device has done what it was given."""
    if networks[0].device.type == "cuda":
        torch.cuda.synchronize()


def described(task: Task) -> dict[str, Any]:
    """The task as JSON."""
    return {**vars(task), "config": config_to_json(task.config)}
