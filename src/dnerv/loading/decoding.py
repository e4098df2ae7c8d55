"""Prepared clips through the network, in passes of bounded size, and samples gathered from what comes out."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dnerv.archive import Archive
from dnerv.loading.preparation import NetworkClip, Sample
from dnerv.model import ClipRequest

# Pixels of all frames of one pass. A pixel takes some 0.5 to 1 kB of activations; small passes stay in a processor's
# cache, and a graphics card wants large ones.
PASS_PIXELS = {"cpu": 1 << 20, "cuda": 1 << 23}

DecodedClips = Mapping[tuple[int, int], Tensor]  # by (place, clip): uint8 [t, 3, H, W]


def decode_clips(archive: Archive, clips: Sequence[NetworkClip]) -> DecodedClips:
    """Frames of each clip, uint8 [t, 3, H, W] at its video's coded size, on the archive's device."""
    tiles = _tiles(archive, [request for clip in clips for request in clip.requests])
    decoded = {}
    for clip in clips:
        stacked = torch.stack([next(tiles) for _ in clip.requests])
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
    places = (divmod(frame, clip_length) for frame in sample.frames.tolist())
    return torch.stack([decoded[sample.place, clip][offset] for clip, offset in places])
