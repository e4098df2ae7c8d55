"""Keyframes' colours for the output head, warped straight into its layout.

A head whose cells are `side` pixels wide, each pixel `output_stride` pixels of the frame, sees a plane [T, H, W] as
blocks [T, oy, ox, dy, dx, h, w]. Sampling makes any layout at the same price, so none is changed afterwards.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from dnerv.engine.rows import Planes
from dnerv.families import ClipInputs


@dataclass(frozen=True)
class Blocks:
    """Motion in blocks."""

    flow: Tensor  # float32 [4, T, oy, ox, dy, dx, h, w], pixels of the frame
    share: Tensor  # float32, broadcasts over one of them


def split_planes(planes: Planes, side: int, output_stride: int) -> Blocks:
    """Planes [k, T, H, W] of the frame as blocks, without a copy."""
    share = planes.share[None]
    blended = blocks_of(share, side, output_stride)[0] if share.shape[-1] > 1 else share.view(-1, *[1] * 6)
    return Blocks(blocks_of(planes.flow, side, output_stride), blended)


def blocks_of(planes: Tensor, side: int, output_stride: int) -> Tensor:
    """[k, T, H, W] as [k, T, oy, ox, dy, dx, h, w], a view."""
    count, frames, _, width = planes.shape
    split = planes.view(count, frames, -1, side, output_stride, width // (side * output_stride), side, output_stride)
    return split.permute(0, 1, 4, 7, 3, 6, 2, 5)


def warp_colours(colours: Tensor, blocks: Blocks, inputs: ClipInputs, *, contrast: bool) -> Tensor:
    """RGB of keyframes [M, 3, H, W] for a batch of one clip: [T, 3, oy, ox, dy, dx, h, w].

    With `contrast` 6 channels: the difference of the two keyframes follows their blend.
    """
    frames, *block = blocks.flow.shape[1:]
    shape = (frames, 3, *block)
    before, after = (
        F.grid_sample(
            _of_frames(colours, keyframe.flatten()),
            _coordinates(flow, *colours.shape[-2:]),
            padding_mode="border",
            align_corners=True,
        ).view(shape)
        for keyframe, flow in ((inputs.start, blocks.flow[:2]), (inputs.end, blocks.flow[2:]))
    )
    blend = torch.lerp(before, after, blocks.share[:, None])
    return torch.cat((blend, after - before), dim=1) if contrast else blend


def _of_frames(colours: Tensor, keyframes: Tensor) -> Tensor:
    """[T, 3, H, W]; frames of the same keyframe share its memory."""
    if bool((keyframes == keyframes[0]).all()):
        return colours[keyframes[0]].expand(len(keyframes), -1, -1, -1)
    return colours[keyframes]


def _coordinates(flow: Tensor, height: int, width: int) -> Tensor:
    """Where flow [2, T, oy, ox, dy, dx, h, w] points, in -1 to 1: [T, oy * ox * dy * dx * h, w, 2]."""
    frames, stride, _, side, _, rows, columns = flow.shape[1:]
    at = flow.new_empty(*flow.shape[1:], 2)
    for axis, (length, count, shape) in enumerate(
        ((width, columns, (1, stride, 1, side, 1, columns)), (height, rows, (stride, 1, side, 1, rows, 1)))
    ):
        scale = 2 / max(length - 1, 1)
        place = torch.arange(length, dtype=torch.float32) * scale - 1
        place = place.view(count, side, stride).permute(2, 1, 0).reshape(shape)
        torch.add(place, flow[axis], alpha=scale, out=at[..., axis])
    return at.view(frames, -1, columns, 2)
