"""The training loop: AdamW over all clips, resumable at any step.

Notable decisions:
- how far the run is, a number from 0 to 1, is all that the schedule knows; epochs or the clock supply it;
- the order of clips is a function of seed and epoch, so a checkpoint needs no random state and a run that was killed
  ends, with `epochs` on a CPU, with the same bits as one that was not;
- a checkpoint is written beside its place and renamed: there is always a whole one;
- of several processes each trains on its share of every batch, weighted by its real frames: the sum over ranks is the
  gradient of the whole batch, and everything after it is the same on every rank.
"""

from __future__ import annotations

import math
import os
import signal
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor, nn

from dnerv import progress
from dnerv.codecs import PEAK, psnr
from dnerv.engine import Differentiable, fastest_precision
from dnerv.errors import DnervError, OutputError
from dnerv.training.clip_set import Batch, ClipSet
from dnerv.training.config import TrainingConfig
from dnerv.training.losses import frame_loss, squared_error
from dnerv.training.parallel import ONE_PROCESS, ProcessGroup
from dnerv.training.quantised import straight_through
from dnerv.training.schedule import learning_rate_factor

_DROPOUT = 1  # second word of its seeds; of the orders of clips there are two words
_RECENT_BATCHES = 2000  # that the PSNR on show is averaged over, where a pass over the clips has more


class DivergenceError(DnervError):
    """The loss or its gradient is no longer finite: on every rank at the same step."""


