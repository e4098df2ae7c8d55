"""Keyframes' own colours, warped and blended at full resolution, in a layout that suits the last features.

With features coarser than the frame by a stride s, a frame is held as a mosaic of s x s small ones: tile (dy, dx) has
the pixels (s * i + dy, s * j + dx). The squares of pixels that the heads see and answer are then whole planes, and no
pixel is shuffled before the very end; the motion is enlarged by two matrix products. With s = 1 it is the frame.
"""

from __future__ import annotations

from functools import lru_cache

import torch
from torch import Tensor
from torch.nn import functional as F

from dnerv.engine.rows import Planes
from dnerv.engine.warping import directions
from dnerv.families import ClipInputs


def warped_colours(colours: Tensor, planes: Planes, inputs: ClipInputs, stride: int) -> tuple[Tensor, Tensor]:
    """RGB of the keyframes, warped for N frames.

    Args:
        colours: float32 [M, 3, H, W], as frames.
        planes: motion at the resolution of the last features, H / stride and W / stride.

    Returns:
        The blend of the two keyframes and their difference, float32 [N, 3, H, W] each, as mosaics.
    """
    height, width = colours.shape[-2:]
    flow = stride * enlarged_mosaic(planes.flow, stride)
    share = planes.share if planes.share.shape[-1] == 1 else enlarged_mosaic(planes.share, stride)
    scale_x, scale_y = 2 / max(width - 1, 1), 2 / max(height - 1, 1)
    x = _places(width, stride, colours.device) * scale_x - 1
    y = _places(height, stride, colours.device)[:, None] * scale_y - 1
    dx, dy = directions(flow)
    at = torch.stack((torch.add(x, dx, alpha=scale_x), torch.add(y, dy, alpha=scale_y)), dim=-1)
    keyframes = colours[torch.cat((inputs.start.flatten(), inputs.end.flatten()))]
    seen = F.grid_sample(keyframes, at.flatten(0, 1), padding_mode="border", align_corners=True)
    before, after = seen.chunk(2)
    return torch.lerp(before, after, share[:, None]), after - before


def squares(mosaics: Tensor, stride: int) -> Tensor:
    """Mosaics [N, C, H, W] as rows of squares: a view [N, H / s, W / s, C, s, s] (PixelUnshuffle's channel order)."""
    tiles = torch.unflatten(torch.unflatten(mosaics, 3, (stride, -1)), 2, (stride, -1))  # (N, C, s, h, s, w)
    return tiles.permute(0, 3, 5, 1, 2, 4)


def frames_of_squares(rows: Tensor) -> Tensor:
    """Rows of squares [N, h, w, C, s, s] as frames [N, C, h * s, w * s]."""
    return rows.permute(0, 3, 1, 4, 2, 5).flatten(4).flatten(2, 3)


def enlarged_mosaic(planes: Tensor, stride: int) -> Tensor:
    """Planes [..., h, w] enlarged bilinearly (half-pixel centres) to mosaics [..., h * stride, w * stride]."""
    if stride == 1:
        return planes
    height, width = planes.shape[-2:]
    down, across = (_enlargement(side, stride, planes.device) for side in (height, width))
    return down @ (planes @ across.t())


@lru_cache(maxsize=16)
def _enlargement(side: int, stride: int, device: torch.device) -> Tensor:
    """[side * stride, side], rows in mosaic order."""
    with torch.inference_mode(False):  # kept for later calls, which may need gradients
        enlarged = F.interpolate(torch.eye(side)[None], scale_factor=stride, mode="linear", align_corners=False)[0]
        return enlarged.t().view(side, stride, side).transpose(0, 1).reshape(side * stride, side).to(device)


def _places(side: int, stride: int, device: torch.device) -> Tensor:
    """Where the pixels of a mosaic's side stand in the frame: float32 [side]."""
    return torch.arange(side, device=device, dtype=torch.float32).view(-1, stride).t().flatten()
