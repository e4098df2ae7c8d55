"""The paper's own ablations, to be shown beside what is measured here, on other videos and with other networks."""

from __future__ import annotations

from collections.abc import Mapping
from types import MappingProxyType
from typing import TypedDict

from dnerv.evaluation.published import PAPER

SOURCE = f"{PAPER}, ablation tables"
SETS = MappingProxyType({"uvg": "UVG", "ucf101": "UCF101"})


class Published(TypedDict):
    """One figure of the paper."""

    psnr: float  # dB
    ms_ssim: float | None  # where it was published


def _both(uvg: tuple[float, float], ucf101: tuple[float, float]) -> dict[str, Published | None]:
    return {"uvg": {"psnr": uvg[0], "ms_ssim": uvg[1]}, "ucf101": {"psnr": ucf101[0], "ms_ssim": ucf101[1]}}


def _ucf101(psnr: float) -> dict[str, Published | None]:
    return {"uvg": None, "ucf101": {"psnr": psnr, "ms_ssim": None}}


# By the name of the variant (`variants.py`).
PUBLISHED: Mapping[str, Mapping[str, Published | None]] = MappingProxyType(
    {
        "nerv": _both((34.13, 0.948), (28.00, 0.935)),
        "nerv-gtmlp": _both((33.94, 0.946), (27.96, 0.935)),
        "nerv-saf": _both((35.84, 0.960), (30.78, 0.962)),
        "no-flow": _both((36.32, 0.963), (30.94, 0.964)),
        "dnerv": _both((36.99, 0.977), (31.44, 0.968)),
        "single-scale-flow": _ucf101(31.06),
        "concatenation": _ucf101(30.09),
        "no-temporal": _ucf101(31.10),
        "convolution-3": _ucf101(31.13),
        "convolution-7": _ucf101(31.15),
        "convolution-11": _ucf101(31.16),
        "attention": _ucf101(31.34),
    }
)
