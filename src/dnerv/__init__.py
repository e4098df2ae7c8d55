"""dnerv: a whole video collection in one neural file.

    archive = dnerv.open("collection.dnerv")
    archive.names
    archive["bikes"][16:24]      # uint8 [8, 3, H, W], RGB

    dnerv.encode(["videos/"], "collection.dnerv", dnerv.EncodeOptions(bits_per_pixel=0.05))

    for clips, labels, info in dnerv.Loader("collection.dnerv", batch_size=8, shuffle=True, device="cuda"):
        ...                      # float32 [8, T, 3, H, W], int64 [8]

Names are imported when first used: `import dnerv` is instant.
"""

from __future__ import annotations

from importlib.metadata import version
from typing import TYPE_CHECKING

from dnerv.errors import ArchiveError, DnervError, InputError, OutputError
from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.archive import Archive as open
    from dnerv.archive import Frame, FrameBatch, VideoMetadata, VideoReader
    from dnerv.encoding import EncodeListener, EncodeOptions, EncodeResult, encode
    from dnerv.evaluation import ArchiveQuality, evaluate
    from dnerv.loading import ClipDataset, Loader

__version__ = version("dnerv")

__all__ = [
    "ArchiveError",
    "ArchiveQuality",
    "ClipDataset",
    "DnervError",
    "EncodeListener",
    "EncodeOptions",
    "EncodeResult",
    "Frame",
    "FrameBatch",
    "InputError",
    "Loader",
    "OutputError",
    "VideoMetadata",
    "VideoReader",
    "encode",
    "evaluate",
    "open",
]


def __dir__() -> list[str]:
    return __all__


__getattr__ = imports_on_use(
    __name__,
    {
        "open": "archive:Archive",
        "Frame": "archive",
        "FrameBatch": "archive",
        "VideoMetadata": "archive",
        "VideoReader": "archive",
        "EncodeListener": "encoding",
        "EncodeOptions": "encoding",
        "EncodeResult": "encoding",
        "encode": "encoding",
        "ArchiveQuality": "evaluation",
        "evaluate": "evaluation",
        "ClipDataset": "loading",
        "Loader": "loading",
    },
)
