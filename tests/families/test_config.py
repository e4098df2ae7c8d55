"""Records of networks: small, exact, and bounded when they come from a stranger."""

import json
from dataclasses import fields, replace
from typing import Any

import pytest
import torch

from dnerv.errors import ArchiveError
from dnerv.families import (
    PUBLISHED,
    ClipRequest,
    DNeRVConfig,
    ModelConfig,
    NeRVConfig,
    assemble,
    build_model,
    compact_dnerv,
    compact_nerv,
    config_from_json,
    config_to_json,
)
from dnerv.video import Timeline

CONFIGS = [
    DNeRVConfig(7),
    NeRVConfig(7),
    DNeRVConfig(3, (1, 2), (2, 3), 5, 2, head="residual", contrast=True, encoding_base=2.0, encoding_levels=9),
    DNeRVConfig(3, fusion="none", flow="none", temporal="none"),
    DNeRVConfig(3, fusion="concatenation", flow="single-scale", temporal="convolution", temporal_kernel=7),
    DNeRVConfig(3, temporal="attention"),
    compact_dnerv(4, (32, 32), clip_length=8, keyframe_every=4, mean=(0.1, 0.2, 0.3)),
    compact_nerv(4, (64, 32), clip_length=8),
    *(published.config for published in PUBLISHED.values()),
]


@pytest.mark.parametrize("config", CONFIGS)
def test_round_trip(config: ModelConfig) -> None:
    assert config_from_json(json.loads(json.dumps(config_to_json(config)))) == config


@pytest.mark.parametrize("config", [DNeRVConfig(7), NeRVConfig(7)])
def test_every_field_is_written_and_asked_for(config: ModelConfig) -> None:
    record = json.loads(json.dumps(config_to_json(config)))
    assert set(record) == {"family"} | {field.name for field in fields(config)}
    for name in record:
        with pytest.raises(ArchiveError, match=r"no field|no known family"):
            config_from_json({key: value for key, value in record.items() if key != name})


def test_widths_and_canvas() -> None:
    config = DNeRVConfig(107)
    assert config.canvas == (256, 320)
    assert config.entry_channels == 171
    assert config.stage_channels == (214, 107, 54, 32, 32)  # 53.5 rounds to even
    assert replace(config, fusion="none", flow="none").entry_channels == 107


