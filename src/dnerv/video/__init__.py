"""Frames in and out: a corpus of many videos, the clips and keyframes of one video, the tiles of a large
frame.

Data flow: `discover` -> `Member` -> `VideoSource.frames` -> `cache_video` -> `CachedVideo` (frames on disk,
`Timing`) -> `Timeline` (clips, keyframes) and `TileGrid` (tiles) -> ... -> `write_mp4` / `write_png_folder`.

Names are imported on first use, so that the rooms which need only clips, tiles or a frame store run on
machines without PyAV, and a command line that only lists files does not wait for torch.
"""

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from dnerv.video.cache import CachedVideo, cache_video
    from dnerv.video.clips import Conditioning, Timeline
    from dnerv.video.corpus import Member, discover
    from dnerv.video.source import FrameStream, VideoSource
    from dnerv.video.store import FrameStore, FrameStoreWriter
    from dnerv.video.tiles import TileGrid, choose_canvas
    from dnerv.video.timing import Timing
    from dnerv.video.writer import write_mp4, write_png_folder

__all__ = [
    "CachedVideo",
    "Conditioning",
    "FrameStore",
    "FrameStoreWriter",
    "FrameStream",
    "Member",
    "TileGrid",
    "Timeline",
    "Timing",
    "VideoSource",
    "cache_video",
    "choose_canvas",
    "discover",
    "write_mp4",
    "write_png_folder",
]

_HOME = {
    "CachedVideo": "cache",
    "Conditioning": "clips",
    "FrameStore": "store",
    "FrameStoreWriter": "store",
    "FrameStream": "source",
    "Member": "corpus",
    "TileGrid": "tiles",
    "Timeline": "clips",
    "Timing": "timing",
    "VideoSource": "source",
    "cache_video": "cache",
    "choose_canvas": "tiles",
    "discover": "corpus",
    "write_mp4": "writer",
    "write_png_folder": "writer",
}


def __getattr__(name: str) -> object:
    if name not in _HOME:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f".{_HOME[name]}", __name__), name)
