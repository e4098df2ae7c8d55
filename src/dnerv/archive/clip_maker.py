"""Clips out of a network: whole frames of one video, tiles joined, in 8 bits."""

from __future__ import annotations

from collections.abc import Sequence

import torch
from torch import Tensor, nn

from dnerv.archive.keyframe_reader import KeyframeReader
from dnerv.model import ClipRequest, absolute_time, assemble, channels_first
from dnerv.video import TileGrid, Timeline


class ClipMaker:
    """Runs the archive's network.

    Called with one clip of one tile it gives bits that do not depend on what else was asked for; in a batch they may,
    in the last place: convolution libraries choose another order of summation for another batch.
    """

    def __init__(self, model: nn.Module, device: torch.device, dtype: torch.dtype) -> None:
        """`dtype`: float32 for the archive's own frames; bfloat16 or float16 run in autocast, faster and less exact."""
        self.model = model.to(device).eval().requires_grad_(False)
        self.model.to(memory_format=torch.channels_last)  # type: ignore[call-overload]
        self.device, self.dtype = device, dtype

    def __call__(self, request: ClipRequest) -> Tensor:
        """float32 [T, 3, H, W] in [0, 1], on the device."""
        return self.batch([request])[0]

    def batch(self, requests: Sequence[ClipRequest]) -> Tensor:
        """All of them in one pass of the network: float32 [B, T, 3, H, W] in [0, 1], on the device."""
        inputs = assemble(requests).to(self.device)
        with torch.inference_mode(), torch.autocast(self.device.type, self.dtype, enabled=self.dtype != torch.float32):
            frames: Tensor = self.model(inputs)
        return frames.float()


def make_clip(
    maker: ClipMaker,
    timeline: Timeline,
    clip: int,
    grid: TileGrid,
    keyframes: KeyframeReader | None,
    absolute: tuple[int, int] | None,
) -> Tensor:
    """Clip `clip` of a video, without padding: uint8 [t, 3, H, W] at the coded size, on the maker's device.

    Args:
        keyframes: None for a network without keyframes.
        absolute: (the video's first frame, all frames) in the concatenation of the archive's videos, for a network
            whose time is absolute.
    """
    frames, real = timeline.padded_clip(clip)
    conditioning = timeline.clip_conditioning(clip)
    if absolute is not None:
        conditioning = conditioning._replace(time=absolute_time(frames + absolute[0], absolute[1]))
    first, last = int(conditioning.start.min()), int(conditioning.end.max())
    rgb = None if keyframes is None else channels_first(keyframes.read(first, last))
    empty = torch.empty(0, 3, grid.tile_height, grid.tile_width, dtype=torch.uint8)
    tiles = []
    for tile in range(grid.num_tiles):
        cut = empty if rgb is None else grid.cut_one(rgb, tile)
        tiles.append(maker(ClipRequest(conditioning, first, cut))[: int(real.sum())])
    return (grid.join(torch.stack(tiles)) * 255).round().clamp(0, 255).to(torch.uint8)
