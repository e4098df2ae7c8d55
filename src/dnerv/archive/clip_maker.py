"""Clips out of a network: whole frames of one video, tiles joined, in 8 bits.

clip number ─ ClipLayout.requests (one per tile, with its keyframes) ─ ClipMaker ─ ClipLayout.join ─ frames
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor

from dnerv.archive.base_layer import BaseReader
from dnerv.engine import Decoder, Features
from dnerv.families import ClipRequest, absolute_time, assemble, channels_first
from dnerv.video import Conditioning, TileGrid, Timeline


class ClipMaker:
    """Runs the archive's network.

    Called with one clip of one tile it gives bits that do not depend on what else was asked for; in a batch they may,
    in the last place: convolution libraries choose another order of summation for another batch. For the same reason
    a single clip's keyframes are encoded one by one.
    """

    def __init__(self, decoder: Decoder) -> None:
        self._decoder = decoder

    def __call__(self, request: ClipRequest, known: dict[int, Features] | None = None) -> Tensor:
        """float32 [T, 3, H, W] in [0, 1], on the device.

        `known`: features by the ordinal of their keyframe, of clips of the same video and tile; afterwards it holds
        this clip's.
        """
        if not self._decoder.shares_features:
            return self.batch([request])[0]
        known = {} if known is None else known
        features = {
            ordinal: known.get(ordinal) or self._decoder.encode(keyframe[None])
            for ordinal, keyframe in enumerate(request.keyframes, request.first_keyframe)
        }
        known.clear()
        known.update(features)
        inputs = assemble([request], with_keyframes=False)
        return self._decoder.decode(inputs, Features.join(list(features.values())))[0]

    def batch(self, requests: Sequence[ClipRequest]) -> Tensor:
        """All of them in one pass of the network: float32 [B, T, 3, H, W] in [0, 1], on the device."""
        if not self._decoder.shares_features:
            return self._decoder.decode(assemble(requests))
        features = self._decoder.encode(torch.cat([request.keyframes for request in requests]))
        return self._decoder.decode(assemble(requests, with_keyframes=False), features)


@dataclass(frozen=True)
class ClipLayout:
    """How the clips of one video are asked of the network, and its tiles put together. Arithmetic only."""

    timeline: Timeline
    grid: TileGrid
    absolute: tuple[int, int] | None  # (the video's first frame, all frames) of the archive where time is absolute
    crf: float  # that the video's coded frames were coded with

    def requests(self, clip: int, base: BaseReader | None, phase: float = 0.0) -> list[ClipRequest]:
        """One request per tile of clip `clip`, row by row; reads the keyframes that it needs.

        Args:
            base: of the video, whose coded frames are the network's keyframes; None for a network without any.
            phase: how far after its frames the clip is made, in frames, [0, 1).

        Raises:
            ArchiveError: the base layer is damaged.
        """
        conditioning = self._conditioning(clip, phase)
        first, last = int(conditioning.start.min()), int(conditioning.end.max())
        if base is None:
            nothing = torch.empty(0, 3, self.grid.tile_height, self.grid.tile_width, dtype=torch.uint8)
            return [ClipRequest(conditioning, first, nothing, (0.0, 0))] * self.grid.num_tiles
        rgb = channels_first(np.stack(base.coded(range(first, last + 1))))
        # Between frames that all are coded a prior is told what it knows: every second frame is.
        coding = self.crf, max(self.timeline.keyframe_every, 2 if phase else 1)
        tiles = range(self.grid.num_tiles)
        return [ClipRequest(conditioning, first, self.grid.cut_one(rgb, tile), coding) for tile in tiles]

    def join(self, clip: int, tiles: Tensor) -> Tensor:
        """Frames of clip `clip`, without padding: uint8 [t, 3, H, W] at the coded size, on the tiles' device.

        Args:
            tiles: float [num_tiles, >= t, 3, tile height, tile width] in [0, 1], in the order of `requests`.
        """
        frames = self.grid.join(tiles[:, : len(self.timeline.clip(clip))])
        return (frames * 255).round_().clamp_(0, 255).to(torch.uint8)

    def _conditioning(self, clip: int, phase: float) -> Conditioning:
        conditioning = self.timeline.clip_conditioning(clip, phase)
        if self.absolute is None:
            return conditioning
        positions = self.timeline.clip_positions(clip, phase)
        return conditioning._replace(time=absolute_time(positions + self.absolute[0], self.absolute[1]))


def make_clip(
    maker: ClipMaker,
    layout: ClipLayout,
    clip: int,
    base: BaseReader | None,
    known: dict[int, Features] | None = None,
    phase: float = 0.0,
) -> Tensor:
    """Clip `clip` of a video, without padding: uint8 [t, 3, H, W] at the coded size, on the maker's device.

    With a `phase` in (0, 1) the frames lie as far after the clip's own; after a video's last frame there is nothing,
    so that the last one of its last clip is that frame itself.

    Tiles pass through the network one by one, so that the bits depend on nothing else. `known`: features of the
    video's keyframes, as `ClipMaker` keeps them from clip to clip; of use where frames are one tile. Raises
    ArchiveError.
    """
    real = len(layout.timeline.clip(clip))
    requests = layout.requests(clip, base, phase)
    tiles = [maker(request, known if len(requests) == 1 else None)[:real] for request in requests]
    return layout.join(clip, torch.stack(tiles))
