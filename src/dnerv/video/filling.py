"""Hide pixels of a cached video for good: what lies under the mask is replaced before anything else sees it.

    cached frames ─┬─ visible pixels ────────────────────────────────┬─ frames filled ─ keyframes, statistics, training
    masks ─────────┴─ fill: the nearest frames in which a pixel is ──┘
                      visible, then from the pixels around it

The fill is plain and deterministic. It is there so that keyframes hold something harmless; training leaves it out.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from dnerv.video.cache import CachedVideo
from dnerv.video.content import digest_of
from dnerv.video.masks import Mask, Masks
from dnerv.video.store import FrameStore, FrameStoreWriter

REACH = 8  # frames on either side in which a hidden pixel is looked for
_SMOOTHING = 8  # passes of diffusion at each scale


def hide(video: CachedVideo, masks: Masks, directory: Path) -> CachedVideo:
    """The video with its hidden pixels filled, and `mask` set: from an earlier run, or made and kept in `directory`.

    Nothing that it returns depends on the values of hidden pixels. Raises InputError for masks that do not fit,
    OutputError for the disk.
    """
    digest = digest_of([video.digest, masks.to_json()])
    stem = f"{video.store.path.stem}-{digest[:16]}"
    size = video.height, video.width, video.timing.num_frames
    mask = FrameStore(directory / f"{stem}.mask", *size)
    if not mask.is_complete():
        with FrameStoreWriter(mask.path) as writer:
            for hidden in masks.of(video):
                writer.append(np.repeat(hidden[..., None], 3, axis=2).astype(np.uint8) * 255)
    filled = FrameStore(directory / f"{stem}.rgb", *size)
    if not filled.is_complete():
        with FrameStoreWriter(filled.path) as writer:
            for index in range(video.timing.num_frames):
                writer.append(filled_frame(video.store, mask, index))
    return replace(video, store=filled, mask=mask, digest=digest)


def read_mask(mask: FrameStore, index: int) -> Mask:
    """Which pixels of a frame are hidden."""
    return np.asarray(mask[index][..., 0] > 0)


def filled_frame(frames: FrameStore, masks: FrameStore, index: int) -> NDArray[np.uint8]:
    """Frame `index` with its hidden pixels filled, uint8 [H, W, 3]: in time where that is possible, else in space."""
    missing = read_mask(masks, index)
    if not missing.any():
        return frames[index]
    frame = np.where(missing[..., None], 0.0, frames[index])
    for distance in range(1, REACH + 1):
        if not missing.any():
            break
        total, count = np.zeros_like(frame), np.zeros(missing.shape)
        for other in (index - distance, index + distance):
            if 0 <= other < len(frames):
                seen = missing & ~read_mask(masks, other)
                total[seen] += frames[other][seen]
                count[seen] += 1
        found = count > 0
        frame[found] = total[found] / count[found, None]
        missing &= ~found
    return np.asarray(np.rint(_filled_in_space(frame, ~missing)).clip(0, 255), np.uint8)


def _filled_in_space(frame: NDArray[np.float64], known: Mask) -> NDArray[np.float64]:
    """Unknown pixels from a coarser picture of the known ones, then smoothed: float64 [H, W, 3]."""
    if known.all():
        return frame
    if not known.any():
        return np.full_like(frame, 128.0)
    height, width = known.shape
    padded = np.pad(np.where(known[..., None], frame, 0.0), ((0, height % 2), (0, width % 2), (0, 0)))
    weight = np.pad(known.astype(np.float64), ((0, height % 2), (0, width % 2)))
    total, count = _halved(padded), _halved(weight[..., None])
    coarse = _filled_in_space(total / np.maximum(count, 1), count[..., 0] > 0)
    fine = coarse.repeat(2, 0).repeat(2, 1)[:height, :width]
    frame = np.where(known[..., None], frame, fine)
    for _ in range(_SMOOTHING):
        around = np.pad(frame, ((1, 1), (1, 1), (0, 0)), mode="edge")
        mean = (around[:-2, 1:-1] + around[2:, 1:-1] + around[1:-1, :-2] + around[1:-1, 2:]) / 4
        frame = np.where(known[..., None], frame, mean)
    return frame


def _halved(picture: NDArray[np.float64]) -> NDArray[np.float64]:
    return picture[::2, ::2] + picture[1::2, ::2] + picture[::2, 1::2] + picture[1::2, 1::2]
