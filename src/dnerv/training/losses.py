"""Losses by name: the paper's two, the plain ones, and the one whose minimum is the highest mean PSNR."""

from __future__ import annotations

from collections.abc import Callable
from typing import get_args

import torch
from torch import Tensor

from dnerv.errors import InputError
from dnerv.training.config import LossName
from dnerv.training.similarity import WINDOW, structural_similarity

LOSS_NAMES: tuple[LossName, ...] = get_args(LossName)


def frame_loss(name: LossName, made: Tensor, wanted: Tensor, mask: Tensor, visible: Tensor | None = None) -> Tensor:
    """The mean over real frames of a loss per frame.

    Args:
        name: `l1-ssim` is 0.7 L1 + 0.3 (1 - SSIM), the paper's UVG runs; `mse-ssim` is MSE + 0.03 (1 - SSIM), its
            UCF101 runs; `log-mse` is the logarithm of each frame's MSE, that is, minus PSNR up to scale.
        made: float [N, 3, H, W], RGB in [0, 1].
        wanted: the same.
        mask: bool [N], False for frames that only pad the last clip of a video.
        visible: bool [N, 1, H, W], the pixels that count; None for all. SSIM's windows would look under the mask.

    Raises:
        InputError: a loss with SSIM, and pixels that do not count.
    """
    if visible is not None:
        check_masked_loss(name)
    per_frame = _PER_FRAME[name](made.float(), wanted.float(), visible)
    weight = mask.to(per_frame.dtype)
    return (per_frame * weight).sum() / weight.sum().clamp(min=1)


def check_loss(name: str, height: int, width: int) -> LossName:
    """`name` as a loss, usable on frames of this size.

    Raises:
        InputError: no such loss, or SSIM's window of 11 pixels does not fit the frame.
    """
    if name not in LOSS_NAMES:
        raise InputError(f"no loss is called {name!r}; known: {', '.join(LOSS_NAMES)}")
    if name.endswith("ssim") and min(height, width) < WINDOW:
        raise InputError(
            f"loss {name} needs frames of at least {WINDOW}x{WINDOW} pixels, these are {height}x{width}; use l1"
        )
    return name


def check_masked_loss(name: LossName) -> None:
    """Raise InputError for a loss that cannot leave pixels out."""
    if name.endswith("ssim"):
        raise InputError(
            f"loss {name} looks at whole windows and cannot leave hidden pixels out; use log-mse, mse or l1"
        )


def squared_error(made: Tensor, wanted: Tensor, visible: Tensor | None = None) -> Tensor:
    """Mean squared error of each frame, of its visible pixels: [N, 3, H, W] twice -> [N]."""
    return _mean((made - wanted).square(), visible)


def _mean(error: Tensor, visible: Tensor | None) -> Tensor:
    if visible is None:
        return error.mean((1, 2, 3))
    # Chosen, not multiplied: nothing under the mask can reach the sum.
    return torch.where(visible, error, 0).sum((1, 2, 3)) / (error.shape[1] * visible.sum((1, 2, 3))).clamp(min=1)


def _absolute_error(made: Tensor, wanted: Tensor, visible: Tensor | None = None) -> Tensor:
    return _mean((made - wanted).abs(), visible)


def _dissimilarity(made: Tensor, wanted: Tensor) -> Tensor:
    return 1 - structural_similarity(made, wanted)


def _log_mse(made: Tensor, wanted: Tensor, visible: Tensor | None = None) -> Tensor:
    # The floor, 60 dB, keeps a frame that is already right from owning the gradient.
    return torch.log(squared_error(made, wanted, visible) + 1e-6)


_PER_FRAME: dict[LossName, Callable[[Tensor, Tensor, Tensor | None], Tensor]] = {
    "log-mse": _log_mse,
    "mse": squared_error,
    "l1": _absolute_error,
    "l1-ssim": lambda made, wanted, _: 0.7 * _absolute_error(made, wanted) + 0.3 * _dissimilarity(made, wanted),
    "mse-ssim": lambda made, wanted, _: squared_error(made, wanted) + 0.03 * _dissimilarity(made, wanted),
}
