"""dnerv: a whole video collection in one file.

    archive = dnerv.open("collection.dnerv")      # or "https://...", "s3://...", or several: ["a.dnerv", "b.dnerv"]
    archive.names
    archive["bikes"][16:24]      # uint8 [8, 3, H, W], RGB

    dnerv.encode(["videos/"], "collection.dnerv", dnerv.EncodeOptions(bits_per_pixel=0.05))
    dnerv.add("collection.dnerv", ["new/"])
    dnerv.remove("collection.dnerv", ["new/dull*"])

    for clips, labels, info in dnerv.Loader("collection.dnerv", batch_size=8, shuffle=True, device="cuda"):
        ...                      # float32 [8, T, 3, H, W], int64 [8]

Names are imported when first used: `import dnerv` is instant.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from dnerv.errors import ArchiveError, DnervError, InputError, MissingPriorError, OutputError
from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.archive import Archive, Collection, Frame, FrameBatch, VideoMetadata, VideoReader
    from dnerv.archive import open_archives as open
    from dnerv.archive.changing import Change, compact, extract, merge, remove
    from dnerv.encoding import EncodeOptions, EncodeResult, PriorOptions, encode, train_prior
    from dnerv.encoding.adding import add
    from dnerv.evaluation import ArchiveQuality, evaluate
    from dnerv.integrations.hf_datasets import to_hf
    from dnerv.loading import (
        ClipDataset,
        Loader,
        clips_at_random_indices,
        clips_at_random_timestamps,
        clips_at_regular_indices,
        clips_at_regular_timestamps,
    )
    from dnerv.progress import Listener, TrainingProgress, listening
    from dnerv.version import __version__

__all__ = [
    "Archive",
    "ArchiveError",
    "ArchiveQuality",
    "Change",
    "ClipDataset",
    "Collection",
    "DnervError",
    "EncodeOptions",
    "EncodeResult",
    "Frame",
    "FrameBatch",
    "InputError",
    "Listener",
    "Loader",
    "MissingPriorError",
    "OutputError",
    "PriorOptions",
    "TrainingProgress",
    "VideoMetadata",
    "VideoReader",
    "__version__",
    "add",
    "clips_at_random_indices",
    "clips_at_random_timestamps",
    "clips_at_regular_indices",
    "clips_at_regular_timestamps",
    "compact",
    "encode",
    "evaluate",
    "extract",
    "listening",
    "merge",
    "open",
    "remove",
    "to_hf",
    "train_prior",
]


def __dir__() -> list[str]:
    return __all__


__getattr__ = imports_on_use(
    __name__,
    {
        "open": "archive:open_archives",
        "Archive": "archive",
        "Collection": "archive",
        "Frame": "archive",
        "FrameBatch": "archive",
        "VideoMetadata": "archive",
        "VideoReader": "archive",
        "Change": "archive.changing",
        "compact": "archive.changing",
        "extract": "archive.changing",
        "merge": "archive.changing",
        "remove": "archive.changing",
        "add": "encoding.adding",
        "EncodeOptions": "encoding",
        "EncodeResult": "encoding",
        "encode": "encoding",
        "PriorOptions": "encoding",
        "train_prior": "encoding",
        "ArchiveQuality": "evaluation",
        "evaluate": "evaluation",
        "ClipDataset": "loading",
        "Loader": "loading",
        "clips_at_random_indices": "loading",
        "clips_at_random_timestamps": "loading",
        "clips_at_regular_indices": "loading",
        "clips_at_regular_timestamps": "loading",
        "Listener": "progress",
        "TrainingProgress": "progress",
        "listening": "progress",
        "to_hf": "integrations.hf_datasets",
        "__version__": "version",
    },
)
