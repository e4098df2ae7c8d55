"""Synthetic moving pictures, and an ear for progress."""

from collections.abc import Callable, Iterator

import numpy as np
import pytest
from numpy.typing import NDArray

from dnerv.progress import Listener, listening

Frames = list[NDArray[np.uint8]]


def _moving_frames(count: int, height: int, width: int, seed: int = 0) -> Frames:
    """Smooth drifting waves, uint8 [height, width, 3]: no two frames are equal."""
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


@pytest.fixture(scope="session")
def moving_frames() -> Callable[..., Frames]:
    return _moving_frames


class _Ear(Listener):
    def __init__(self) -> None:
        self.units: list[int] = []

    def advance(self, units: int = 1) -> None:
        self.units.append(units)


@pytest.fixture
def advanced() -> Iterator[list[int]]:
    """Units of work as they are told."""
    ear = _Ear()
    with listening(ear):
        yield ear.units
