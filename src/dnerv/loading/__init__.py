"""Archives as training data: a map-style `ClipDataset`, and a `Loader` that decodes whole batches on the device.

windows ─ order (seed, epoch) ─ shares (ranks, workers) ─ base layers (threads) ─ network (batches) ─ augmentation
"""

from dnerv.loading.augmentation import Augmentation
from dnerv.loading.dataset import ClipDataset
from dnerv.loading.loader import Loader
from dnerv.loading.shares import Share
from dnerv.loading.windows import Windows

__all__ = ["Augmentation", "ClipDataset", "Loader", "Share", "Windows"]
