"""Keyframes without a network: every frame as the distance-weighted mean of the two around it."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence

import numpy as np
from numpy.typing import NDArray

from dnerv.codecs import compiled
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
    """What `blend` gives for each share, to the bit, written to `out`: uint8 [len(shares), *start.shape].

    No array has gaps. By what is compiled, where it is there; else by NumPy, in blocks that stay in a cache.
    Where all shares are halves, quarters and so on down to 1/256, every step is exact, and each blend is the one before
    it and a part of the difference.
    """
    if compiled.planes is not None:
        compiled.planes.blend(start, end, np.array(shares, np.float32), out)
        return
    first, second, targets = start.reshape(-1), end.reshape(-1), out.reshape(len(shares), -1)
    floats = np.empty((4, min(_BLOCK, first.size)), np.float32)
    mix = _mix_exactly if all((share * 256).is_integer() for share in shares) else _mix
    for at in range(0, first.size, _BLOCK):
        block = slice(at, at + _BLOCK)
        scratch = floats[:, : min(_BLOCK, first.size - at)]
        np.copyto(scratch[0], first[block])
        np.copyto(scratch[1], second[block])
        mix(scratch, shares, targets[:, block])


def _mix(scratch: NDArray[np.float32], shares: Sequence[float], out: NDArray[np.uint8]) -> None:
    start, end, mixed, part = scratch
    for share, target in zip(shares, out, strict=True):
        weight = np.float32(share)
        np.multiply(start, 1 - weight, out=mixed)
        np.multiply(end, weight, out=part)
        np.add(mixed, part, out=mixed)
        np.rint(mixed, out=mixed)
        np.copyto(target, mixed, casting="unsafe")


def _mix_exactly(scratch: NDArray[np.float32], shares: Sequence[float], out: NDArray[np.uint8]) -> None:
    mixed, difference, rounded, step = scratch
    np.subtract(difference, mixed, out=difference)
    last, width = 0.0, None
    for share, target in zip(shares, out, strict=True):
        if width != share - last:
            width = share - last
            np.multiply(difference, np.float32(width), out=step)
        np.add(mixed, step, out=mixed)
        np.rint(mixed, out=rounded)
        np.copyto(target, rounded, casting="unsafe")
        last = share


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
