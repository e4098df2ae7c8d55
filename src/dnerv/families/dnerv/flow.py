"""Task-oriented flow: predicted at every scale, with no ground truth but the frames (D-NeRV section 3.3)."""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F


class PointwiseThenSpatial(nn.Sequential):
    """1x1 convolution to a quarter of the channels, GELU, 3x3 convolution: the form of all of the paper's heads."""

    def __init__(self, in_channels: int, out_channels: int, min_hidden: int) -> None:
        hidden = max(in_channels // 4, min_hidden)
        super().__init__(nn.Conv2d(in_channels, hidden, 1), nn.GELU(), nn.Conv2d(hidden, out_channels, 3, padding=1))

    def zero_output(self) -> None:
        """Make the head answer zero everywhere, so that training starts from what its answer is added to."""
        last = self[2]
        assert isinstance(last, nn.Conv2d)
        assert last.bias is not None
        nn.init.zeros_(last.weight)
        nn.init.zeros_(last.bias)


def warp(features: Tensor, flow: Tensor) -> Tensor:
    """Sample features where the flow points: bilinear, borders repeated.

    Args:
        features: [N, C, H, W].
        flow: [N, 2, H, W], (dx, dy) in pixels of this scale.

    Returns:
        [N, C, H, W] in the dtype of `features`. Coordinates are float32 always: half precision cannot place a pixel.
    """
    rows, columns = flow.shape[-2:]
    with torch.autocast(flow.device.type, enabled=False):
        x = torch.arange(columns, device=flow.device, dtype=torch.float32)
        y = torch.arange(rows, device=flow.device, dtype=torch.float32)
        dx, dy = flow.float().unbind(1)  # (N, H, W) each
        grid = torch.stack(
            (2 * (dx + x) / max(columns - 1, 1) - 1, 2 * (dy + y[:, None]) / max(rows - 1, 1) - 1), dim=-1
        )
        sampled = F.grid_sample(features.float(), grid, padding_mode="border", align_corners=True)
    return sampled.to(features.dtype)
