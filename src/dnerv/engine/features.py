"""What the decoder needs of keyframes, made once per keyframe however many clips use it."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor


@dataclass(frozen=True)
class Features:
    """Of M keyframes."""

    coarsest: Tensor  # [M, E, rows, columns]
    maps: tuple[Tensor, ...]  # per stage [M, h, w, k]: projected to (1 + gamma, beta), or with `contrast` as they are
    colours: Tensor  # float32 [M, 3, H, W], RGB in [0, 1]

    @classmethod
    def join(cls, parts: Sequence[Features]) -> Features:
        """Those of all `parts`, in order."""
        if len(parts) == 1:
            return parts[0]
        return cls(
            torch.cat([part.coarsest for part in parts]),
            tuple(torch.cat(maps) for maps in zip(*(part.maps for part in parts), strict=True)),
            torch.cat([part.colours for part in parts]),
        )
