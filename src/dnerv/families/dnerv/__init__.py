"""D-NeRV (He et al., CVPR 2023): one network for many videos, conditioned on keyframes; a module a box of the paper."""

from __future__ import annotations

from math import prod

import torch

from dnerv.families.config import Colour
from dnerv.families.dnerv.components import Components
from dnerv.families.dnerv.config import DNeRVConfig
from dnerv.families.dnerv.network import DNeRV
from dnerv.families.dnerv.sizes import compact_dnerv, scaled_dnerv, sized
from dnerv.families.family import Family, PublishedModel
from dnerv.families.stem import STEM_WEIGHT_NAMES

__all__ = ["DNERV", "Components", "DNeRV", "DNeRVConfig", "compact_dnerv", "multiply_adds", "scaled_dnerv"]

UVG_STATISTICS = ((0.4519, 0.4505, 0.4519), (0.2434, 0.2547, 0.2958))
UCF101_STATISTICS = ((0.3986, 0.3829, 0.3546), (0.2805, 0.2747, 0.2787))


def multiply_adds(config: DNeRVConfig) -> int:
    """Of the convolutions for one frame of the canvas, those for each keyframe shared by its frames."""
    areas = [prod(config.grid) * prod(config.strides[:stage]) ** 2 for stage in range(len(config.strides) + 1)]
    with torch.device("meta"):
        shapes = {name: p.shape for name, p in DNeRV(config).named_parameters() if p.dim() == 4}
    total = 0.0
    for name, shape in shapes.items():
        room, _, rest = name.partition(".")
        if room in ("blocks", "flow_heads"):
            total += prod(shape) * areas[int(rest.partition(".")[0])]
        elif room == "head":
            total += prod(shape) * areas[-1]
        else:
            stage = int(rest.split(".")[1]) if rest.startswith("body") else -1
            total += prod(shape) * areas[-2 - stage] / config.keyframe_every
    return round(total)


def _published(width: int, statistics: tuple[Colour, Colour], millions: float, keyframe_quality: int) -> PublishedModel:
    return PublishedModel(DNeRVConfig(width, mean=statistics[0], std=statistics[1]), millions, keyframe_quality)


DNERV = Family(
    name="dnerv",
    title="D-NeRV",
    config=DNeRVConfig,
    network=DNeRV,
    sized=sized,
    multiply_adds=multiply_adds,
    published={
        "uvg-xs": _published(107, UVG_STATISTICS, 8.02, 3),
        "uvg-s": _published(166, UVG_STATISTICS, 15.96, 3),
        "uvg-m": _published(213, UVG_STATISTICS, 24.20, 4),
        "uvg-l": _published(291, UVG_STATISTICS, 41.66, 5),
        "uvg-xl": _published(382, UVG_STATISTICS, 67.95, 6),
        "ucf101-s": _published(198, UCF101_STATISTICS, 21.39, 3),
        "ucf101-m": _published(281, UCF101_STATISTICS, 39.14, 3),
        "ucf101-l": _published(361, UCF101_STATISTICS, 61.30, 3),
    },
    weight_names=(
        *STEM_WEIGHT_NAMES,
        (r"encoder\.head\.0\.", "encoder.head."),
        (r"encoder\.body\.(\d+)\.0\.", r"encoder.body.\1."),
        (r"decoder_list\.(\d+)\.to_style\.conv\.", r"blocks.\1.fusion.project."),
        (r"decoder_list\.(\d+)\.conv\.", r"blocks.\1.upsample.conv."),
        (r"decoder_list\.(\d+)\.tfc\.", r"blocks.\1.temporal."),
        (r"flow_pred_list\.(\d+)\.conv\.", r"flow_heads.\1."),
        (r"rgb_head_layer\.conv\.", "head."),
    ),
)
