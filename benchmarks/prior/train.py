"""Train priors of several sizes at once, on base layers that are made while they learn.

    python -m prior.sources DATA CORPUS
    python -m prior.train CORPUS OUT --seconds 390 --parts-seconds 75

CORPUS holds train/GROUP/NAME.mp4 and held-out/GROUP/NAME.mp4. All cores but one code base layers from start to end;
all priors see the same batches. The loss is each frame's squared error over that of the base layer: its gradient is
that of the mean PSNR. OUT gets NAME.safetensors (averaged weights, float32) for each prior, also in between, and
`prior.json`: held-out gains by group, distance and crf, curves, what each part of the network is worth.
"""

from __future__ import annotations

import argparse
import copy
import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from math import cos, pi
from pathlib import Path
from typing import Any

import torch
from prior.checkpoint import in_eight_bits, save
from prior.measure import autocast, frames_per_second, gains, summary
from prior.model import SIZES, WITHOUT, Prior, PriorConfig, multiply_adds
from prior.pairs import WINDOW, Makers, Pair
from prior.samples import Batch, Samples
from torch import Tensor
from torch.nn import functional as F

PEAK_RATE, WARMUP, LOWEST_RATE = 2e-3, 0.03, 0.01  # of AdamW; share of the run; share of the peak
AVERAGE = 0.999  # decay per step of the weights that are kept
ALIGNMENT = 0.1  # weight, at the start, of how well the warped anchors show the frame


@dataclass
class Trainee:
    """One prior on its way."""

    prior: Prior
    average: Prior
    optimizer: torch.optim.AdamW
    seconds: float = 0.0  # that its steps took, as far as they were measured

    @classmethod
    def of(cls, config: PriorConfig, device: torch.device) -> Trainee:
        """A new one."""
        torch.manual_seed(0)
        prior = Prior(config).to(device=device, memory_format=torch.channels_last)  # type: ignore[call-overload]
        optimizer = torch.optim.AdamW(prior.parameters(), betas=(0.9, 0.99), weight_decay=1e-4, fused=True)
        return cls(prior, copy.deepcopy(prior).requires_grad_(False), optimizer)

    def step(self, batch: Batch, rate: float, number: int, left: float) -> Tensor:
        """One step; the loss, which is 1 for the base layer itself. `left`: share of the run."""
        for group in self.optimizer.param_groups:
            group["lr"] = rate
        with autocast(batch.shown.device, True):
            restored, aligned = self.prior.restored_and_aligned(batch.shown, batch.conditions)
        loss = _relative_error(restored, batch.wanted, batch.weight)
        objective = loss
        if aligned is not None:
            objective = loss + ALIGNMENT * left * _relative_error(aligned, F.avg_pool2d(batch.wanted, 2), batch.weight)
        self.optimizer.zero_grad(set_to_none=True)
        objective.backward()  # type: ignore[no-untyped-call]
        torch.nn.utils.clip_grad_norm_(self.prior.parameters(), 1.0)
        self.optimizer.step()
        decay = min(AVERAGE, (1 + number) / (10 + number))
        kept, new = list(self.average.parameters()), list(self.prior.parameters())
        torch._foreach_lerp_(kept, [weight.detach() for weight in new], 1 - decay)
        return loss.detach()


class Run:
    """Samples that grow, trainees, and what was noted of them."""

    def __init__(self, options: argparse.Namespace) -> None:
        self.options = options
        self.started = time.monotonic()
        self.makers = Makers(options.corpus, options.workers)  # before the accelerator is first used
        self.device = torch.device(options.device)
        self.samples = Samples(options.capacity, WINDOW, self.device)
        self.held_out: list[Pair] = []
        self.record: dict[str, Any] = {"options": {k: str(v) for k, v in vars(options).items()}, "priors": {}}

    def collect(self, *, seconds: float = 0.0) -> None:
        """Take what the makers have ready; with `seconds`, wait at most so long for the first."""
        pairs = self.makers.take(seconds=seconds)
        while pairs:
            for pair in pairs:
                if pair.job.is_held_out:
                    self.held_out.append(pair)
                else:
                    self.samples.add(pair)
            pairs = self.makers.take()

    def train(self, configs: Mapping[str, PriorConfig], seconds: float, stage: str) -> dict[str, Trainee]:
        """All of them on the same batches, for so long; noted in the record under `stage`."""
        trainees = {name: Trainee.of(config, self.device) for name, config in configs.items()}
        started, number, curve = time.monotonic(), 0, []
        marks = [seconds * (i + 1) / self.options.marks for i in range(self.options.marks - 1)]
        while (passed := time.monotonic() - started) < seconds:
            if marks and passed >= marks[0]:
                marks.pop(0)
                curve.append(self.measured(trainees, passed, number))
            self.collect()
            batch = self.samples.draw(self.options.batch)
            share = passed / seconds
            rate = PEAK_RATE * min(1.0, share / WARMUP) * (LOWEST_RATE + (1 - LOWEST_RATE) * (1 + cos(pi * share)) / 2)
            losses = [trainee.step(batch, rate, number, 1 - share) for trainee in trainees.values()]
            number += 1
            if number % 50 == 0:  # and no launch runs far ahead of the clock
                values = torch.stack(losses).tolist()
                if number % self.options.say == 0:
                    self.say(f"{stage} {number}: {len(self.samples):,} frames, loss " + _joined(trainees, values))
        curve.append(self.measured(trainees, seconds, number))
        self.record[stage] = {"steps": number, "seconds": seconds, "batch": self.options.batch, "curve": curve}
        return trainees

    def measured(self, trainees: Mapping[str, Trainee], seconds: float, steps: int) -> dict[str, Any]:
        """Mean held-out gains now; weights are saved too."""
        self.collect()
        point: dict[str, Any] = {"seconds": seconds, "frames": steps * self.options.batch}
        point |= {"made": self.samples.num_decoded, "videos_held_out": len(self.held_out), "gains": {}}
        for name, trainee in trainees.items():
            point["gains"][name] = summary(gains(trainee.average, self.held_out, self.samples, bf16=True))
            save(trainee.average, self.options.out / f"{name}.safetensors", {"steps": steps, "seconds": seconds})
        self.say("gain, dB: " + json.dumps(point["gains"]))
        return point

    def say(self, text: str) -> None:
        """A line with the time."""
        print(f"{time.monotonic() - self.started:6.1f} s  {text}", flush=True)

    def write(self) -> None:
        """The record, as it stands."""
        (self.options.out / "prior.json").write_text(json.dumps(self.record))


