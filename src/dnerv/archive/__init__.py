"""The `.dnerv` file: written whole, changed in place, opened fast, read at random.

Names are imported on first use: who looks into an index alone waits for neither torch nor FFmpeg.
"""

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.archive.archive import Archive
    from dnerv.archive.base_layer import BaseLayer, BaseReader
    from dnerv.archive.choices import DimensionOrder, Layers, checked_device
    from dnerv.archive.clip_maker import ClipLayout, ClipMaker
    from dnerv.archive.collection import Collection, open_archives
    from dnerv.archive.config import ArchiveConfig, NetworkConfig, PlaneFormat
    from dnerv.archive.entry import VideoEntry
    from dnerv.archive.export import ExportFormat, export_videos, interpolate_videos
    from dnerv.archive.integrity import verify_archive
    from dnerv.archive.network_layer import ArchiveNetwork
    from dnerv.archive.references import Reference
    from dnerv.archive.video_reader import Frame, FrameBatch, VideoMetadata, VideoReader
    from dnerv.archive.writing import ArchiveWriter, NetworkLayer, NewReference, changed_archive, new_archive

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
    __name__,
    {
        "Archive": "archive",
        "ArchiveConfig": "config",
        "ArchiveNetwork": "network_layer",
        "ArchiveWriter": "writing",
        "BaseLayer": "base_layer",
        "BaseReader": "base_layer",
        "ClipLayout": "clip_maker",
        "ClipMaker": "clip_maker",
        "Collection": "collection",
        "DimensionOrder": "choices",
        "ExportFormat": "export",
        "Frame": "video_reader",
        "FrameBatch": "video_reader",
        "Layers": "choices",
        "NetworkConfig": "config",
        "NetworkLayer": "writing",
        "NewReference": "writing",
        "PlaneFormat": "config",
        "Reference": "references",
        "VideoEntry": "entry",
        "VideoMetadata": "video_reader",
        "VideoReader": "video_reader",
        "changed_archive": "writing",
        "checked_device": "choices",
        "export_videos": "export",
        "interpolate_videos": "export",
        "new_archive": "writing",
        "open_archives": "collection",
        "verify_archive": "integrity",
    },
)
