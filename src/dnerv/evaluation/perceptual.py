"""ST-LPIPS (Ghildyal and Liu, ECCV 2022): a learned distance between pictures that forgives small shifts.

    frame ─ scaled ─ AlexNet of stride-1 convolutions and blurred pooling ─ five feature maps, unit length per pixel ┐
    decoded ─ the same ──────────────────────────────────────────────────────────────────────────────────────────────┤
                                      squared differences, weighted per channel, mean over pixels, summed over maps ─┘

The weights come with the package `stlpips-pytorch`, which is read, not imported: it wants packages that are not needed
here (`pip install --no-deps stlpips-pytorch`). The network is written after its paper and those weights' names.
"""

from __future__ import annotations

from collections.abc import Iterable
from functools import cache
from pathlib import Path

import torch
from torch import Tensor
from torch.nn import functional as F

from dnerv.codecs import Frame
from dnerv.errors import InputError
from dnerv.evaluation.packages import packaged_file
from dnerv.families import channels_first

NAME = "ST-LPIPS (AlexNet)"
_PACKAGE, _WEIGHTS = "stlpips_pytorch", "weights/vST0.0/alex_shift_tolerant.pth"
_LAYERS = ("slice1.0", "slice2.5", "slice3.9", "slice4.11", "slice5.13")  # the convolutions, by their weights' names
_PADDING = (2, 2, 1, 1, 1)
_BINOMIAL = (1.0, 2.0, 1.0)  # taps of the blur before each halving
_SMALLEST_SIDE = 32  # pixels: reflection at the borders needs as much


def check_perceptual() -> None:
    """Raise InputError where the weights are not installed."""
    _weights_path()


def perceptual_distance(frames: Iterable[Frame], decoded: Iterable[Frame]) -> float:
    """Mean over the frames of one video, from 0; less is better.

    Args:
        frames, decoded: uint8 [H, W, 3] RGB, as many and as large, sides of 32 pixels at least.

    Raises:
        InputError: the weights are not installed, frames are smaller, or their numbers or sizes differ.
    """
    weights, distances = _weights(), []
    try:
        for pair in zip(frames, decoded, strict=True):
            original, made = (channels_first(side)[None] for side in pair)
            if original.shape != made.shape or min(original.shape[2:]) < _SMALLEST_SIDE:
                raise InputError(f"{NAME} compares frames of one size, 32 pixels a side at least")
            distances.append(st_lpips(original, made, weights).item())
    except ValueError:
        raise InputError(f"{NAME} compares videos of as many frames") from None
    if not distances:
        raise InputError(f"{NAME} needs a frame at least")
    return sum(distances) / len(distances)


@torch.inference_mode()
def st_lpips(original: Tensor, made: Tensor, weights: dict[str, Tensor]) -> Tensor:
    """uint8 [N, 3, H, W] twice -> distances, float32 [N]. `weights`: as in the package's file."""
    total = torch.zeros(len(original))
    for place, pair in enumerate(zip(_features(original, weights), _features(made, weights), strict=True)):
        first, second = (F.normalize(maps, dim=1, eps=1e-10) for maps in pair)
        weighted = F.conv2d((first - second) ** 2, weights[f"lin{place}.model.1.weight"])
        total += weighted.mean(dim=(1, 2, 3))
    return total


def _features(frames: Tensor, weights: dict[str, Tensor]) -> list[Tensor]:
    x = frames.float() / 127.5 - 1
    x = (x - weights["scaling_layer.shift"]) / weights["scaling_layer.scale"]
    maps: list[Tensor] = []
    for place, (name, padding) in enumerate(zip(_LAYERS, _PADDING, strict=True)):
        if place in (1, 2):
            x = _halved(F.max_pool2d(x, 3, stride=1))
        x = F.conv2d(x, weights[f"net.{name}.weight"], weights[f"net.{name}.bias"], padding=padding)
        x = F.relu(_halved(x) if place == 0 else x)
        maps.append(x)
    return maps


def _halved(x: Tensor) -> Tensor:
    """Blurred, then every second pixel, borders reflected."""
    taps = torch.tensor(_BINOMIAL) / sum(_BINOMIAL)
    kernel = (taps[:, None] * taps).expand(x.shape[1], 1, 3, 3)
    return F.conv2d(F.pad(x, (2, 2, 2, 2), mode="reflect"), kernel, stride=2, groups=x.shape[1])


def _weights_path() -> Path:
    path = packaged_file(_PACKAGE, _WEIGHTS)
    if path is None:
        raise InputError(f"{NAME} needs its weights: pip install --no-deps stlpips-pytorch, or leave --perceptual out")
    return path


@cache
def _weights() -> dict[str, Tensor]:
    loaded: dict[str, Tensor] = torch.load(_weights_path(), map_location="cpu", weights_only=True)
    return loaded
