"""The training loop: AdamW over all clips, resumable at any step.

Notable decisions:
- how far the run is, a number from 0 to 1, is all that the schedule knows; epochs or the clock supply it;
- the order of clips is a function of seed and epoch, so a checkpoint needs no random state and a run that was killed
  ends, with `epochs` on a CPU, with the same bits as one that was not;
- a checkpoint is written beside its place and renamed: there is always a whole one.
"""

from __future__ import annotations

import math
import os
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn
from torch.func import functional_call

from dnerv.errors import DnervError, OutputError
from dnerv.training.clip_set import Batch, ClipSet
from dnerv.training.config import TrainingConfig
from dnerv.training.losses import frame_loss, squared_error
from dnerv.training.quantised import straight_through
from dnerv.training.schedule import learning_rate_factor

_RECENT_BATCHES = 2000  # that the PSNR on show is averaged over, where a pass over the clips has more


@dataclass(frozen=True)
class Progress:
    """Where a run stands."""

    done: float  # [0, 1]
    epoch: int  # the one under way, from 0
    step: int  # steps taken
    psnr: float  # dB, mean over the frames trained on lately, a pass over the clips at most
    frames_per_second: float  # trained on, since this process began
    seconds_left: float


Listener = Callable[[Progress], None]


class Trainer:
    """Trains a network on a set of clips in place."""

    def __init__(
        self, model: nn.Module, clips: ClipSet, config: TrainingConfig, checkpoint: Path, device: torch.device
    ) -> None:
        """Take up `checkpoint` where there is one; it must come from the same model, clips and configuration."""
        # Networks that start at zero correction make subnormal gradients, which CPUs multiply a hundred times slower.
        torch.set_flush_denormal(True)
        self.model = model.to(device).train()
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.clips, self.config, self.checkpoint, self.device = clips, config, checkpoint, device
        self.optimizer = torch.optim.AdamW(
            model.parameters(), lr=config.learning_rate, betas=config.betas, weight_decay=0.0, fused=True
        )
        self.average = {n: p.detach().clone() for n, p in model.named_parameters()} if config.ema else {}
        self.autocast = computes_in_bf16(device) if config.precision == "auto" else config.precision == "bf16"
        self.batches_per_epoch = -(-len(clips) // config.batch_clips)
        self.step = 0
        self.seconds = 0.0  # spent in training, over all processes of this run
        self._is_between_steps = True
        self._ordered_epoch, self._order = -1, np.empty(0, np.int64)  # the order of clips in the epoch under way
        # One buffer, written in place: a small allocation kept from every step would pin the heap around it.
        self._recent = torch.full((min(self.batches_per_epoch, _RECENT_BATCHES),), math.nan, device=device)
        if checkpoint.exists():
            self._restore()

    @property
    def done(self) -> float:
        """How far the run is, [0, 1]."""
        if self.config.epochs is not None:
            total = self.config.epochs * self.batches_per_epoch
            return min(1.0, self.step / total) if total else 1.0
        assert self.config.budget_seconds is not None
        return min(1.0, self.seconds / self.config.budget_seconds) if self.config.budget_seconds else 1.0

    def run(self, listener: Listener = lambda progress: None) -> None:
        """Train to the end; the model holds the weights to be stored.

        Raises:
            DnervError: the loss or its gradient is no longer finite.
        """
        started = saved = last = time.monotonic()
        first_step, earlier = self.step, self.seconds
        try:
            while self.done < 1:
                self._train_step()
                now = time.monotonic()
                self.seconds = earlier + now - started
                if now - saved > self.config.checkpoint_seconds:
                    self._save()
                    saved = now
                if now - last > 0.2 or self.done >= 1:
                    listener(self._progress(now - started, self.step - first_step))
                    last = now
        finally:
            if self.step > first_step and self._is_between_steps:
                self._save()
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(self.average.get(name, parameter))
        self.model.eval()

    def _train_step(self) -> None:
        config, done = self.config, self.done
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * learning_rate_factor(done, config.warmup)
        batch = self.clips.batch(self._indices())
        made = self._forward(batch, quantised=config.quantise_from is not None and done >= config.quantise_from)
        wanted = batch.wanted.to(self.device).flatten(0, 1).float() / 255
        mask = batch.mask.to(self.device).flatten()
        loss = frame_loss(config.loss, made, wanted, mask)
        # Before the backward pass: on a CPU, grid_sample's gradient at a place that is not a number ends the process.
        self._check_finite("loss", loss.detach())
        self.optimizer.zero_grad(set_to_none=True)
        loss.backward()  # type: ignore[no-untyped-call]
        longest = math.inf if config.gradient_norm is None else config.gradient_norm
        self._check_finite("gradient's length", nn.utils.clip_grad_norm_(self.model.parameters(), longest))
        self._is_between_steps = False  # half a step, cut short by Ctrl-C, must not reach the checkpoint
        self.optimizer.step()
        self.step += 1
        self._note(made.detach(), wanted, mask)
        self._is_between_steps = True

    def _indices(self) -> list[int]:
        epoch, place = divmod(self.step, self.batches_per_epoch)
        if epoch != self._ordered_epoch:
            self._order = np.random.default_rng([self.config.seed, epoch]).permutation(len(self.clips))
            self._ordered_epoch = epoch
        return [int(i) for i in self._order[place * self.config.batch_clips : (place + 1) * self.config.batch_clips]]

    def _forward(self, batch: Batch, *, quantised: bool) -> Tensor:
        inputs = batch.inputs.to(self.device)
        with torch.autocast(self.device.type, torch.bfloat16, enabled=self.autocast):
            if quantised:
                weights = straight_through(self.model, self.config.weight_bits)
                made: Tensor = functional_call(self.model, weights, (inputs,))
            else:
                made = self.model(inputs)
        return made.flatten(0, 1)

    def _check_finite(self, what: str, value: Tensor) -> None:
        if not torch.isfinite(value):
            raise DnervError(
                f"training diverged at step {self.step + 1}: the {what} is {value.item()}; try a lower --learning-rate"
            )

    def _note(self, made: Tensor, wanted: Tensor, mask: Tensor) -> None:
        error = squared_error(made.float(), wanted)[mask]
        self._recent[self.step % len(self._recent)] = -10 * torch.log10(error + 1e-10).mean()
        if self.average:
            assert self.config.ema is not None
            with torch.no_grad():
                for name, parameter in self.model.named_parameters():
                    self.average[name].lerp_(parameter, 1 - self.config.ema)

    def _progress(self, seconds: float, steps: int) -> Progress:
        rate = steps / max(seconds, 1e-9)
        if self.config.epochs is not None:
            left = (self.config.epochs * self.batches_per_epoch - self.step) / max(rate, 1e-9)
        else:
            assert self.config.budget_seconds is not None
            left = self.config.budget_seconds - self.seconds
        return Progress(
            self.done,
            self.step // self.batches_per_epoch,
            self.step,
            float(self._recent.nanmean()),
            rate * self.config.batch_clips * self.clips.videos[0].timeline.clip_length,
            max(0.0, left),
        )

    def _save(self) -> None:
        state = {
            "model": self.model.state_dict(),
            "optimizer": self.optimizer.state_dict(),
            "average": self.average,
            "step": self.step,
            "seconds": self.seconds,
        }
        save_atomically(state, self.checkpoint)

    def _restore(self) -> None:
        try:
            state = torch.load(self.checkpoint, map_location=self.device, weights_only=True)
            self.model.load_state_dict(state["model"])
            self.optimizer.load_state_dict(state["optimizer"])
            self.average, self.step, self.seconds = state["average"], state["step"], state["seconds"]
        except Exception as error:  # whatever is wrong with the file, the user's answer is the same
            reason = next(iter(str(error).splitlines()), type(error).__name__)
            raise DnervError(
                f"{self.checkpoint} is not a checkpoint of this run ({reason}); --restart begins anew"
            ) from None


def save_atomically(state: dict[str, Any], path: Path) -> None:
    """`torch.save` beside `path`, flushed to the disk, then renamed onto it."""
    partial = path.with_suffix(".partial")
    try:
        with partial.open("wb") as file:
            torch.save(state, file)
            file.flush()
            os.fsync(file.fileno())
        partial.replace(path)
    except (OSError, RuntimeError) as error:
        partial.unlink(missing_ok=True)
        raise OutputError(f"{path}: the checkpoint cannot be written ({str(error).splitlines()[0]})") from error


def computes_in_bf16(device: torch.device) -> bool:
    """Whether bf16 arithmetic is native to the device, and so faster than float32."""
    if device.type == "cuda":
        return bool(torch.cuda.is_bf16_supported())
    capabilities: dict[str, bool] = getattr(torch.cpu, "get_capabilities", dict)()
    return device.type == "cpu" and bool(capabilities.get("avx512_bf16") or capabilities.get("amx_bf16"))
