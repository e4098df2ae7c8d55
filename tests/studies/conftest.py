"""Videos for studies: tiny, but each with its own motion and something to code."""

from __future__ import annotations

from collections.abc import Callable
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dnerv.video import Timing, write_mp4


@pytest.fixture(scope="session")
def write_video() -> Callable[[Path, int, int], None]:
    """Writes `count` frames of 64x80, a square on noise that moves `speed` pixels a frame."""

    def write(path: Path, count: int, speed: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng([count, speed])
        frames = random.normal(90 + 9 * speed, 6, (count, 64, 80, 3)).clip(0, 255).astype(np.uint8)
        for i, frame in enumerate(frames):
            frame[16:32, (4 + speed * i) % 64 :][:, :16] = 230
        write_mp4(path, iter(frames), Timing.constant(Fraction(25), count), crf=4)

    return write
