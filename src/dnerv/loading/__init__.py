"""Archives as training data: a map-style `ClipDataset`, a `Loader` that decodes batches on the device, and samplers.

windows ─ order (seed, epoch) ─ shares (ranks, workers) ─ base layers (threads) ─ network (batches) ─ augmentation
"""

from dnerv.loading.augmentation import Augmentation
from dnerv.loading.dataset import ClipDataset
from dnerv.loading.loader import Loader
from dnerv.loading.samplers import (
    clips_at_random_indices,
    clips_at_random_timestamps,
    clips_at_regular_indices,
    clips_at_regular_timestamps,
)
from dnerv.loading.shares import Share
from dnerv.loading.windows import Windows

__all__ = [
    "Augmentation",
    "ClipDataset",
    "Loader",
    "Share",
    "Windows",
    "clips_at_random_indices",
    "clips_at_random_timestamps",
    "clips_at_regular_indices",
    "clips_at_regular_timestamps",
]
