"""Prepared clips through the network, in passes of bounded size, and samples gathered from what comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from dnerv.archive import Archive
from dnerv.families import ClipRequest
from dnerv.loading.preparation import NetworkClip
from dnerv.loading.windows import Sample

# Pixels of all frames of one pass. A pixel takes some 0.5 to 1 kB of activations; small passes stay in a processor's
# cache, and a graphics card wants large ones.
PASS_PIXELS = {"cpu": 1 << 20, "cuda": 1 << 23}

DecodedClips = Mapping[tuple[int, int], Tensor]  # by (place, clip): uint8 [t, 3, H, W]


def decode_clips(archive: Archive, clips: Sequence[NetworkClip]) -> DecodedClips:
    """Frames of each clip, uint8 [t, 3, H, W] at its video's coded size, on the archive's device."""
    tiles = _tiles(archive, [request for clip in clips for request in clip.requests])
    decoded = {}
    for clip in clips:
        own = [next(tiles) for _ in clip.requests]
        stacked = torch.stack(own) if len(own) > 1 else own[0][None]
        decoded[clip.place, clip.clip] = archive.layout(clip.place).join(clip.clip, stacked)
    return decoded


def _tiles(archive: Archive, requests: Sequence[ClipRequest]) -> Iterator[Tensor]:
    """float32 [T, 3, h, w] of each request, made as they are asked for."""
    model = archive.config.model
    at_once = max(1, PASS_PIXELS[archive.device.type] // (model.clip_length * model.canvas[0] * model.canvas[1]))
    for start in range(0, len(requests), at_once):
        yield from archive.maker.batch([_on_device(r, archive.device) for r in requests[start : start + at_once]])


def _on_device(request: ClipRequest, device: torch.device) -> ClipRequest:
    # As bytes: a quarter of what the network's floats would be.
    return replace(request, keyframes=request.keyframes.to(device, non_blocking=True))


def gather(sample: Sample, decoded: DecodedClips, clip_length: int) -> Tensor:
    """The sample's frames, uint8 [clip_length, 3, H, W], a copy."""
    clips = sample.frames // clip_length
    return torch.cat(
        [
            _picked(decoded[sample.place, clip], sample.frames[clips == clip] - clip * clip_length)
            for clip in np.unique(clips).tolist()
        ]
    )


def _picked(frames: Tensor, places: NDArray[np.int64]) -> Tensor:
    """Some of `frames`; a view, many times faster than picking them, unless the end of a short video repeats."""
    step = int(places[1] - places[0]) if len(places) > 1 else 1
    if step < 1 or places[-1] - places[0] != step * (len(places) - 1):
        return frames[places.tolist()]
    return frames[int(places[0]) : int(places[-1]) + 1 : step]
