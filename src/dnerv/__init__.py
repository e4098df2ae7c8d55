"""dnerv: a whole video collection in one neural file.

    archive = dnerv.open("collection.dnerv")
    archive.names
    archive["bikes"][16:24]      # uint8 [8, 3, H, W], RGB

    dnerv.encode(["videos/"], "collection.dnerv", dnerv.EncodeOptions(bits_per_pixel=0.05))

Names are imported when first used: `import dnerv` is instant.
"""

from __future__ import annotations

from importlib import import_module
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from dnerv.errors import ArchiveError, DnervError, InputError, OutputError

if TYPE_CHECKING:
    from dnerv.archive import Archive as open
    from dnerv.archive import Frame, FrameBatch, VideoMetadata, VideoReader
    from dnerv.compression import EncodeListener, EncodeOptions, EncodeResult, encode
    from dnerv.evaluation import ArchiveQuality, evaluate

__version__ = version("dnerv")

__all__ = [
    "ArchiveError",
    "ArchiveQuality",
    "DnervError",
    "EncodeListener",
    "EncodeOptions",
    "EncodeResult",
    "Frame",
    "FrameBatch",
    "InputError",
    "OutputError",
    "VideoMetadata",
    "VideoReader",
    "encode",
    "evaluate",
    "open",
]

_HOME = {
    "open": ("archive", "Archive"),
    "Frame": ("archive", "Frame"),
    "FrameBatch": ("archive", "FrameBatch"),
    "VideoMetadata": ("archive", "VideoMetadata"),
    "VideoReader": ("archive", "VideoReader"),
    "EncodeListener": ("compression", "EncodeListener"),
    "EncodeOptions": ("compression", "EncodeOptions"),
    "EncodeResult": ("compression", "EncodeResult"),
    "encode": ("compression", "encode"),
    "ArchiveQuality": ("evaluation", "ArchiveQuality"),
    "evaluate": ("evaluation", "evaluate"),
}


def __getattr__(name: str) -> Any:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    room, attribute = _HOME[name]
    return getattr(import_module(f"dnerv.{room}"), attribute)
