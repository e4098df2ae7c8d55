"""The networks: D-NeRV and its baseline NeRV, in the boxes of the paper's figures.

Needs torch and numpy alone, so that a network can be trained or decoded where nothing else is installed.
"""

from dnerv.families.compact import compact_dnerv, compact_nerv, scaled_dnerv
from dnerv.families.components import Components
from dnerv.families.config import DNeRVConfig, ModelConfig, NeRVConfig, config_from_json, config_to_json
from dnerv.families.dnerv import DNeRV, Motion
from dnerv.families.inputs import ClipInputs, ClipRequest, absolute_time, assemble, channels_first
from dnerv.families.nerv import NeRV
from dnerv.families.presets import (
    PUBLISHED,
    PublishedModel,
    build_model,
    count_parameters,
    model_from_weights,
    multiply_adds,
    tensor_shapes,
)
from dnerv.families.published import load_published, load_published_state

__all__ = [
    "PUBLISHED",
    "ClipInputs",
    "ClipRequest",
    "Components",
    "DNeRV",
    "DNeRVConfig",
    "ModelConfig",
    "Motion",
    "NeRV",
    "NeRVConfig",
    "PublishedModel",
    "absolute_time",
    "assemble",
    "build_model",
    "channels_first",
    "compact_dnerv",
    "compact_nerv",
    "config_from_json",
    "config_to_json",
    "count_parameters",
    "load_published",
    "load_published_state",
    "model_from_weights",
    "multiply_adds",
    "scaled_dnerv",
    "tensor_shapes",
]
