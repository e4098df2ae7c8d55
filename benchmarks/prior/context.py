"""What a prior sees of a coded video: which frames, and what the codec did, for every frame that is shown.

A base layer codes frames at some positions; a frame between two of them starts as their blend. The anchors of a frame
are the coded frames, up to eight coded frames away on either side and beyond its neighbours, that took most bytes: in
a hierarchy of frames the ones that the others lean on.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

ANCHOR_REACH = 8  # coded frames


@dataclass(frozen=True)
class Context:
    """Of N frames."""

    first: NDArray[np.int64]  # [N], the coded frame at or before each, by its number among the coded ones
    second: NDArray[np.int64]  # [N], the coded frame at or after it
    share: NDArray[np.float32]  # [N], of the second, in [0, 1)
    shown: NDArray[
        np.int64
    ]  # [N, 4], coded frames: previous, next, anchor before, anchor after; own where there is none
    conditions: NDArray[np.float32]  # [N, 12]


def context(
    positions: NDArray[np.integer], sizes: NDArray[np.integer], crf: float, pixels: int, num_frames: int
) -> Context:
    """Context of all frames of a video.

    Args:
        positions: [K], frames that are coded, ascending, the first and the last frame among them.
        sizes: [K], bytes of each.
        crf: of the base layer, SVT-AV1's.
        pixels: of a frame.
        num_frames: N.
    """
    frames = np.arange(num_frames)
    first = np.searchsorted(positions, frames, side="right") - 1
    second = np.searchsorted(positions, frames, side="left")
    gap = np.maximum(positions[second] - positions[first], 1)
    share = ((frames - positions[first]) / gap).astype(np.float32)
    is_coded = first == second
    previous = np.where(is_coded, np.maximum(first - 1, 0), first)
    following = np.where(is_coded, np.minimum(second + 1, len(positions) - 1), second)
    before = np.array([_anchor(sizes, p - ANCHOR_REACH, p - 1, own) for p, own in zip(previous, first, strict=True)])
    after = np.array([_anchor(sizes, f + 1, f + ANCHOR_REACH, own) for f, own in zip(following, second, strict=True)])
    shown = np.stack((previous, following, before, after), axis=1)
    bits = np.log2(8 * np.maximum(sizes, 1) / pixels).clip(-12, 2)
    own_bits = (bits[first] + bits[second]) / 2
    distances = np.abs(positions[shown] - frames[:, None])
    step = np.full(num_frames, (positions[1] - positions[0]) if len(positions) > 1 else 1)
    columns = [
        np.full(num_frames, (crf - 48) / 16),
        1.0 - is_coded,
        np.log2(step),
        (own_bits + 5) / 3,
        *((bits[shown] - own_bits[:, None]) / 3).T,
        *(distances[:, :2] / 2).T,
        *(distances[:, 2:] / 8).T,
    ]
    return Context(first, second, share, shown, np.stack(columns, axis=1).astype(np.float32))


def _anchor(sizes: NDArray[np.integer], low: int, high: int, own: int) -> int:
    """The largest of coded frames `low` to `high`, as far as they exist; `own` where none does."""
    low, high = max(low, 0), min(high, len(sizes) - 1)
    return low + int(np.argmax(sizes[low : high + 1])) if low <= high else own
