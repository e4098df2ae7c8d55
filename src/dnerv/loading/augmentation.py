"""Resize, crop, flip and normalise clips on the device that trains; what is random is drawn per clip.

uint8 [L, 3, h, w] ─ resize ─ crop ─┬─ [B, L, 3, H, W] ─ flip ─ [0, 1] ─ normalise ─ dtype
                 (clip by clip)     └─ (the whole batch at once)
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dnerv.errors import InputError
from dnerv.loading.windows import AUGMENTATION_DRAW
from dnerv.video import scale_frames

DTYPES = (torch.float32, torch.bfloat16, torch.float16, torch.uint8)

Statistics = tuple[Sequence[float], Sequence[float]]  # mean and standard deviation of R, G and B, of values in [0, 1]


@dataclass(frozen=True)
class Draw:
    """The dice of one clip."""

    top: float = 0.5  # where the crop lies, in [0, 1]; 0.5 is the centre
    left: float = 0.5
    flip: bool = False  # left becomes right

    @classmethod
    def of(cls, seed: int, epoch: int, index: int) -> Draw:
        """What follows from the three numbers."""
        top, left, side = np.random.default_rng((AUGMENTATION_DRAW, seed, epoch, index)).random(3)
        return cls(float(top), float(left), bool(side < 0.5))


@dataclass(frozen=True)
class Augmentation:
    """What happens to a clip between the network and the training loop."""

    resize: int | tuple[int, int] | None = None  # (height, width), or the shorter side; bilinear, antialiased
    crop: int | tuple[int, int] | None = None  # (height, width), or both; after resizing
    random_crop: bool = False  # anywhere; off: the centre
    flip: bool = False  # every other clip, at random, left to right
    normalise: Statistics | None = None
    dtype: torch.dtype = torch.float32  # uint8: [0, 255]; floats: [0, 1], before normalising

    def __post_init__(self) -> None:
        """Raise InputError for a size below 1, another dtype, or statistics that do not fit it."""
        for name in ("resize", "crop"):
            value = getattr(self, name)
            sides = value if isinstance(value, tuple) else (value,)
            if value is not None and (len(sides) > 2 or not all(type(s) is int and s >= 1 for s in sides)):
                raise InputError(f"{name} is {value!r}; give pixels, or (height, width) in pixels")
        if self.dtype not in DTYPES:
            raise InputError(f"dtype is {self.dtype}; use {', '.join(map(str, DTYPES))}")
        if self.normalise is not None:
            self._check_statistics(self.normalise)

    def _check_statistics(self, given: object) -> None:
        if self.dtype == torch.uint8:
            raise InputError("normalise needs a dtype of floats, and dtype is torch.uint8")
        try:
            std = np.asarray(given, dtype=np.float64).reshape(2, 3)[1]
        except (TypeError, ValueError):
            std = np.zeros(3)
        if not (std > 0).all():
            raise InputError(f"normalise is {given!r}; give (mean, std), three numbers each, std above 0")

    def resized(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of a frame of `size` before it is cropped."""
        if self.resize is None:
            return size
        if isinstance(self.resize, tuple):
            return self.resize
        shorter = min(size)
        height, width = (max(1, round(side * self.resize / shorter)) for side in size)
        return height, width

    def cropped(self, size: tuple[int, int]) -> tuple[int, int]:
        """(height, width) of what comes out for frames of `size`. Raises InputError where the crop does not fit."""
        resized = self.resized(size)
        if self.crop is None:
            return resized
        crop = self.crop if isinstance(self.crop, tuple) else (self.crop, self.crop)
        if crop[0] > resized[0] or crop[1] > resized[1]:
            raise InputError(
                f"crop is {crop[0]}x{crop[1]}, larger than frames of {resized[0]}x{resized[1]}; resize them first"
            )
        return crop

    def place(self, clip: Tensor, draw: Draw) -> Tensor:
        """uint8 [L, 3, h, w] -> uint8 [L, 3, H, W], resized and cropped."""
        given = (clip.shape[-2], clip.shape[-1])
        size, (height, width) = self.resized(given), self.cropped(given)
        clip = scale_frames(clip, size, "bilinear")
        share = (draw.top, draw.left) if self.random_crop else (0.5, 0.5)
        top, left = _offset(share[0], size[0] - height), _offset(share[1], size[1] - width)
        return clip[..., top : top + height, left : left + width]

    def finish(self, clips: Tensor, draws: Sequence[Draw]) -> Tensor:
        """What `place` gave, stacked, uint8 [B, L, 3, H, W] -> flipped, in the range of `dtype`, normalised.

        Flips in place.
        """
        flipped = [row for row, draw in enumerate(draws) if self.flip and draw.flip]
        if flipped:
            clips[flipped] = clips[flipped].flip(-1)
        if self.dtype == torch.uint8:
            return clips
        floats = clips.float().div_(255)
        if self.normalise is not None:
            mean, std = (floats.new_tensor(values).view(3, 1, 1) for values in self.normalise)
            floats.sub_(mean).div_(std)
        return floats.to(self.dtype)


def _offset(share: float, room: int) -> int:
    """Of a crop: each of 0 to `room` for an equal part of the shares, 0 to 1."""
    return min(int(share * (room + 1)), room)


def common_size(augmentation: Augmentation, sizes: dict[str, tuple[int, int]]) -> tuple[int, int]:
    """(height, width) of all clips, given a video's name for each size that there is.

    Raises InputError, naming two videos, where the sizes that come out differ; or one, where the crop does not fit.
    """
    outcomes: dict[tuple[int, int], str] = {}
    for name, size in sizes.items():
        try:
            outcomes.setdefault(augmentation.cropped(size), name)
        except InputError as error:
            raise InputError(f"video {name!r}: {error}") from None
    if len(outcomes) > 1:
        (one, first), (other, second) = list(outcomes.items())[:2]
        raise InputError(
            f"clips of {first!r} would have {one[0]}x{one[1]} pixels and those of {second!r} {other[0]}x{other[1]}: "
            "give resize=(height, width), or crop, so that they can be stacked"
        )
    return next(iter(outcomes))
