"""What an archive would give without its network: its own decoded keyframes, blended by distance."""

from __future__ import annotations

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerv.archive import Archive
from dnerv.codecs import blended
from dnerv.errors import InputError
from dnerv.families import ClipRequest, Motion, assemble
from dnerv.video import TileGrid


def blended_keyframes(archive: Archive, name: str) -> NDArray[np.uint8]:
    """Every frame of a video as the distance-weighted mean of its two keyframes: uint8 [T, H, W, 3], coded size."""
    place = archive.names.index(name)
    timeline = archive.timeline(place)
    return np.stack(list(blended(_keyframes(archive, place, 0, timeline.num_keyframes - 1), timeline)))


def in_between(archive: Archive, name: str) -> list[int]:
    """Frames of a video that are no keyframes; all of them where every frame is one."""
    timeline = archive.timeline(archive.names.index(name))
    keyframes = set(timeline.keyframe_positions.tolist())
    return [i for i in range(timeline.num_frames) if i not in keyframes] or list(range(timeline.num_frames))


def flow_between_keyframes(archive: Archive, name: str, index: int) -> NDArray[np.float32]:
    """How far things move from the keyframe before frame `index` to the one after: [H, W, 2], (dx, dy) in pixels.

    It is the difference of the network's two flows at its finest scale. Raises InputError for a video that is cut
    into tiles, or a network without keyframes.
    """
    place = archive.names.index(name)
    timeline, (height, width) = archive.timeline(place), archive.entries[place].coded_size
    grid = TileGrid(height, width, *archive.config.model.canvas, archive.config.overlap)
    if grid.num_tiles != 1:
        raise InputError(f"video {name!r} is cut into {grid.num_tiles} tiles; flow is shown of whole frames only")
    clip, offset = divmod(index, timeline.clip_length)
    conditioning = timeline.clip_conditioning(clip)
    first, last = int(conditioning.start.min()), int(conditioning.end.max())
    rgb = torch.from_numpy(_keyframes(archive, place, first, last)).permute(0, 3, 1, 2)
    motion = _motion(archive, ClipRequest(conditioning, first, grid.cut_one(rgb, 0)))
    moved: Tensor = (motion.to_end - motion.to_start)[offset, :, :height, :width]
    return moved.permute(1, 2, 0).float().numpy()


def _motion(archive: Archive, request: ClipRequest) -> Motion:
    with torch.inference_mode():
        motion = archive.model.motion(assemble([request]))
    if motion is None:
        raise InputError("this archive's network has no keyframes, so there is no flow between them")
    return motion


def _keyframes(archive: Archive, place: int, first: int, last: int) -> NDArray[np.uint8]:
    reader = archive.keyframe_reader(place)
    if reader is None:
        raise InputError("this archive has no keyframes")
    return reader.read(first, last)
