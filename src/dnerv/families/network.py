"""What every family's network is to those who run one."""

from __future__ import annotations

from abc import abstractmethod
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnerv.families.inputs import ClipInputs


@dataclass(frozen=True)
class Motion:
    """Flow of one scale, and the blend of what it fetches."""

    to_start: Tensor  # [N, 2, H, W], (dx, dy) in pixels of the scale, to the keyframe before
    to_end: Tensor  # [N, 2, H, W], to the keyframe after
    weight: Tensor  # [N, 1, H, W] or [N, 1, 1, 1], share of the keyframe after

    def enlarged(self, stride: int) -> Motion:
        """The same motion at a scale `stride` times finer, in its pixels."""
        if stride == 1:
            return self
        is_map = self.weight.shape[-1] > 1
        maps = (stride * self.to_start, stride * self.to_end, *((self.weight,) if is_map else ()))
        finer = F.interpolate(torch.cat(maps, dim=1), scale_factor=stride, mode="bilinear", align_corners=False)
        return Motion(finer[:, :2], finer[:, 2:4], finer[:, 4:] if is_map else self.weight)


class Network(nn.Module):
    """Clips in, frames out. `config` is the family's configuration that it was built from."""

    config: Any

    prior = (
        ""  # name of weights that this network's own are added to, and that archives do not hold; empty: there are none
    )

    def completed(self, weights: Mapping[str, Tensor]) -> Network:
        """The network that decodes, once the `prior`'s weights are known: float32, by name. Raises ArchiveError."""
        raise NotImplementedError(f"{type(self).__name__} names no prior")

    @abstractmethod
    def forward(self, inputs: ClipInputs) -> Tensor:
        """-> float [B, T, 3, H, W], RGB in [0, 1]."""

    def motion(self, inputs: ClipInputs) -> Motion | None:
        """How the N = B * T frames move their keyframes, at full resolution; None where nothing is moved."""
        return None
