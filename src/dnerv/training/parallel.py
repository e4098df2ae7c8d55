"""Training in several processes: each takes its share of every batch, and all take the same step.

    rank 0     reads, designs, codes keyframes ── hands out the task ─┐                   ┌─ writes, measures
    others     wait for the task, or for the news that there is none ─┴─ train together ──┴─ end

Notable decisions:
- a step is one collective: the gradients and the few figures of a step travel in one flat buffer, summed over ranks;
- so the clock of rank 0 and a loss that is not a number reach every rank in that same sum, and all end on one step;
- waiting for rank 0 is polling, not a collective: reading videos may take hours, and Ctrl-C is heard meanwhile.

`torchrun` starts the processes and tells them of each other; without it there is one, and nothing is exchanged.
"""

from __future__ import annotations

import os
import time
from collections.abc import Sequence
from contextlib import suppress
from datetime import timedelta
from types import TracebackType
from typing import TYPE_CHECKING, Any

import torch
import torch.distributed
from torch import Tensor, nn

from dnerv.errors import DnervError

if TYPE_CHECKING:
    from torch._C._distributed_c10d import Store

_PATIENCE = timedelta(hours=1)  # for one step of another rank: a checkpoint on a slow disk, a suspended machine
_POLL_SECONDS = 0.2


class LostProcessError(DnervError):
    """Another process of the training has ended before its time; it has said why."""


class ProcessGroup:
    """The processes that train one network: here, one alone."""

    rank = 0
    world_size = 1

    def share(self, indices: Sequence[int]) -> list[int]:
        """Which clips of a batch are this rank's: every one in turn, none where ranks outnumber clips."""
        return list(indices[self.rank :: self.world_size])

    def combine(self, parameters: Sequence[nn.Parameter], figures: Sequence[Tensor]) -> list[Tensor]:
        """Sum gradients over ranks, in place, and return the sums of some scalars.

        Every rank gets the same bits. A parameter without gradient counts as zero.

        Raises:
            LostProcessError: another rank is gone.
        """
        return list(figures)

    def check_agreement(self, parameters: Sequence[nn.Parameter], step: int) -> None:
        """Raise DnervError on every rank unless all of them begin at one step with the same weights."""

    def hand_out(self, task: Any) -> None:
        """On rank 0: let the others have `task`, anything that pickles."""

    def receive(self) -> Any:
        """On other ranks: wait, however long, for what rank 0 hands out.

        Raises:
            LostProcessError: rank 0 has ended without handing anything out.
        """
        raise LostProcessError("there is one process alone: nobody hands out a task")

    def close(self) -> None:
        """Part from the others after the last exchange: what rank 0 does then may take as long as it likes."""

    def __enter__(self) -> ProcessGroup:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        pass


ONE_PROCESS = ProcessGroup()


