"""Which clips are in which batch, of every epoch and for every rank; nothing is decoded here."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError
from dnerv.loading.shares import Share
from dnerv.loading.windows import ORDER_DRAW, Sample, Windows


@dataclass(frozen=True)
class Epochs:
    """The batches of one rank (and worker)."""

    windows: Windows
    places: Sequence[int]  # in the archive, of the windows' videos
    share: Share
    batch_size: int
    shuffle: bool
    seed: int
    drop_last: bool

    def __post_init__(self) -> None:
        """Raise InputError where `drop_last` would leave nothing."""
        if self.drop_last and not len(self):
            raise InputError(
                f"drop_last leaves no batch: {len(self.windows)} clips, batch_size {self.batch_size}, "
                f"world_size {self.share.of}"
            )

    def __len__(self) -> int:
        """Batches of an epoch."""
        return -(-len(self._clips()) // self.batch_size)

    def batches(self, epoch: int, first: int) -> Iterator[list[Sample]]:
        """Those of one epoch, from number `first` on."""
        order = epoch_order(len(self.windows), seed=self.seed, epoch=epoch, shuffle=self.shuffle)
        mine = order[self._clips().start : self._clips().stop].tolist()
        for start in range(first * self.batch_size, len(mine), self.batch_size):
            yield [self._sample(index, epoch) for index in mine[start : start + self.batch_size]]

    def settings(self) -> dict[str, Any]:
        """What decides which clip is where in an epoch, in plain numbers; the rank is not among them."""
        return {
            "num_clips": len(self.windows),
            "clip_length": self.windows.clip_length,
            "frame_step": self.windows.frame_step,
            "clips_per_video": self.windows.clips_per_video,
            "batch_size": self.batch_size,
            "shuffle": self.shuffle,
            "seed": self.seed,
            "drop_last": self.drop_last,
            "shares": self.share.within_worker().of,
        }

    def _clips(self) -> range:
        return self.share.within_worker().clips(len(self.windows), self.batch_size, drop_last=self.drop_last)

    def _sample(self, index: int, epoch: int) -> Sample:
        video, frames = self.windows.frames(index, seed=(self.seed, epoch) if self.shuffle else None)
        return Sample(index, self.places[video], frames)


def epoch_order(count: int, *, seed: int, epoch: int, shuffle: bool) -> NDArray[np.int64]:
    """Every index below `count` once, int64: ascending, or an order that follows from seed and epoch."""
    if not shuffle:
        return np.arange(count, dtype=np.int64)
    return np.random.default_rng((ORDER_DRAW, seed, epoch)).permutation(count)