def main() -> None:
    """Parse, train, measure, print a table."""
    options = _parser().parse_args()
    options.out.mkdir(parents=True, exist_ok=True)
    run = Run(options)
    while len(run.samples) < options.first:
        run.collect(seconds=1)
    run.say(f"{len(run.samples):,} frames to begin with")
    priors = run.train({name: SIZES[name] for name in options.sizes}, options.seconds, "sizes")
    for name, trainee in priors.items():
        prior = trainee.average
        rows = gains(prior, run.held_out, run.samples)
        rounded = copy.deepcopy(prior)
        rounded.load_state_dict(in_eight_bits(prior.state_dict()))
        run.record["priors"][name] = {
            "config": asdict(prior.config),
            "parameters": sum(weight.numel() for weight in prior.parameters()),
            "multiply_adds": multiply_adds(prior.config),
            "frames_per_second": frames_per_second(prior, run.device, batch=options.batch),
            "rows": rows,
            "in_eight_bits": summary(gains(rounded, run.held_out, run.samples)),
        }
    run.write()
    if options.parts_seconds:
        parts = {"all parts": SIZES["100k"]} | {f"without {part}": config for part, config in WITHOUT.items()}
        run.options = argparse.Namespace(**vars(options) | {"marks": 1})
        run.train(parts, options.parts_seconds, "parts")
        for name in parts:
            (options.out / f"{name}.safetensors").unlink(missing_ok=True)
    run.makers.stop()
    run.record["made"] = run.samples.num_decoded
    run.record["dropped"] = run.samples.dropped
    run.write()
    show(run.record)


def show(record: Mapping[str, Any]) -> None:
    """The record as a table."""
    priors = record["priors"]
    print(f"\n{'gain, dB':24}{'bpp':>7}{'base':>7}" + "".join(f"{name:>9}" for name in priors))
    for i, row in enumerate(next(iter(priors.values()))["rows"]):
        label = f"{row['group']}, 1 in {row['step']}, {row['crf']:g}"
        values = "".join(f"{prior['rows'][i]['gain']:9.3f}" for prior in priors.values())
        print(f"{label:24}{row['bits_per_pixel']:7.4f}{row['base']:7.2f}{values}")
    for label, key in (("parameters", "parameters"), ("MAC/pixel", "multiply_adds"), ("fps", "frames_per_second")):
        print(f"{label:38}" + "".join(f"{prior[key]:9.0f}" for prior in priors.values()))
    if "parts" in record:
        for name, values in record["parts"]["curve"][-1]["gains"].items():
            print(f"{name:22}" + " ".join(f"{place} {value:.3f}" for place, value in values.items()))


def _relative_error(made: Tensor, wanted: Tensor, weight: Tensor) -> Tensor:
    return ((made.float() - wanted).square().mean((1, 2, 3)) * weight).mean()


def _joined(trainees: Mapping[str, Trainee], values: list[float]) -> str:
    return ", ".join(f"{name} {value:.4f}" for name, value in zip(trainees, values, strict=True))


def _parser() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("corpus", type=Path)
    parser.add_argument("out", type=Path)
    parser.add_argument("--seconds", type=float, default=390, help="of training of all sizes together (390)")
    parser.add_argument("--parts-seconds", type=float, default=0, help="of training without each part in turn (0)")
    parser.add_argument("--sizes", nargs="+", default=list(SIZES), choices=list(SIZES))
    parser.add_argument("--device", default="cuda")
    cores = len(os.sched_getaffinity(0))
    parser.add_argument("--workers", type=int, default=max(1, cores - 1), help="processes that code base layers")
    parser.add_argument("--batch", type=int, default=192, help="frames of 128x160 a step (192)")
    parser.add_argument("--capacity", type=int, default=400_000, help="decoded frames in memory, 61 kB each (400,000)")
    parser.add_argument("--first", type=int, default=3000, help="frames to wait for before training (3000)")
    parser.add_argument("--marks", type=int, default=6, help="points of the curve (6)")
    parser.add_argument("--say", type=int, default=500, help="steps from line to line (500)")
    return parser


if __name__ == "__main__":
    main()