class DistributedGroup(ProcessGroup):
    """This process among others. Use it in a `with` block: whoever leaves it early frees the rest from waiting."""

    def __init__(self, store: Store, rank: int, world_size: int, device: torch.device) -> None:
        """Meet the others; gloo for tensors on the CPU, nccl for those on CUDA devices."""
        self.rank, self.world_size, self._store = rank, world_size, store
        backend = "gloo" if device.type == "cpu" else "cpu:gloo,cuda:nccl"
        torch.distributed.init_process_group(backend, store=store, rank=rank, world_size=world_size, timeout=_PATIENCE)
        self._flat = torch.empty(0)
        self._gradients: list[Tensor] = []  # views of it
        self._parameters: Sequence[nn.Parameter] = ()  # that they belong to

    def combine(self, parameters: Sequence[nn.Parameter], figures: Sequence[Tensor]) -> list[Tensor]:
        """As in the base class: one all-reduce."""
        if parameters is not self._parameters:
            self._allocate(parameters, len(figures))
        for gradient, parameter in zip(self._gradients, parameters, strict=True):
            gradient.zero_() if parameter.grad is None else gradient.copy_(parameter.grad)
            parameter.grad = gradient
        sums = self._flat[-len(figures) :]
        sums.copy_(torch.stack([figure.to(self._flat) for figure in figures]))
        _expecting_all(torch.distributed.all_reduce, self._flat)
        return list(sums.clone())

    def check_agreement(self, parameters: Sequence[nn.Parameter], step: int) -> None:
        """As in the base class; the sum of all weights stands for them."""
        total = torch.stack([p.detach().double().sum() for p in parameters]).sum()
        own = torch.stack([total, torch.full_like(total, step)])
        found = [torch.empty_like(own) for _ in range(self.world_size)]
        _expecting_all(torch.distributed.all_gather, found, own)
        if not all(torch.equal(other, own) for other in found):
            raise DnervError("the processes begin with different weights: all must see OUTPUT.work on one disk")

    def hand_out(self, task: Any) -> None:
        """As in the base class."""
        self._store.set("dnerv/task", "ready")
        _expecting_all(torch.distributed.broadcast_object_list, [task], device=torch.device("cpu"))

    def receive(self) -> Any:
        """As in the base class."""
        try:
            while not self._store.check(["dnerv/task"]):
                if self._store.check(["dnerv/ended"]):
                    raise LostProcessError("rank 0 ended before the training")
                time.sleep(_POLL_SECONDS)
        except RuntimeError as error:  # the store went with the process that kept it
            raise LostProcessError("rank 0 ended before the training") from error
        task = [None]
        _expecting_all(torch.distributed.broadcast_object_list, task, device=torch.device("cpu"))
        return task[0]

    def close(self) -> None:
        """As in the base class."""
        if torch.distributed.is_initialized():
            torch.distributed.destroy_process_group()

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if kind is None:
            self.close()
        elif self.rank == 0:
            with suppress(RuntimeError):  # the launcher is gone, and the other ranks with it
                self._store.set("dnerv/ended", "early")

    def _allocate(self, parameters: Sequence[nn.Parameter], figures: int) -> None:
        total = sum(parameter.numel() for parameter in parameters)
        self._flat = torch.zeros(total + figures, device=parameters[0].device)
        self._parameters, self._gradients, start = parameters, [], 0
        for parameter in parameters:
            # Strides as the weight's: the fused optimizer walks both in memory order.
            part = self._flat[start : start + parameter.numel()]
            self._gradients.append(part.as_strided(parameter.shape, parameter.stride(), part.storage_offset()))
            start += parameter.numel()


def is_launched() -> bool:
    """Whether `torchrun`, or what sets the same variables, started this process among others."""
    return int(os.environ.get("WORLD_SIZE", "1")) > 1


def local_device(device: str) -> str:
    """The device of this process: of several on one machine each takes a CUDA device of its own."""
    return f"cuda:{os.environ.get('LOCAL_RANK', '0')}" if device == "cuda" and is_launched() else device


def join_processes(device: str) -> ProcessGroup:
    """Meet the processes that `torchrun` started with this one; alone, there is nobody to meet.

    Args:
        device: this process's, as `local_device` has it.
    """
    if not is_launched():
        return ONE_PROCESS
    from torch.distributed.rendezvous import rendezvous  # here: some builds of torch have none

    chosen = torch.device(device)
    if chosen.type == "cuda":
        torch.cuda.set_device(chosen)
    store, rank, world_size = next(rendezvous("env://", timeout=_PATIENCE))
    return DistributedGroup(store, rank, world_size, chosen)


def _expecting_all(collective: Any, *args: Any, **options: Any) -> None:
    """Run a collective. Raises LostProcessError where another rank is gone."""
    try:
        collective(*args, **options)
    except RuntimeError as error:
        raise LostProcessError(
            "another process of this training has ended; the same command goes on from the last checkpoint"
        ) from error
