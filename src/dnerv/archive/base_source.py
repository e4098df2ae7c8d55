"""Frames of videos that no network makes: the base layer's, as tensors."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from functools import partial
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from torch import Tensor

from dnerv.archive.base_layer import BaseReader
from dnerv.archive.entry import VideoEntry
from dnerv.archive.limits import memory_errors_named
from dnerv.archive.sharing import Guarded, Once

if TYPE_CHECKING:
    from dnerv.archive.archive import Archive


class BaseSource:
    """Frames of one video out of its base layer. Threads may share it: they take turns."""

    def __init__(self, archive: Archive, entry: VideoEntry) -> None:
        self._archive, self._entry = archive, entry
        self._reader: Guarded[Once[BaseReader]] = Guarded(Once)

    def __reduce__(self) -> tuple[Any, ...]:
        return BaseSource, (self._archive, self._entry)  # open decoders stay behind

    def frames(self, indices: Sequence[int]) -> Tensor:
        """See `FrameSource.frames`."""
        return self._read(indices)

    def interpolated(self, factor: int) -> Iterator[Tensor]:
        """See `FrameSource.interpolated`."""
        last = self._entry.timing.num_frames - 1
        return (self._read([step / factor])[0] for step in range(factor * last + 1))

    def _read(self, positions: Sequence[int] | Sequence[float]) -> Tensor:
        with self._archive.errors_name_it(), memory_errors_named("the frames asked for"), self._reader as reader:
            base = reader.get(partial(self._archive.base.reader, self._entry))
            frames: np.ndarray = base.frames(positions)
        return torch.from_numpy(frames).to(self._archive.device)
