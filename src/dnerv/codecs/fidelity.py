"""MSE and PSNR, written down once, for NumPy and torch.

For values x (original) and y (made) in [0, 255]: MSE is the mean of (x - y)^2, PSNR is 10 log10(255^2 / MSE) dB, and at
most `PSNR_OF_IDENTICAL_FRAMES`, so that averages stay finite.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, overload

import numpy as np
from numpy.typing import NDArray

if TYPE_CHECKING:
    from torch import Tensor

PEAK = 255.0
PSNR_OF_IDENTICAL_FRAMES = 100.0  # dB
_LEAST_MSE = PEAK**2 / 10 ** (PSNR_OF_IDENTICAL_FRAMES / 10)


def mse(original: NDArray[Any], made: NDArray[Any], *, axis: tuple[int, ...] | None = None) -> Any:
    """Mean squared error over `axis`, or over everything, float64; both of one shape, with values in [0, 255]."""
    return np.square(np.subtract(original, made, dtype=np.float64)).mean(axis=axis)


def squared_error(original: NDArray[np.uint8], made: NDArray[np.uint8]) -> int:
    """Sum of (x - y)^2 over two pictures of uint8 and one shape: exact, and in one thread.

    A difference fits eight bits and its square sixteen: so a processor's vectors hold the most of them.
    """
    difference = np.maximum(original, made) - np.minimum(original, made)
    return int(np.multiply(difference, difference, dtype=np.uint16).sum(dtype=np.uint64))


@overload
def psnr(error: float) -> float: ...
@overload
def psnr(error: NDArray[np.float64]) -> NDArray[np.float64]: ...
@overload
def psnr(error: Tensor) -> Tensor: ...
def psnr(error: Any) -> Any:
    """Peak signal-to-noise ratio in dB of mean squared errors, of any shape, float64; at most that of equal frames."""
    if isinstance(error, float | np.ndarray | np.floating):
        found = 10 * np.log10(PEAK**2 / np.maximum(error, _LEAST_MSE))
        return found if isinstance(error, np.ndarray) else float(found)
    return 10 * (PEAK**2 / error.double().clamp(min=_LEAST_MSE)).log10()
