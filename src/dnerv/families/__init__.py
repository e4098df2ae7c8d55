"""The networks by family: D-NeRV and its baseline NeRV, in the boxes of the paper's figures, behind one interface.

Needs torch and numpy alone, so that a network can be trained or decoded where nothing else is installed.
"""

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.families.checkpoints import load_published, load_published_state
    from dnerv.families.config import ModelConfig
    from dnerv.families.dnerv import Components, DNeRV, DNeRVConfig, compact_dnerv, scaled_dnerv
    from dnerv.families.family import Family, PublishedModel, Sizing
    from dnerv.families.inputs import ClipInputs, ClipRequest, absolute_time, assemble, channels_first
    from dnerv.families.nerv import NeRV, NeRVConfig, compact_nerv
    from dnerv.families.network import Motion, Network
    from dnerv.families.registry import FAMILIES, register
    from dnerv.families.table import (
        PUBLISHED,
        build_model,
        config_from_json,
        config_to_json,
        count_parameters,
        family_of,
        model_from_weights,
        multiply_adds,
        tensor_shapes,
    )

__all__ = [
    "FAMILIES",
    "PUBLISHED",
    "ClipInputs",
    "ClipRequest",
    "Components",
    "DNeRV",
    "DNeRVConfig",
    "Family",
    "ModelConfig",
    "Motion",
    "NeRV",
    "NeRVConfig",
    "Network",
    "PublishedModel",
    "Sizing",
    "absolute_time",
    "assemble",
    "build_model",
    "channels_first",
    "compact_dnerv",
    "compact_nerv",
    "config_from_json",
    "config_to_json",
    "count_parameters",
    "family_of",
    "load_published",
    "load_published_state",
    "model_from_weights",
    "multiply_adds",
    "register",
    "scaled_dnerv",
    "tensor_shapes",
]

__getattr__ = imports_on_use(
    __name__,
    {
        "FAMILIES": "registry",
        "PUBLISHED": "table",
        "ClipInputs": "inputs",
        "ClipRequest": "inputs",
        "Components": "dnerv",
        "DNeRV": "dnerv",
        "DNeRVConfig": "dnerv",
        "Family": "family",
        "ModelConfig": "config",
        "Motion": "network",
        "NeRV": "nerv",
        "NeRVConfig": "nerv",
        "Network": "network",
        "PublishedModel": "family",
        "Sizing": "family",
        "absolute_time": "inputs",
        "assemble": "inputs",
        "build_model": "table",
        "channels_first": "inputs",
        "compact_dnerv": "dnerv",
        "compact_nerv": "nerv",
        "config_from_json": "table",
        "config_to_json": "table",
        "count_parameters": "table",
        "family_of": "table",
        "load_published": "checkpoints",
        "load_published_state": "checkpoints",
        "model_from_weights": "table",
        "multiply_adds": "table",
        "register": "registry",
        "scaled_dnerv": "dnerv",
        "tensor_shapes": "table",
    },
)
