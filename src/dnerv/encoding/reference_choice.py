"""Which pictures are worth storing once for many videos: guessed from thumbnails, then measured by coding.

A group that starts from a picture like its own saves most of an intra frame. How much is guessed from the distance of
thumbnails, against what the thumbnail's own detail would cost; candidates are taken one by one, the one that saves most
first, until the next would save less than it costs. What a video really takes is measured afterwards (`base_layer`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

THUMBNAIL = (24, 32)  # height, width in pixels
_MOST_CANDIDATES = 512  # videos whose pictures are considered, spread over the corpus
_NOISE = 12.0  # squared error below which pictures are alike as far as a coarse quantiser can tell
_SAMPLES = 3  # frames of a video that stand for all of it


@dataclass(frozen=True)
class Summary:
    """What is kept of a video to compare it with others."""

    thumbnails: NDArray[np.float32]  # [_SAMPLES, 24, 32, 3] of frames spread over it, in [0, 255]
    candidate: int  # the frame that could be a reference: its middle one
    num_groups: int  # that could start from a reference


def summarise(frames: Sequence[NDArray[np.uint8]] | NDArray[np.uint8], num_groups: int) -> Summary:
    """Of frames uint8 [N, H, W, 3]; the candidate's thumbnail is the middle one."""
    count = len(frames)
    places = np.linspace(0, count - 1, _SAMPLES).round().astype(int).tolist()
    return Summary(np.stack([_thumbnail(frames[place]) for place in places]), places[_SAMPLES // 2], num_groups)


def choose_references(summaries: Sequence[Summary], intra_bytes: float, cost_bytes: float) -> list[tuple[int, list[int]]]:
    """Videos whose candidate picture becomes a reference, each with the videos that should try it, best guess first.

    Args:
        intra_bytes: what an intra frame takes, on average. cost_bytes: what a reference takes, its seed included.
    """
    count = len(summaries)
    if count < 2:
        return []
    thumbnails = np.stack([s.thumbnails for s in summaries]).reshape(count, _SAMPLES, -1)
    pool = np.unique(np.linspace(0, count - 1, min(count, _MOST_CANDIDATES)).round().astype(int))
    detail = np.log2(1 + thumbnails.var(axis=2).mean(axis=1) / _NOISE)  # [count]
    gain = np.zeros((count, len(pool)), np.float32)
    groups = np.array([s.num_groups for s in summaries], np.float32)
    for column, candidate in enumerate(pool.tolist()):
        errors = np.square(thumbnails - thumbnails[candidate, _SAMPLES // 2]).mean(axis=2).mean(axis=1)
        share = 1 - np.log2(1 + errors / _NOISE) / np.maximum(detail, 1e-6)
        gain[:, column] = groups * intra_bytes * np.clip(share, 0, 1)
    best, chosen = np.zeros(count, np.float32), list[int]()
    while len(chosen) < len(pool):
        added = np.maximum(gain - best[:, None], 0).sum(0)
        column = int(added.argmax())
        if added[column] <= cost_bytes:
            break
        chosen.append(column)
        best = np.maximum(best, gain[:, column])
    if not chosen:
        return []
    own = gain[:, chosen].argmax(1)
    takes = gain[:, chosen].max(1) > 0
    return [
        (int(pool[column]), np.flatnonzero((own == place) & takes).tolist()) for place, column in enumerate(chosen)
    ]


def _thumbnail(frame: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Means over a grid of cells, float32 [24, 32, 3]; smaller frames are repeated up to it."""
    height, width = THUMBNAIL
    factors = [max(1, -(-side // have)) for side, have in zip(THUMBNAIL, frame.shape[:2], strict=True)]
    large = frame.repeat(factors[0], 0).repeat(factors[1], 1)
    rows = np.linspace(0, large.shape[0], height + 1).astype(int)[:-1]
    columns = np.linspace(0, large.shape[1], width + 1).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(large.astype(np.float32), rows, axis=0), columns, axis=1)
    cells = np.diff([*rows, large.shape[0]])[:, None] * np.diff([*columns, large.shape[1]])[None]
    return (sums / cells[..., None]).astype(np.float32)
