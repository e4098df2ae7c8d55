"""Load the D-NeRV authors' checkpoints into these modules.

The names and shapes of their files are facts of the format (see the tables in the package's documentation); only the
weights are read: `torch.load(weights_only=True)` runs no code from the file.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from dnerv.errors import InputError
from dnerv.families.config import ModelConfig
from dnerv.families.table import build_model, family_of

_NOT_WEIGHTS = ("wk_list.", "dataset_mean", "dataset_std")


def load_published(path: str | Path, config: ModelConfig) -> nn.Module:
    """Build the configuration's network with the weights of one of the authors' checkpoints.

    Raises:
        InputError: the file cannot be read as weights, or does not hold this configuration's network.
    """
    try:
        checkpoint = torch.load(path, map_location="cpu", weights_only=True)
    except Exception as error:  # whatever the unpickler meets, the user's answer is the same
        reason = next(iter(str(error).splitlines()), type(error).__name__)
        raise InputError(f"{path} is not a checkpoint of weights alone: {reason}") from None
    if not isinstance(checkpoint, Mapping):
        raise InputError(f"{path} holds a {type(checkpoint).__name__}, not a dictionary with a state_dict")
    model = build_model(config)
    load_published_state(model, checkpoint.get("state_dict", checkpoint), config)
    return model


def load_published_state(model: nn.Module, state: Any, config: ModelConfig) -> None:
    """Copy an authors' `state_dict` (keys may carry `module.`) into `model`.

    Raises:
        InputError: a tensor is missing, left over, or of another shape.
    """
    if not isinstance(state, Mapping):
        raise InputError("the checkpoint has no state_dict")
    weights = dict(model.named_parameters())
    renamed = {_our_name(str(key), config): value for key, value in state.items() if not _is_constant(str(key))}
    missing, left_over = sorted(weights.keys() - renamed.keys()), sorted(renamed.keys() - weights.keys())
    if missing or left_over:
        raise InputError(
            f"the checkpoint does not hold this network: missing {missing[:3] or 'nothing'}, "
            f"left over {left_over[:3] or 'nothing'}"
        )
    with torch.no_grad():
        for name, value in renamed.items():
            weights[name].copy_(_reshaped(name, value, weights[name]))


def _is_constant(key: str) -> bool:
    return key.removeprefix("module.").startswith(_NOT_WEIGHTS)


def _our_name(key: str, config: ModelConfig) -> str:
    key = key.removeprefix("module.")
    for pattern, ours in family_of(config).weight_names:
        name, count = re.subn(f"^{pattern}", ours, key)
        if count:
            return name
    return key


def _reshaped(name: str, value: Any, target: Tensor) -> Tensor:
    """Drop the axes of length one by which a 3-D or grouped kernel differs from its 2-D form."""
    if not isinstance(value, Tensor):
        raise InputError(f"the checkpoint's {name} is not a tensor")

    def without_ones(shape: torch.Size) -> list[int]:
        return [n for n in shape if n != 1]

    if without_ones(value.shape) != without_ones(target.shape):
        raise InputError(f"the checkpoint's {name} has shape {tuple(value.shape)}, not {tuple(target.shape)}")
    return value.reshape(target.shape)
