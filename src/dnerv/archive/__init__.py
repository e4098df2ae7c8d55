"""The `.dnerv` file: written whole, opened fast, read at random."""

from dnerv.archive.archive import Archive, checked_device
from dnerv.archive.clip_maker import ClipLayout, ClipMaker
from dnerv.archive.export import ExportFormat, export_videos, interpolate_videos
from dnerv.archive.index import ArchiveConfig, VideoEntry
from dnerv.archive.integrity import verify_archive
from dnerv.archive.keyframe_reader import KeyframeReader
from dnerv.archive.video_reader import Frame, FrameBatch, VideoMetadata, VideoReader
from dnerv.archive.writing import CodedVideo, write_archive

__all__ = [
    "Archive",
    "ArchiveConfig",
    "ClipLayout",
    "ClipMaker",
    "CodedVideo",
    "ExportFormat",
    "Frame",
    "FrameBatch",
    "KeyframeReader",
    "VideoEntry",
    "VideoMetadata",
    "VideoReader",
    "checked_device",
    "export_videos",
    "interpolate_videos",
    "verify_archive",
    "write_archive",
]
