"""Synthetic moving pictures for the keyframe tests."""

from collections.abc import Callable

import numpy as np
import pytest
from numpy.typing import NDArray

Frames = list[NDArray[np.uint8]]


def _moving_frames(count: int, height: int, width: int, seed: int = 0) -> Frames:
    """Smooth drifting waves, uint8 [height, width, 3]: prediction pays, and nothing repeats exactly."""
    rng = np.random.default_rng(seed)
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = [(rng.normal(0, 0.15, 3), rng.uniform(10, 35, 3)) for _ in range(8)]
    frames = []
    for t in range(count):
        value = np.full((height, width, 3), 128.0)
        for (down, right, speed), gain in waves:
            value += np.sin(down * rows + right * columns + speed * t)[..., None] * gain
        frames.append(np.clip(np.rint(value), 0, 255).astype(np.uint8))
    return frames


def _psnr(reference: Frames, decoded: Frames) -> float:
    """Mean over frames, in dB."""
    mse = [np.mean((a.astype(np.float64) - b) ** 2) for a, b in zip(reference, decoded, strict=True)]
    return float(np.mean(10 * np.log10(255**2 / np.maximum(mse, 1e-6))))


@pytest.fixture(scope="session")
def moving_frames() -> Callable[..., Frames]:
    return _moving_frames


@pytest.fixture(scope="session")
def psnr() -> Callable[[Frames, Frames], float]:
    return _psnr
