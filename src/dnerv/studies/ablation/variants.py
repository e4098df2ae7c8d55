"""The rows of the study: what is varied, in groups that each vary one thing, with the paper's own figures.

These are of other videos and other networks: they stand beside what is measured here.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

CLIP_LENGTH = 8  # frames, and between keyframes, as in the paper
PAPER_SHARE = 0.45  # of all bytes, the network's: the published runs spend 24 to 65 %
SETS = {"uvg": "UVG", "ucf101": "UCF101"}  # that the paper has figures of

Published = Mapping[str, Mapping[str, float | None]]  # PSNR and MS-SSIM by set


@dataclass(frozen=True)
class Variant:
    """One way to build the network and to share out the bytes; wherever it stands, it is encoded once."""

    name: str
    parts: Mapping[str, Any]  # of `dnerv.families.Components`
    clip_length: int = CLIP_LENGTH  # the keyframe distance too
    network_share: float = PAPER_SHARE
    published: Published = field(default_factory=dict)

    @property
    def uses_keyframes(self) -> bool:
        """Whether a part of the bytes is keyframes."""
        return self.parts.get("fusion") != "none"


@dataclass(frozen=True)
class Group:
    """Rows that differ in one thing."""

    name: str
    title: str
    rows: tuple[tuple[str, Variant], ...]  # title and variant
    reference: str  # the variant that differences are taken to


def _paper(
    name: str,
    published: Published | float | None = None,
    *,
    clip_length: int = CLIP_LENGTH,
    share: float = PAPER_SHARE,
    **parts: Any,
) -> Variant:
    """One that is built of the paper's parts. `published`: a bare number is the PSNR on UCF101."""
    if isinstance(published, float):
        published = {"ucf101": {"psnr": published, "ms_ssim": None}}
    return Variant(name, {"is_compact": False, **parts}, clip_length, share, published or {})


def _both(uvg: tuple[float, float], ucf101: tuple[float, float]) -> Published:
    return {name: {"psnr": p, "ms_ssim": s} for name, (p, s) in zip(SETS, (uvg, ucf101), strict=True)}


# The first two have the same stem, decoder and head as the rows below them, so that each row differs from the last in
# one part.
_NERV = _paper("nerv", _both((34.13, 0.948), (28.00, 0.935)), share=1.0, fusion="none", temporal="none")
_GTMLP = _paper("nerv-gtmlp", _both((33.94, 0.946), (27.96, 0.935)), share=1.0, fusion="none")
_SAF = _paper("nerv-saf", _both((35.84, 0.960), (30.78, 0.962)), temporal="none", flow="none")
_NO_FLOW = _paper("no-flow", _both((36.32, 0.963), (30.94, 0.964)), flow="none")
D_NERV = _paper("dnerv", _both((36.99, 0.977), (31.44, 0.968)))


def _convolution(kernel: int, psnr: float) -> tuple[str, Variant]:
    name = f"convolution-{kernel}"
    return f"convolution {kernel}", _paper(name, psnr, temporal="convolution", temporal_kernel=kernel)


GROUPS = (
    Group(
        "components",
        "the parts of D-NeRV, one after the other",
        (("NeRV", _NERV), ("+ GTMLP", _GTMLP), ("+ SAF", _SAF), ("+ SAF + GTMLP", _NO_FLOW), ("D-NeRV", D_NERV)),
        "nerv",
    ),
    Group(
        "flow",
        "flow at every scale or at one",
        (
            ("none", _NO_FLOW),
            ("single-scale", _paper("single-scale-flow", 31.06, flow="single-scale")),
            ("multi-scale", D_NERV),
        ),
        "dnerv",
    ),
    Group(
        "fusion",
        "how keyframe features enter",
        (("concatenation", _paper("concatenation", 30.09, fusion="concatenation")), ("adaptive (SAF)", D_NERV)),
        "dnerv",
    ),
    Group(
        "temporal",
        "what lets frames of a clip see each other",
        (
            ("none", _paper("no-temporal", 31.10, temporal="none")),
            _convolution(3, 31.13),
            _convolution(7, 31.15),
            _convolution(11, 31.16),
            ("attention", _paper("attention", 31.34, temporal="attention")),
            ("GTMLP", D_NERV),
        ),
        "dnerv",
    ),
    Group(
        "head",
        "the paper's head, the residual one, and the whole of ours",
        (("paper", D_NERV), ("residual", _paper("residual-head", head="residual")), ("ours", Variant("ours", {}))),
        "dnerv",
    ),
    Group(
        "clip",
        "frames in a clip, and between keyframes",
        (("4", _paper("clip-4", clip_length=4)), ("8", D_NERV), ("16", _paper("clip-16", clip_length=16))),
        "dnerv",
    ),
    Group(
        "share",
        "share of the network in all bytes: the more, the coarser the keyframes",
        (
            ("0.15", _paper("share-15", share=0.15)),
            ("0.30", _paper("share-30", share=0.3)),
            ("0.45", D_NERV),
            ("0.60", _paper("share-60", share=0.6)),
        ),
        "dnerv",
    ),
)
