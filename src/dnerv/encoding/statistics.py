"""Colours of a corpus: what stands in the archive, and what networks normalise by."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from dnerv.video import CachedVideo

_STATISTICS_FRAMES = 256  # frames, spread over the corpus, that its mean and standard deviation are taken from


def colour_statistics(
    videos: Sequence[CachedVideo],
) -> tuple[tuple[float, float, float], tuple[float, float, float]]:
    """Mean and standard deviation of the corpus's RGB, in [0, 1], to three digits: they stand in the archive."""
    total = sum(v.timing.num_frames for v in videos)
    count, sums, squares = 0, np.zeros(3), np.zeros(3)
    passed = 0
    wanted = set(np.linspace(0, total - 1, min(total, _STATISTICS_FRAMES)).round().astype(int).tolist())
    for video in videos:
        for i in range(video.timing.num_frames):
            if passed + i in wanted:
                pixels = video.store[i].reshape(-1, 3) / 255.0
                count, sums, squares = count + len(pixels), sums + pixels.sum(0), squares + (pixels**2).sum(0)
        passed += video.timing.num_frames
    mean = sums / count
    std = np.sqrt(np.maximum(squares / count - mean**2, 0.0))
    rounded = [tuple(round(max(float(x), low), 3) for x in values) for values, low in ((mean, 0.0), (std, 0.02))]
    return rounded[0], rounded[1]  # type: ignore[return-value]
