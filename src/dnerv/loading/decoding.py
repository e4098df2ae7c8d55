"""Prepared footage as clips on the device: frames as they are, or the network's, in passes of bounded size."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerv.archive import Archive
from dnerv.archive.base_on_device import SamplesToSend, frames_on
from dnerv.codecs import Planes
from dnerv.loading.preparation import Footage, Prepared

if TYPE_CHECKING:
    from dnerv.families import ClipRequest

# Pixels of all frames of one pass. A pixel takes some 0.5 to 1 kB of activations; small passes stay in a processor's
# cache, and a graphics card wants large ones.
PASS_PIXELS = {"cpu": 1 << 20, "cuda": 1 << 23}


@dataclass(frozen=True)
class Frames:
    """Frames of one video on the device, by index."""

    indices: NDArray[np.int64]  # ascending
    data: Tensor  # uint8 [n, 3, H, W], at the coded size

    def clip(self, wanted: NDArray[np.int64]) -> Tensor:
        """Those of these indices, in their order: uint8 [len(wanted), 3, H, W], not to be written to."""
        return _picked(self.data, np.searchsorted(self.indices, wanted))


def decode(prepared: Prepared) -> Mapping[int, Frames]:
    """The frames of each video, by its place in the archive or collection."""
    requests: dict[Archive, list[ClipRequest]] = {}
    for footage in prepared.values():
        own = [request for clip in footage.clips for request in clip.requests]
        requests.setdefault(footage.archive, []).extend(own)
    tiles = {archive: _tiles(archive, asked) for archive, asked in requests.items()}
    made = _made_of_samples(prepared)
    return {place: made.get(place) or _frames(footage, tiles[footage.archive]) for place, footage in prepared.items()}


def _made_of_samples(prepared: Prepared) -> dict[int, Frames]:
    """The frames of those videos whose samples go to the device, of all that are alike at once."""
    alike: dict[tuple[torch.device, Planes, tuple[int, int]], dict[int, SamplesToSend]] = {}
    for place, footage in prepared.items():
        if isinstance(footage.frames, SamplesToSend):
            planes = footage.archive.base.format_of(footage.entry).planes
            kind = (footage.archive.device, planes, footage.entry.coded_size)
            alike.setdefault(kind, {})[place] = footage.frames
    return {
        place: Frames(prepared[place].indices, frames)
        for (device, planes, size), parts in alike.items()
        for place, frames in zip(parts, frames_on(device, list(parts.values()), planes, size), strict=True)
    }


def _frames(footage: Footage, tiles: Iterator[Tensor]) -> Frames:
    if isinstance(footage.frames, Tensor):
        data = footage.frames.to(footage.archive.device, non_blocking=True)
        return Frames(footage.indices, data)
    layout, joined, indices = footage.archive.network.layout(footage.entry), [], []
    for clip in footage.clips:
        own = [next(tiles) for _ in clip.requests]
        joined.append(layout.join(clip.clip, torch.stack(own) if len(own) > 1 else own[0][None]))
        indices.append(np.array(layout.timeline.clip(clip.clip)))
    return Frames(np.concatenate(indices), torch.cat(joined) if len(joined) > 1 else joined[0])


def _tiles(archive: Archive, requests: Sequence[ClipRequest]) -> Iterator[Tensor]:
    """float32 [T, 3, h, w] of each request, made as they are asked for."""
    if not requests:
        return
    model, maker = archive.network.config.model, archive.network.maker
    at_once = max(1, PASS_PIXELS[archive.device.type] // (model.clip_length * model.canvas[0] * model.canvas[1]))
    for start in range(0, len(requests), at_once):
        yield from maker.batch([_on_device(request, archive.device) for request in requests[start : start + at_once]])


def _on_device(request: ClipRequest, device: torch.device) -> ClipRequest:
    # As bytes: a quarter of what the network's floats would be.
    return replace(request, keyframes=request.keyframes.to(device, non_blocking=True))


def _picked(frames: Tensor, places: NDArray[np.int64]) -> Tensor:
    """Some of `frames`; a view, many times faster than picking them, unless their steps differ or one repeats."""
    step = int(places[1] - places[0]) if len(places) > 1 else 1
    if step < 1 or (np.diff(places) != step).any():
        return frames[places.tolist()]
    return frames[int(places[0]) : int(places[-1]) + 1 : step]
