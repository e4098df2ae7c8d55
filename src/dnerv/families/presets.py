"""Named networks: the paper's, as published, and ours, sized by one number."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from math import prod
from types import MappingProxyType

import torch
from torch import Tensor, nn

from dnerv.families.config import DNeRVConfig, ModelConfig, NeRVConfig
from dnerv.families.dnerv import DNeRV
from dnerv.families.nerv import NeRV

UVG_STATISTICS = ((0.4519, 0.4505, 0.4519), (0.2434, 0.2547, 0.2958))
UCF101_STATISTICS = ((0.3986, 0.3829, 0.3546), (0.2805, 0.2747, 0.2787))


@dataclass(frozen=True)
class PublishedModel:
    """A row of the paper's size tables."""

    config: ModelConfig
    millions: float  # parameters, in millions, as published
    keyframe_quality: int | None  # of the learned image codec in the paper; None where there are no keyframes


def _dnerv(width: int, statistics: tuple[tuple[float, float, float], tuple[float, float, float]]) -> DNeRVConfig:
    return DNeRVConfig(width, mean=statistics[0], std=statistics[1])


PUBLISHED: Mapping[str, PublishedModel] = MappingProxyType(
    {
        "uvg-xs": PublishedModel(_dnerv(107, UVG_STATISTICS), 8.02, 3),
        "uvg-s": PublishedModel(_dnerv(166, UVG_STATISTICS), 15.96, 3),
        "uvg-m": PublishedModel(_dnerv(213, UVG_STATISTICS), 24.20, 4),
        "uvg-l": PublishedModel(_dnerv(291, UVG_STATISTICS), 41.66, 5),
        "uvg-xl": PublishedModel(_dnerv(382, UVG_STATISTICS), 67.95, 6),
        "ucf101-s": PublishedModel(_dnerv(198, UCF101_STATISTICS), 21.39, 3),
        "ucf101-m": PublishedModel(_dnerv(281, UCF101_STATISTICS), 39.14, 3),
        "ucf101-l": PublishedModel(_dnerv(361, UCF101_STATISTICS), 61.30, 3),
        "nerv-ucf101-s": PublishedModel(NeRVConfig(465), 87.97, None),
        "nerv-ucf101-m": PublishedModel(NeRVConfig(510), 105.29, None),
        "nerv-ucf101-l": PublishedModel(NeRVConfig(562), 127.19, None),
    }
)


def build_model(config: ModelConfig) -> nn.Module:
    """The network of a configuration, freshly initialised, on the CPU."""
    return NeRV(config) if isinstance(config, NeRVConfig) else DNeRV(config)


def model_from_weights(config: ModelConfig, weights: Mapping[str, Tensor]) -> nn.Module:
    """The network of a configuration with these float32 weights, by name; it takes them over without a copy.

    Nothing is initialised only to be overwritten, which for large networks takes longer than everything else here.
    """
    with torch.device("meta"):
        model = build_model(config)
    model.load_state_dict(weights, assign=True)
    return model


def count_parameters(config: ModelConfig) -> int:
    """Parameters of a configuration's network, without allocating them."""
    with torch.device("meta"):
        return sum(parameter.numel() for parameter in build_model(config).parameters())


def multiply_adds(config: ModelConfig) -> int:
    """Multiply-adds of the convolutions for one frame of the canvas, those for each keyframe shared by its frames."""
    scales = [prod(config.strides[:stage]) for stage in range(len(config.strides) + 1)]
    areas = [config.grid[0] * config.grid[1] * scale**2 for scale in scales]
    total = 0.0
    for name, shape in tensor_shapes(config).items():
        room, _, rest = name.partition(".")
        if len(shape) == 4 and room in ("blocks", "flow_heads"):
            total += prod(shape) * areas[int(rest.partition(".")[0])]
        elif len(shape) == 4 and room == "head":
            total += prod(shape) * areas[-1]
        elif len(shape) == 4:
            stage = int(rest.split(".")[1]) if rest.startswith("body") else -1
            total += prod(shape) * areas[-2 - stage] / config.keyframe_every
    return round(total)


def tensor_shapes(config: ModelConfig) -> dict[str, tuple[int, ...]]:
    """Name and shape of every weight tensor, in the order in which the archive stores them."""
    with torch.device("meta"):
        return {name: tuple(p.shape) for name, p in build_model(config).named_parameters()}
