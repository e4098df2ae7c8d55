"""Keyframes without a network: every frame as the distance-weighted mean of the two around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import numpy as np

from dnerv.codecs.keyframes import Frame
from dnerv.video import Timeline


def blend(start: Frame, end: Frame, share: float) -> Frame:
    """The frame that lies `share` of the way from one coded frame to the next, uint8 [H, W, 3], in float32."""
    if share in (0, 1):
        return end if share else start
    weight = np.float32(share)
    return np.rint((1 - weight) * start + weight * end.astype(np.float32)).astype(np.uint8)


def blended(keyframes: Iterable[Frame], timeline: Timeline) -> Iterator[Frame]:
    """All frames of a video, uint8 [H, W, 3] each, from its keyframes in order, drawn as they are needed."""
    source = enumerate(keyframes)
    kept: dict[int, Frame] = {}
    conditioning = timeline.conditioning(np.arange(timeline.num_frames))
    for start, end, share in zip(conditioning.start, conditioning.end, conditioning.distance, strict=True):
        while end not in kept:
            ordinal, frame = next(source)
            kept = {place: known for place, known in kept.items() if place >= start} | {ordinal: frame}
        yield blend(kept[start], kept[end], share)
