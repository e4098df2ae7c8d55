"""The `.dnerv` file: written whole, changed in place, opened fast, read at random."""

from typing import TYPE_CHECKING

from dnerv.archive.archive import Archive, Layers, checked_device
from dnerv.archive.base_layer import BaseLayer, BaseReader
from dnerv.archive.collection import Collection, open_archives
from dnerv.archive.config import ArchiveConfig, NetworkConfig, PlaneFormat
from dnerv.archive.entry import VideoEntry
from dnerv.archive.export import ExportFormat, export_videos, interpolate_videos
from dnerv.archive.integrity import verify_archive
from dnerv.archive.references import Reference
from dnerv.archive.video_reader import DimensionOrder, Frame, FrameBatch, VideoMetadata, VideoReader
from dnerv.archive.writing import ArchiveWriter, NetworkLayer, NewReference, changed_archive, new_archive
from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.archive.clip_maker import ClipLayout, ClipMaker
    from dnerv.archive.network_layer import ArchiveNetwork

__all__ = [
    "Archive",
    "ArchiveConfig",
    "ArchiveNetwork",
    "ArchiveWriter",
    "BaseLayer",
    "BaseReader",
    "ClipLayout",
    "ClipMaker",
    "Collection",
    "DimensionOrder",
    "ExportFormat",
    "Frame",
    "FrameBatch",
    "Layers",
    "NetworkConfig",
    "NetworkLayer",
    "NewReference",
    "PlaneFormat",
    "Reference",
    "VideoEntry",
    "VideoMetadata",
    "VideoReader",
    "changed_archive",
    "checked_device",
    "export_videos",
    "interpolate_videos",
    "new_archive",
    "open_archives",
    "verify_archive",
]

__getattr__ = imports_on_use(
    __name__, {"ArchiveNetwork": "network_layer", "ClipLayout": "clip_maker", "ClipMaker": "clip_maker"}
)