HOSTILE: list[Any] = [
    None,
    [],
    {},
    {"family": "gpt", "base_channels": 4},
    {"family": ["dnerv"], "base_channels": 4},
    {"family": {}, "base_channels": 4},
    {"family": "dnerv", "base_channels": "4"},
    {"family": "dnerv", "base_channels": 4.0},
    {"family": "dnerv", "base_channels": True},
    {"family": "dnerv", "base_channels": 0},
    {"family": "dnerv", "base_channels": -1},
    {"family": "dnerv", "base_channels": 10**9},
    {"family": "dnerv", "base_channels": 4, "colour": 1},
    {"family": "nerv", "base_channels": 4, "fusion": "adaptive"},
    {"family": "dnerv", "base_channels": 4, "grid": [4]},
    {"family": "dnerv", "base_channels": 4, "grid": [4, 4, 4]},
    {"family": "dnerv", "base_channels": 4, "grid": [0, 4]},
    {"family": "dnerv", "base_channels": 4, "grid": [1024, 1024], "strides": [8, 8]},
    {"family": "dnerv", "base_channels": 4, "grid": "45"},
    {"family": "dnerv", "base_channels": 4, "strides": []},
    {"family": "dnerv", "base_channels": 4, "strides": [1] * 9},
    {"family": "dnerv", "base_channels": 4, "strides": [2, 0]},
    {"family": "dnerv", "base_channels": 4, "strides": [2, 99]},
    {"family": "dnerv", "base_channels": 4, "clip_length": 0},
    {"family": "dnerv", "base_channels": 4, "clip_length": 10**6},
    {"family": "dnerv", "base_channels": 4, "keyframe_every": 0},
    {"family": "dnerv", "base_channels": 4, "encoder_channels": 10**7},
    {"family": "dnerv", "base_channels": 4, "min_channels": 10**7},
    {"family": "dnerv", "base_channels": 4, "min_hidden": 0},
    {"family": "dnerv", "base_channels": 4, "output_stride": 0},
    {"family": "dnerv", "base_channels": 4, "output_stride": 10**6},
    {"family": "dnerv", "base_channels": 4, "grid": [512, 5], "strides": [8], "output_stride": 4},
    {"family": "dnerv", "base_channels": 4, "stem_channels": 0},
    {"family": "dnerv", "base_channels": 4, "encoding_levels": 10**6},
    {"family": "dnerv", "base_channels": 4, "encoding_base": 1e300},
    {"family": "dnerv", "base_channels": 4, "encoding_base": 10**400},
    {"family": "dnerv", "base_channels": 4, "encoding_base": 2.0, "encoding_levels": 240},
    {"family": "dnerv", "base_channels": 4, "encoding_base": 0},
    {"family": "dnerv", "base_channels": 4, "encoding_base": -1.25},
    {"family": "dnerv", "base_channels": 4, "encoding_base": None},
    {"family": "nerv", "base_channels": 4, "encoding_base": 1e300},
    {"family": "dnerv", "base_channels": 4, "mean": [0.5, 0.5]},
    {"family": "dnerv", "base_channels": 4, "mean": [0.5, 0.5, "x"]},
    {"family": "dnerv", "base_channels": 4, "mean": [0.5, 0.5, 1e308]},
    {"family": "dnerv", "base_channels": 4, "mean": [0.5, 0.5, 10**400]},
    {"family": "dnerv", "base_channels": 4, "std": [0.2, 0.2, 0]},
    {"family": "dnerv", "base_channels": 4, "std": [0.2, 0.2, -1]},
    {"family": "dnerv", "base_channels": 4, "head": "unet"},
    {"family": "dnerv", "base_channels": 4, "head": ["paper"]},
    {"family": "dnerv", "base_channels": 4, "fusion": 1},
    {"family": "dnerv", "base_channels": 4, "fusion": 1},
    {"family": "dnerv", "base_channels": 4, "fusion": "unet"},
    {"family": "dnerv", "base_channels": 4, "fusion": "none"},
    {"family": "dnerv", "base_channels": 4, "fusion": "none", "flow": "none", "head": "residual"},
    {"family": "dnerv", "base_channels": 4, "fusion": "none", "flow": "none", "contrast": True},
    {"family": "dnerv", "base_channels": 4, "temporal": "recurrent"},
    {"family": "dnerv", "base_channels": 4, "temporal_kernel": 4},
    {"family": "dnerv", "base_channels": 4, "temporal_kernel": 0},
    {"family": "dnerv", "base_channels": 4, "temporal_kernel": 257},
    {"family": "dnerv", "base_channels": 4, "flow": "optical"},
    {"family": "dnerv", "base_channels": 4, "grid": [10, 12], "strides": [8], "clip_length": 17, "min_hidden": 4096},
    {"family": "dnerv", "base_channels": 4, "grid": [1024, 1024], "strides": [8]},
    {"family": "dnerv", "base_channels": 64, "grid": [1, 1], "strides": [1], "clip_length": 256, "encoder_channels": 1}
    | {"grid": [512, 512]},
    {"family": "nerv", "base_channels": 4, "grid": [512, 512], "strides": [8], "clip_length": 64},
    {"family": "dnerv", "base_channels": 4, "flow": "none", "adaptive_blend": True},
    {"family": "dnerv", "base_channels": 4, "flow": "none", "refined_flow": True},
    {"family": "dnerv", "base_channels": 4, "flow": "single-scale", "refined_flow": True},
]


@pytest.mark.parametrize("record", HOSTILE, ids=lambda record: str(record)[:60])
def test_hostile_records(record: Any) -> None:
    """What is wrong stands in a record that is whole but for it."""
    whole = {"dnerv": DNeRVConfig(4), "nerv": NeRVConfig(4)}
    if isinstance(record, dict) and isinstance(record.get("family"), str) and record["family"] in whole:
        record = json.loads(json.dumps(config_to_json(whole[record["family"]]))) | record
    with pytest.raises(ArchiveError):
        config_from_json(record)


@pytest.mark.parametrize(
    "config",
    [
        DNeRVConfig(3, (2, 3), (4, 2), 5, 2, min_channels=6, encoder_channels=4, stem_channels=5, encoding_levels=6),
        NeRVConfig(3, (2, 3), (4, 2), 5, min_channels=6, stem_channels=5, encoding_levels=6),
        compact_dnerv(4, (32, 32), clip_length=4, keyframe_every=4),
    ],
)
def test_the_largest_tensor_is_no_smaller_than_what_is_made(config: ModelConfig) -> None:
    """Held to a pass through the plain modules."""
    sizes: list[int] = []
    model = build_model(config)
    for module in model.modules():
        module.register_forward_hook(lambda _, __, made: sizes.append(made.numel() if torch.is_tensor(made) else 0))
    timeline = Timeline(20, config.clip_length, config.keyframe_every)
    frames = torch.zeros(config.clip_length, 3, *config.canvas, dtype=torch.uint8)
    with torch.no_grad():
        model(assemble([ClipRequest(timeline.clip_conditioning(0), 0, frames, (40.0, timeline.keyframe_every))]))
    assert max(sizes) <= config.largest_tensor <= 4 * max(sizes)
