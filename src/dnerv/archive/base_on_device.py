"""Frames of base layers made on an accelerator: coded frames go over as samples, RGB and blends are made there.

    CodedSamples of some videos ── pinned ── device ── RGB of all coded frames at once ── blends ── frames of each video

To the bit what `BaseReader.frames` makes on the processor: integers, and blends in float32, rounded at each step.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import accumulate

import numpy as np
import torch
from torch import Tensor

from dnerv.archive.base_layer import CodedSamples
from dnerv.archive.config import PlaneFormat
from dnerv.codecs import Planes, picture_size
from dnerv.codecs.colour_on_device import rgb_of
from dnerv.codecs.colour_tables import is_exact
from dnerv.codecs.frame_header import chroma_sample_position


def is_made_alike(format: PlaneFormat) -> bool:
    """Whether frames of this format are the processor's when they are made here."""
    return is_exact(format.planes, chroma_sample_position(format.header))


class SamplesToSend:
    """Coded frames on their way to a device."""

    def __init__(self, coded: CodedSamples, device: torch.device) -> None:
        """In pinned memory where the device is another: a copy then does not wait for what the device is doing."""
        samples = torch.from_numpy(coded.samples)
        self.samples = samples if device.type == "cpu" else samples.pin_memory()  # uint8 or int16 [m, S]
        self.coded = coded


def frames_on(
    device: torch.device, parts: Sequence[SamplesToSend], planes: Planes, size: tuple[int, int]
) -> list[Tensor]:
    """uint8 [n, 3, H, W] RGB of each part on the device.

    Args:
        parts: at least one, of videos whose formats have these `planes` and are made alike.
        size: H, W of their frames, in pixels.
    """
    coded = [part.coded for part in parts]
    first = list(accumulate((len(each.samples) for each in coded), initial=0))
    starts, ends = (
        torch.from_numpy(np.concatenate([rows + at for rows, at in zip(column, first, strict=False)]))
        for column in ([each.starts for each in coded], [each.ends for each in coded])
    )
    shares = torch.from_numpy(np.concatenate([each.shares for each in coded]))
    sent = [part.samples.to(device, non_blocking=True) for part in parts]
    rgb = rgb_of(torch.cat(sent) if len(sent) > 1 else sent[0], planes, *picture_size(*size))
    rgb = rgb[..., : size[0], : size[1]]
    frames = rgb[starts.to(device, non_blocking=True)]
    mixed = shares.nonzero().flatten()
    if len(mixed):
        weights = shares[mixed].view(-1, 1, 1, 1).to(device, non_blocking=True)
        after = rgb[ends[mixed].to(device, non_blocking=True)] * weights
        rows = mixed.to(device, non_blocking=True)
        frames[rows] = (frames[rows] * (1 - weights)).add_(after).round_().to(torch.uint8)
    ends_at = list(accumulate(len(each.shares) for each in coded))
    return list(frames.tensor_split(ends_at[:-1]))
