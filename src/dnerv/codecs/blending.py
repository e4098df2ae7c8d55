"""Keyframes without a network: every frame as the distance-weighted mean of the two around it."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
from numpy.typing import NDArray

from dnerv.codecs.keyframes import Frame
from dnerv.video import Timeline


def blend(start: Frame, end: Frame, share: float) -> Frame:
    """The frame that lies `share` of the way from one coded frame to the next, uint8 [H, W, 3], in float32."""
    weight = np.float32(share)
    return np.rint((1 - weight) * start + weight * end.astype(np.float32)).astype(np.uint8)


def blended(keyframes: NDArray[np.uint8], timeline: Timeline) -> Iterator[Frame]:
    """All frames of a video, uint8 [H, W, 3] each, from its keyframes, uint8 [num_keyframes, H, W, 3]."""
    conditioning = timeline.conditioning(np.arange(timeline.num_frames))
    for start, end, share in zip(conditioning.start, conditioning.end, conditioning.distance, strict=True):
        yield blend(keyframes[start], keyframes[end], share)
