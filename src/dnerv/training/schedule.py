"""The learning rate over a run."""

from __future__ import annotations

import math


def learning_rate_factor(progress: float, warmup: float) -> float:
    """Linear from 0.1 to 1 over the first `warmup` of the run, then a cosine to 0 (D-NeRV, section 4.1).

    Args:
        progress: how much of the run is done, [0, 1].
        warmup: share of the run that warms up, [0, 1).
    """
    if progress < warmup:
        return 0.1 + 0.9 * progress / warmup
    return 0.5 * (1 + math.cos(math.pi * (min(progress, 1.0) - warmup) / (1 - warmup)))
