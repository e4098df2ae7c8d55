"""Networks of every kind that the fused path serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace

import pytest
import torch

from dnerv.families import DNeRV, DNeRVConfig, compact_dnerv

VARIANTS: dict[str, dict[str, object]] = {
    "paper": {},
    "keyframes inside clips": {"keyframe_every": 2},
    "a keyframe per frame": {"keyframe_every": 1},
    "one frame a clip": {"clip_length": 1},
    "no flow": {"flow": "none"},
    "no GTMLP": {"temporal": "none"},
    "wide GTMLP": {"base_channels": 70},
    "temporal convolution": {"temporal": "convolution", "temporal_kernel": 3},
    "temporal convolution longer than the clip": {"temporal": "convolution", "temporal_kernel": 11},
    "wide temporal convolution": {"temporal": "convolution", "base_channels": 70},
    "refined flow": {"refined_flow": True},
    "contrast": {"contrast": True},
    "residual head": {"head": "residual"},
    "adaptive blend": {"adaptive_blend": True, "head": "residual"},
    "half resolution": {"output_stride": 2},
    "half resolution without flow": {"output_stride": 2, "flow": "none", "contrast": True},
    "strides of 3 and 1": {"grid": (1, 2), "strides": (3, 1)},
    "one pixel": {"grid": (1, 1), "strides": (1,)},
}


@pytest.fixture
def make_model(small: Callable[..., DNeRVConfig]) -> Callable[[str], DNeRV]:
    """A network by the name of its variant, no weight of it zero."""

    def make(variant: str) -> DNeRV:
        if variant == "compact":
            config = compact_dnerv(4, (64, 80), clip_length=8, keyframe_every=2)
        else:
            config = replace(small(), **VARIANTS[variant])  # type: ignore[arg-type]
        torch.manual_seed(3)
        model = DNeRV(config)
        with torch.no_grad():
            for parameter in model.parameters():
                if not parameter.any():
                    parameter.normal_(std=0.05)
        return model

    return make


@pytest.fixture(params=[*VARIANTS, "compact"])
def model(request: pytest.FixtureRequest, make_model: Callable[[str], DNeRV]) -> DNeRV:
    """Each of them."""
    return make_model(request.param)
