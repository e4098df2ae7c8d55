"""Activations as rows of channels, frame by frame or with the frames of a clip side by side at each pixel."""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

from dnerv.engine.warping import Grid
from dnerv.families import ClipInputs


@dataclass(frozen=True)
class Planes:
    """Flow of one scale, frame by frame."""

    flow: Tensor  # float32 [4, N, h, w]: dx, dy to the keyframe before, then to the one after, pixels
    share: Tensor  # float32 [N, h, w] or [N, 1, 1], of the keyframe after

    def enlarged(self, stride: int) -> Planes:
        """The same motion at a scale `stride` times finer, in its pixels."""
        if stride == 1:
            return self
        flow = stride * _finer(self.flow, stride)
        return Planes(flow, self.share if self.share.shape[-1] == 1 else _finer(self.share[None], stride)[0])


@dataclass(frozen=True)
class Rows:
    """One scale's features; N = B * T frames."""

    values: Tensor  # [N, h, w, C], or woven [B, h, w, T, C]
    length: int  # T
    is_woven: bool

    @property
    def frame_shape(self) -> tuple[int, int, int]:
        """N, h, w."""
        clips, height, width = self.values.shape[:3]
        return clips * self.length if self.is_woven else clips, height, width

    def weave(self, planes: Tensor) -> Tensor:
        """Planes [k, N, h, w] in the order of the rows, without a copy; sides of length 1 stay."""
        if not self.is_woven:
            return planes
        return torch.unflatten(planes, 1, (-1, self.length)).permute(0, 1, 3, 4, 2)

    def unwoven(self, values: Tensor) -> Tensor:
        """Something of the shape of `values` but for its channels, frame by frame: [N, h, w, k]."""
        return self._by_frame(values).reshape(*self.frame_shape, -1) if self.is_woven else values

    def modulated(self, scale: Tensor, shift: Tensor) -> Tensor:
        """`values * scale + shift`, frame by frame: [N, h, w, C]."""
        if not self.is_woven:
            return torch.addcmul(shift, self.values, scale)
        if torch.is_grad_enabled():
            return self.unwoven(torch.addcmul(shift, self.values, scale))
        parts = [self._by_frame(part) for part in (shift, self.values, scale)]
        made = torch.empty(parts[0].shape, dtype=self.values.dtype, device=self.values.device)
        return torch.addcmul(*parts, out=made).flatten(0, 1)

    def grid(self, inputs: ClipInputs) -> Grid:
        """The pixels of this scale, in the order of the rows."""
        _, height, width = self.frame_shape
        device = self.values.device
        x = torch.arange(width, device=device, dtype=torch.float32)
        y = torch.arange(height, device=device, dtype=torch.float32)[:, None]
        keyframes = torch.stack((inputs.start, inputs.end)).to(torch.int32) * (height * width)
        first_rows = self.weave(keyframes.flatten(1)[:, :, None, None])
        if self.is_woven:
            x, y = x[:, None], y[..., None]
        return Grid(x, y, first_rows, height, width)

    def _by_frame(self, values: Tensor) -> Tensor:
        return values.permute(0, 3, 1, 2, 4)  # (B, T, h, w, k)


def _finer(planes: Tensor, stride: int) -> Tensor:
    return F.interpolate(planes, scale_factor=stride, mode="bilinear", align_corners=False)
