"""What the network is given for a batch of clips."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, fields

import numpy as np
import torch
from torch import Tensor

from dnerv.video import Conditioning


@dataclass(frozen=True)
class ClipInputs:
    """B clips of T frames that draw on M distinct keyframes.

    A keyframe stands in `keyframes` once, however many frames or clips use it, so that it is encoded once.
    """

    time: Tensor  # float32 [B, T], position in the video, [0, 1]
    keyframes: Tensor  # float32 [M, 3, H, W], RGB in [0, 1]; M = 0 for a network without keyframes
    start: Tensor  # int64 [B, T], row of `keyframes` at or before each frame
    end: Tensor  # int64 [B, T], row of the next keyframe
    distance: Tensor  # float32 [B, T], 0 at the start keyframe, 1 at the end one
    entry: Tensor  # float32 [B, T], weight of the end keyframe in the features that enter the decoder
    coding: Tensor  # float32 [B, 2], of each clip's video: crf of its keyframes, and frames from one to the next

    def to(self, device: torch.device | str) -> ClipInputs:
        """The same inputs on another device."""
        return ClipInputs(*(getattr(self, field.name).to(device, non_blocking=True) for field in fields(self)))


@dataclass(frozen=True)
class ClipRequest:
    """One clip to be made: T frames of one video (of one tile of it), and the keyframes that they need."""

    conditioning: Conditioning  # arrays [T]; keyframes by ordinal in their video
    first_keyframe: int  # ordinal of the first row of `keyframes`
    keyframes: Tensor  # uint8 [m, 3, H, W], consecutive keyframes of the video
    coding: tuple[float, int]  # of the video: crf of its keyframes, and frames from one to the next; 0, 0 without any


def assemble(requests: Sequence[ClipRequest], *, with_keyframes: bool = True) -> ClipInputs:
    """Stack clips into one batch; each keyframe is kept once per clip.

    Without keyframes they are counted and their pixels left out: for decoders that are given features.
    """
    rows = np.cumsum([0] + [len(r.keyframes) for r in requests])
    shifts = [row - r.first_keyframe for row, r in zip(rows, requests, strict=False)]
    keyframes = torch.cat([r.keyframes if with_keyframes else r.keyframes[:0] for r in requests])
    return ClipInputs(
        time=_stack([r.conditioning.time for r in requests]),
        keyframes=(keyframes.float() / 255).contiguous(memory_format=torch.channels_last),
        start=_stack([r.conditioning.start + s for r, s in zip(requests, shifts, strict=True)]),
        end=_stack([r.conditioning.end + s for r, s in zip(requests, shifts, strict=True)]),
        distance=_stack([r.conditioning.distance for r in requests]),
        entry=_stack([r.conditioning.blend_at_entry for r in requests]),
        coding=torch.tensor([r.coding for r in requests], dtype=torch.float32),
    )


def channels_first(frames: np.ndarray) -> Tensor:
    """Frames [..., H, W, 3] as decoders give them, as [..., 3, H, W] on the same memory."""
    return torch.from_numpy(frames).movedim(-1, -3)


def absolute_time(positions: np.ndarray, total_frames: int) -> np.ndarray:
    """NeRV's time: position in the concatenation of all videos over the total, float32 in [0, 1)."""
    return (positions / total_frames).astype(np.float32)


def _stack(arrays: Sequence[np.ndarray]) -> Tensor:
    return torch.from_numpy(np.stack(arrays))
