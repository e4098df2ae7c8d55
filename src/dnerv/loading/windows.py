"""Which frames make up a sample: windows of equal length over videos of any length, by arithmetic alone.

    frames        0 1 2 3 4 5 6 7 8 9          10 frames, windows of 2 frames, every second frame
    windows       0 . 0 . 1 . 1 . - -          what does not fill a window is left out

Nothing is padded, with one exception: a video shorter than a window is one window that repeats its last frame.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError

START_DRAW, ORDER_DRAW, AUGMENTATION_DRAW = 1, 2, 3  # first word of a seed: no two kinds of draws share their numbers


@dataclass(frozen=True)
class Sample:
    """One clip that a training loop will get."""

    index: int  # of the window among all
    place: int  # of the video in the archive
    frames: NDArray[np.int64]  # [clip_length], in the video; a short video's last one repeated


@dataclass(frozen=True)
class Windows:
    """All windows of some videos, by index, videos one after the other."""

    lengths: Sequence[int]  # frames of each video, >= 1
    clip_length: int  # frames of a window, >= 1
    frame_step: int = 1  # frames from one frame of a window to the next, >= 1
    clips_per_video: int | None = None  # windows of each video; None: as many as fit without overlap
    _ends: NDArray[np.int64] = field(init=False, repr=False, compare=False)

    def __post_init__(self) -> None:
        """Raise InputError for a number below 1, or no videos."""
        for name in ("clip_length", "frame_step", "clips_per_video"):
            value = getattr(self, name)
            if value is not None and value < 1:
                raise InputError(f"{name} is {value}; it is at least 1")
        if not len(self.lengths):
            raise InputError("there are no videos to take clips from")
        object.__setattr__(self, "_ends", np.cumsum(self._counts()))

    def __len__(self) -> int:
        return int(self._ends[-1])

    @property
    def span(self) -> int:
        """Frames from the first to the last of a window, both included."""
        return (self.clip_length - 1) * self.frame_step + 1

    def frames(self, index: int, *, seed: tuple[int, int] | None = None) -> tuple[int, NDArray[np.int64]]:
        """Video (its place in `lengths`) and frames, int64 [clip_length], of window `index`.

        With `clips_per_video`, windows start anywhere, drawn from `seed` = (seed, epoch) and the index, or evenly
        spaced where it is None.
        """
        video = int(np.searchsorted(self._ends, index, side="right"))
        number = index - (int(self._ends[video - 1]) if video else 0)
        length = self.lengths[video]
        start = self._start(number, max(0, length - self.span), None if seed is None else (*seed, index))
        frames = start + self.frame_step * np.arange(self.clip_length, dtype=np.int64)
        return video, np.minimum(frames, length - 1)

    def _start(self, number: int, last: int, seed: tuple[int, int, int] | None) -> int:
        if self.clips_per_video is None:
            return number * self.clip_length * self.frame_step
        if seed is not None:
            return int(np.random.default_rng((START_DRAW, *seed)).integers(last + 1))
        if self.clips_per_video == 1:
            return last // 2
        return round(number * last / (self.clips_per_video - 1))

    def _counts(self) -> NDArray[np.int64]:
        lengths = np.asarray(self.lengths, np.int64)
        if self.clips_per_video is not None:
            return np.full_like(lengths, self.clips_per_video)
        # The last window needs its span only, not the step after it.
        return np.maximum(0, lengths - self.span) // (self.clip_length * self.frame_step) + 1