class Trainer:
    """Trains a network on a set of clips in place."""

    def __init__(
        self,
        model: nn.Module,
        clips: ClipSet,
        config: TrainingConfig,
        checkpoint: Path,
        device: torch.device,
        group: ProcessGroup = ONE_PROCESS,
    ) -> None:
        """Take up `checkpoint` where there is one; it must come from the same model, clips and configuration.

        With a group of several processes, every one of them makes a trainer of the same arguments; rank 0 alone
        writes checkpoints and tells of progress.
        """
        # Networks that start at zero correction make subnormal gradients, which CPUs multiply a hundred times slower.
        torch.set_flush_denormal(True)
        self.model = model.to(device).train()
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.clips, self.config, self.checkpoint, self.device = clips, config, checkpoint, device
        self.group, self.parameters = group, list(model.parameters())
        self.optimizer = torch.optim.AdamW(
            self.parameters, lr=config.learning_rate, betas=config.betas, weight_decay=0.0, fused=True
        )
        self.average = {n: p.detach().clone() for n, p in model.named_parameters()} if config.ema else {}
        precision = fastest_precision(device) if config.precision == "auto" else config.precision
        self._network = Differentiable(self.model, precision)
        self.batches_per_epoch = -(-len(clips) // config.batch_clips)
        self.step = 0
        self.seconds = 0.0  # spent in training by rank 0, interruptions not counted, up to the last step
        self._is_between_steps = True
        self._ordered_epoch, self._order = -1, np.empty(0, np.int64)  # the order of clips in the epoch under way
        # One buffer, written in place: a small allocation kept from every step would pin the heap around it.
        self._recent = torch.full((min(self.batches_per_epoch, _RECENT_BATCHES),), math.nan, device=device)
        if checkpoint.exists():
            self._restore()
        self._earlier, self._started = self.seconds, time.monotonic()
        group.check_agreement(self.parameters, self.step)

    @property
    def done(self) -> float:
        """How far the run is, [0, 1]."""
        if self.config.epochs is not None:
            total = self.config.epochs * self.batches_per_epoch
            return min(1.0, self.step / total) if total else 1.0
        assert self.config.budget_seconds is not None
        return min(1.0, self.seconds / self.config.budget_seconds) if self.config.budget_seconds else 1.0

    def run(self, watch: Callable[[Trainer], None] = lambda trainer: None) -> None:
        """Train to the end; the model holds the weights to be stored.

        Args:
            watch: called after every step; the time that it takes is none of the training's.

        Raises:
            DivergenceError: the loss or its gradient is no longer finite.
            LostProcessError: another process of the group is gone.
        """
        self._earlier, self._started = self.seconds, time.monotonic()
        saved = last = self._started
        first_step = self.step
        try:
            while self.done < 1:
                self._train_step()
                before = time.monotonic()
                watch(self)
                self._started += time.monotonic() - before
                now = time.monotonic()
                if now - saved > self.config.checkpoint_seconds:
                    self._save()
                    saved = now
                if self.group.rank == 0 and (now - last > 0.2 or self.done >= 1):
                    progress.training(self._progress(now - self._started, self.step - first_step))
                    last = now
        finally:
            if self.step > first_step and self._is_between_steps:
                with _without_interruption():
                    self._save()
        with torch.no_grad():
            for name, parameter in self.model.named_parameters():
                parameter.copy_(self.average.get(name, parameter))
        self.model.eval()

    def _train_step(self) -> None:
        config, done = self.config, self.done
        for group in self.optimizer.param_groups:
            group["lr"] = config.learning_rate * learning_rate_factor(done, config.warmup)
        self.optimizer.zero_grad(set_to_none=True)
        is_quantised = config.quantise_from is not None and done >= config.quantise_from
        loss, psnr = self._add_gradients(self._indices(), quantised=is_quantised)
        loss, psnr, seconds = self.group.combine(self.parameters, (loss, psnr, self._clock()))
        self._check_finite("loss", loss)
        longest = math.inf if config.gradient_norm is None else config.gradient_norm
        self._check_finite("gradient's length", nn.utils.clip_grad_norm_(self.parameters, longest))
        with _without_interruption():
            self._is_between_steps = False  # half a step, cut short by an error, must not reach the checkpoint
            self.optimizer.step()
            self.step, self.seconds = self.step + 1, seconds.item()
            self._note(psnr)
            self._is_between_steps = True

    def _add_gradients(self, indices: Sequence[int], *, quantised: bool) -> tuple[Tensor, Tensor]:
        """Gradients of this rank's part of a batch; -> its parts of the batch's mean loss and of its mean PSNR."""
        own = self.group.share(indices)
        if not own:
            return torch.zeros((), device=self.device), torch.zeros((), device=self.device)
        weight = self.clips.num_real_frames(own) / self.clips.num_real_frames(indices)
        batch = self.clips.batch(own, is_thinned=self._is_thinned())
        made = self._forward(batch, quantised=quantised)
        wanted = batch.wanted.to(self.device).flatten(0, 1).float() / 255
        mask = batch.mask.to(self.device).flatten()
        visible = None if batch.visible is None else batch.visible.to(self.device).flatten(0, 1)
        loss = weight * frame_loss(self.config.loss, made, wanted, mask, visible)
        # No backward pass otherwise: on a CPU, grid_sample's gradient at a place that is not a number ends the process.
        if torch.isfinite(loss):
            loss.backward()  # type: ignore[no-untyped-call]
        return loss.detach(), weight * _mean_psnr(made.detach(), wanted, mask, visible)

    def _clock(self) -> Tensor:
        """Seconds trained so far by rank 0's watch, float64 []; nothing on the others, so that a sum has rank 0's."""
        elapsed = self._earlier + time.monotonic() - self._started
        return torch.tensor(elapsed if self.group.rank == 0 else 0.0, dtype=torch.float64)

    def _indices(self) -> list[int]:
        epoch, place = divmod(self.step, self.batches_per_epoch)
        if epoch != self._ordered_epoch:
            self._order = np.random.default_rng([self.config.seed, epoch]).permutation(len(self.clips))
            self._ordered_epoch = epoch
        return [int(i) for i in self._order[place * self.config.batch_clips : (place + 1) * self.config.batch_clips]]

    def _is_thinned(self) -> bool:
        """The same on every rank, and after an interruption."""
        share = self.config.keyframe_dropout
        return share > 0 and bool(np.random.default_rng([self.config.seed, _DROPOUT, self.step]).random() < share)

    def _forward(self, batch: Batch, *, quantised: bool) -> Tensor:
        inputs = batch.inputs.to(self.device)
        weights = straight_through(self.model, self.config.weight_bits) if quantised else None
        return self._network(inputs, weights).flatten(0, 1)

    def _check_finite(self, what: str, value: Tensor) -> None:
        if not torch.isfinite(value):
            raise DivergenceError(
                f"training diverged at step {self.step + 1}: the {what} is {value.item()}; try a lower --learning-rate"
            )

    def _note(self, psnr: Tensor) -> None:
        self._recent[self.step % len(self._recent)] = psnr
        if self.average:
            assert self.config.ema is not None
            # Of as many steps as there were, at first: the initial weights would stay in it for long.
            decay = min(self.config.ema, (1 + self.step) / (10 + self.step))
            with torch.no_grad():
                for name, parameter in self.model.named_parameters():
                    self.average[name].lerp_(parameter, 1 - decay)

    def _progress(self, seconds: float, steps: int) -> progress.TrainingProgress:
        rate = steps / max(seconds, 1e-9)
        if self.config.epochs is not None:
            left = (self.config.epochs * self.batches_per_epoch - self.step) / max(rate, 1e-9)
        else:
            assert self.config.budget_seconds is not None
            left = self.config.budget_seconds - self.seconds
        return progress.TrainingProgress(
            self.done,
            max(0, self.step - 1) // self.batches_per_epoch,  # the latest step's
            self.step,
            float(self._recent.nanmean()),
            rate * self.config.batch_clips * self.clips.videos[0].timeline.clip_length,
            max(0.0, left),
            self.config.epochs,
        )

    def _save(self) -> None:
        if self.group.rank > 0:
            return
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


def _mean_psnr(made: Tensor, wanted: Tensor, mask: Tensor, visible: Tensor | None) -> Tensor:
    error = squared_error(made.float(), wanted, visible)[mask]
    return psnr(PEAK**2 * error).mean()


@contextmanager
def _without_interruption() -> Iterator[None]:
    """Let Ctrl-C wait: launchers send a second one right after the user's, and this block saves hours of work."""
    if threading.current_thread() is not threading.main_thread():
        yield
        return
    heard: list[int] = []
    before = signal.signal(signal.SIGINT, lambda number, frame: heard.append(number))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before or signal.SIG_DFL)
        if heard:
            signal.raise_signal(signal.SIGINT)


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
