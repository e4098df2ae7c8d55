"""Decoded frames to another size."""

from __future__ import annotations

from typing import Literal

import torch
from torch import Tensor
from torch.nn import functional as F


def scale_frames(frames: Tensor, size: tuple[int, int], mode: Literal["bilinear", "bicubic"]) -> Tensor:
    """uint8 [N, 3, h, w] -> uint8 [N, 3, height, width], antialiased; the same frames where they have that size.

    Processors and graphics cards may differ by one level: processors scale in integers.
    """
    if tuple(frames.shape[-2:]) == size:
        return frames
    # On a CPU, bytes in channels-last order are scaled many times faster than anything else.
    picture = frames.contiguous(memory_format=torch.channels_last)
    if frames.device.type != "cpu":
        picture = picture.float()
    scaled = F.interpolate(picture, size, mode=mode, antialias=True, align_corners=False)
    return scaled if scaled.dtype == torch.uint8 else scaled.round_().clamp_(0, 255).to(torch.uint8)
