"""Frames in and out: a corpus of many videos, the clips and keyframes of one video, the tiles of a large
frame.

Data flow: `discover` -> `Member` -> `VideoSource.frames` -> `cache_video` -> `CachedVideo` (frames on disk,
`Timing`) -> `Timeline` (clips, keyframes) and `TileGrid` (tiles) -> ... -> `write_mp4` / `write_png_folder`.

Names are imported on first use, so that the rooms which need only clips, tiles or a frame store run on
machines without PyAV, and a command line that only lists files does not wait for torch.
"""

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.video.cache import CachedVideo, cache_video, cache_videos
    from dnerv.video.clips import Conditioning, Timeline
    from dnerv.video.corpus import Member, discover
    from dnerv.video.filling import hide, read_mask
    from dnerv.video.labels import labelled
    from dnerv.video.masks import GivenMasks, Masks, RandomBoxes
    from dnerv.video.scaling import scale_frames
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
    "GivenMasks",
    "Masks",
    "Member",
    "RandomBoxes",
    "TileGrid",
    "Timeline",
    "Timing",
    "VideoSource",
    "cache_video",
    "cache_videos",
    "choose_canvas",
    "discover",
    "hide",
    "labelled",
    "read_mask",
    "scale_frames",
    "write_mp4",
    "write_png_folder",
]

__getattr__ = imports_on_use(
    __name__,
    {
        "CachedVideo": "cache",
        "Conditioning": "clips",
        "FrameStore": "store",
        "FrameStoreWriter": "store",
        "FrameStream": "source",
        "GivenMasks": "masks",
        "Masks": "masks",
        "Member": "corpus",
        "RandomBoxes": "masks",
        "TileGrid": "tiles",
        "Timeline": "clips",
        "Timing": "timing",
        "VideoSource": "source",
        "cache_video": "cache",
        "cache_videos": "cache",
        "choose_canvas": "tiles",
        "discover": "corpus",
        "hide": "filling",
        "labelled": "labels",
        "read_mask": "filling",
        "scale_frames": "scaling",
        "write_mp4": "writer",
        "write_png_folder": "writer",
    },
)
