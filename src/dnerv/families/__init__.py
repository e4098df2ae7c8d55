"""The networks: D-NeRV and its baseline NeRV, in the boxes of the paper's figures.

Needs torch and numpy alone, so that a network can be trained or decoded where nothing else is installed.
"""

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
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

__getattr__ = imports_on_use(
    __name__,
    {
        "PUBLISHED": "presets",
        "ClipInputs": "inputs",
        "ClipRequest": "inputs",
        "Components": "components",
        "DNeRV": "dnerv",
        "DNeRVConfig": "config",
        "ModelConfig": "config",
        "Motion": "dnerv",
        "NeRV": "nerv",
        "NeRVConfig": "config",
        "PublishedModel": "presets",
        "absolute_time": "inputs",
        "assemble": "inputs",
        "build_model": "presets",
        "channels_first": "inputs",
        "compact_dnerv": "compact",
        "compact_nerv": "compact",
        "config_from_json": "config",
        "config_to_json": "config",
        "count_parameters": "presets",
        "load_published": "published",
        "load_published_state": "published",
        "model_from_weights": "presets",
        "multiply_adds": "presets",
        "scaled_dnerv": "compact",
        "tensor_shapes": "presets",
    },
)
