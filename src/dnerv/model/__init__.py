"""The networks: D-NeRV and its baseline NeRV, in the boxes of the paper's figures.

Needs torch and numpy alone, so that a network can be trained or decoded where nothing else is installed.
"""

from dnerv.model.compact import compact_dnerv, compact_nerv, scaled_dnerv
from dnerv.model.components import Components
from dnerv.model.config import DNeRVConfig, ModelConfig, NeRVConfig, config_from_json, config_to_json
from dnerv.model.dnerv import DNeRV, Motion
from dnerv.model.inputs import ClipInputs, ClipRequest, absolute_time, assemble, channels_first
from dnerv.model.nerv import NeRV
from dnerv.model.presets import (
    PUBLISHED,
    PublishedModel,
    build_model,
    count_parameters,
    model_from_weights,
    multiply_adds,
    tensor_shapes,
)
from dnerv.model.published import load_published, load_published_state

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
