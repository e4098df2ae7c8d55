"""A way to load clips: the one interface behind which networks, codecs and other people's programs take part."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from pathlib import Path
from typing import Literal, NamedTuple

from torch import Tensor

Kind = Literal["archive", "reference", "loader", "nerv", "stored frames", "video codec", "command"]


class ClipPlace(NamedTuple):
    """One clip of the archive."""

    video: int  # place of the video in the archive
    clip: int  # of its timeline


# Frames of each clip asked for, in that order (a "loader" gives as many clips in its own): uint8 [t, 3, H, W] RGB at
# the coded size, any strides, on the device.
Load = Callable[[Sequence[ClipPlace]], list[Tensor]]


@dataclass(frozen=True)
class Candidate:
    """One row of the table."""

    name: str  # what people read; with the batch size it tells rows apart
    kind: Kind
    batch_size: int  # clips asked for at once
    files: tuple[Path, ...]  # what it reads from disk
    size: int  # bytes that the sampled videos take in this form
    note: str  # how it was made and is decoded, in words
    open: Callable[[], AbstractContextManager[Load]]  # everything that a fresh start has to do is done in here
