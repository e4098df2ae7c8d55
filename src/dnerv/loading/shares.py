"""Who decodes what: an epoch split over ranks and workers, without a clip twice or missing.

    order     0 1 2 3 4 5 6 7 8 9 10       11 clips, 2 ranks, batches of 2
    rank 0    [0 1][2 3][4 5]
    rank 1    [6 7][8 9][10]               counts differ by at most one clip, nothing is repeated to even them out
    rank 1    [4 5][6 7]                   with drop_last: whole batches only, as many on every rank

A share is one stretch of the order, so that without shuffling a rank has whole videos and not every other clip.
"""

from __future__ import annotations

import os
from dataclasses import dataclass

import torch
from torch.utils.data import get_worker_info

from dnerv.errors import InputError

_MOST_THREADS = 16


@dataclass(frozen=True)
class Share:
    """One of `of` equal parts."""

    part: int = 0
    of: int = 1

    def __post_init__(self) -> None:
        """Raise InputError unless 0 <= part < of."""
        if not 0 <= self.part < self.of:
            raise InputError(f"rank is {self.part} of world_size {self.of}; ranks are 0 to world_size - 1")

    def within_worker(self) -> Share:
        """This share, split once more among the workers of torch's DataLoader where this process is one."""
        worker = get_worker_info()
        if worker is None:
            return self
        return Share(self.part * worker.num_workers + worker.id, self.of * worker.num_workers)

    def clips(self, count: int, batch_size: int, *, drop_last: bool) -> range:
        """Places in the epoch's order, of `count` clips, that are this share's."""
        if drop_last:
            each = count // (self.of * batch_size) * batch_size
            return range(self.part * each, (self.part + 1) * each)
        each, more = divmod(count, self.of)
        start = self.part * each + min(self.part, more)
        return range(start, start + each + (self.part < more))


def chosen_share(rank: int | None, world_size: int | None) -> Share:
    """The share that was asked for; else torch.distributed's; else that of RANK and WORLD_SIZE; else everything.

    Raises InputError where only one of the two is given, or rank is not below world_size.
    """
    if (rank is None) != (world_size is None):
        raise InputError(f"rank is {rank} and world_size is {world_size}; give both, or neither")
    if rank is not None and world_size is not None:
        return Share(rank, world_size)
    if torch.distributed.is_available() and torch.distributed.is_initialized():
        return Share(torch.distributed.get_rank(), torch.distributed.get_world_size())
    given = os.environ.get("RANK", "0"), os.environ.get("WORLD_SIZE", "1")
    if not all(text.isdecimal() for text in given):
        raise InputError(f"the environment's RANK is {given[0]!r} and WORLD_SIZE is {given[1]!r}; both are integers")
    return Share(int(given[0]), int(given[1]))


def decoding_threads(*, waits: bool = False) -> int:
    """Threads that decode base layers: the processor's cores over the processes that share them, 1 to 16.

    `waits`: for answers from far away most of the time: as many as are of use.
    """
    if waits:
        return _MOST_THREADS
    worker = get_worker_info()
    local = os.environ.get("LOCAL_WORLD_SIZE", "1")  # set by torchrun
    processes = (int(local) if local.isdecimal() else 1) * (worker.num_workers if worker else 1)
    return min(_MOST_THREADS, max(1, len(os.sched_getaffinity(0)) // max(1, processes)))
