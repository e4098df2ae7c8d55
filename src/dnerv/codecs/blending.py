"""Keyframes without a network: every frame as the distance-weighted mean of the two around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dnerv.codecs.keyframes import Frame
from dnerv.video import Timeline

_BLOCK = 1 << 16  # samples that are mixed at once


def blend(start: Frame, end: Frame, share: float) -> Frame:
    """The frame that lies `share` of the way from one coded frame to the next, uint8 [H, W, 3], in float32."""
    if share in (0, 1):
        return end if share else start
    weight = np.float32(share)
    return np.rint((1 - weight) * start + weight * end.astype(np.float32)).astype(np.uint8)


def blends_into(
    start: NDArray[np.uint8], end: NDArray[np.uint8], shares: Sequence[float], out: NDArray[np.uint8]
) -> None:
    """What `blend` gives for each share, to the bit, written to `out`: uint8 [len(shares), *start.shape], without gaps.

    In blocks that stay in a processor's cache: large frames take half the time of `blend`.
    """
    first, second, targets = start.reshape(-1), end.reshape(-1), out.reshape(len(shares), -1)
    floats = np.empty((4, min(_BLOCK, first.size)), np.float32)
    for at in range(0, first.size, _BLOCK):
        a, b, mixed, part = floats[:, : min(_BLOCK, first.size - at)]
        np.copyto(a, first[at : at + _BLOCK])
        np.copyto(b, second[at : at + _BLOCK])
        for share, target in zip(shares, targets, strict=True):
            weight = np.float32(share)
            np.multiply(a, 1 - weight, out=mixed)
            np.multiply(b, weight, out=part)
            np.add(mixed, part, out=mixed)
            np.rint(mixed, out=mixed)
            np.copyto(target[at : at + _BLOCK], mixed, casting="unsafe")


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
