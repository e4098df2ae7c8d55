"""The rows of the study: what is varied, in groups that each vary one thing."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

from dnerv.families import Components

CLIP_LENGTH = 8  # frames, and between keyframes, as in the paper
PAPER_SHARE = 0.45  # of all bytes, the network's: the published runs spend 24 to 65 %


@dataclass(frozen=True)
class Variant:
    """One way to build the network and to share out the bytes; wherever it stands, it is encoded once."""

    name: str
    components: Components
    clip_length: int = CLIP_LENGTH  # the keyframe distance too
    network_share: float = PAPER_SHARE

    @property
    def uses_keyframes(self) -> bool:
        """Whether a part of the bytes is keyframes."""
        return self.components.fusion != "none"


@dataclass(frozen=True)
class Group:
    """Rows that differ in one thing."""

    name: str
    title: str
    rows: tuple[tuple[str, Variant], ...]  # title and variant
    reference: str  # the variant that differences are taken to


def _paper(name: str, clip_length: int = CLIP_LENGTH, share: float = PAPER_SHARE, **parts: Any) -> Variant:
    return Variant(name, Components(is_compact=False, **parts), clip_length, share)


def _without_keyframes(name: str, **parts: Any) -> Variant:
    return _paper(name, share=1.0, fusion="none", **parts)


D_NERV = _paper("dnerv")
_NO_FLOW = _paper("no-flow", flow="none")

GROUPS = (
    Group(
        "components",
        "the parts of D-NeRV, one after the other",
        (
            # The same stem, decoder and head as below it, so that each row differs from the last in one part.
            ("NeRV", _without_keyframes("nerv", temporal="none")),
            ("+ GTMLP", _without_keyframes("nerv-gtmlp")),
            ("+ SAF", _paper("nerv-saf", temporal="none", flow="none")),
            ("+ SAF + GTMLP", _NO_FLOW),
            ("D-NeRV", D_NERV),
        ),
        "nerv",
    ),
    Group(
        "flow",
        "flow at every scale or at one",
        (
            ("none", _NO_FLOW),
            ("single-scale", _paper("single-scale-flow", flow="single-scale")),
            ("multi-scale", D_NERV),
        ),
        "dnerv",
    ),
    Group(
        "fusion",
        "how keyframe features enter",
        (("concatenation", _paper("concatenation", fusion="concatenation")), ("adaptive (SAF)", D_NERV)),
        "dnerv",
    ),
    Group(
        "temporal",
        "what lets frames of a clip see each other",
        (
            ("none", _paper("no-temporal", temporal="none")),
            *(
                (f"convolution {k}", _paper(f"convolution-{k}", temporal="convolution", temporal_kernel=k))
                for k in (3, 7, 11)
            ),
            ("attention", _paper("attention", temporal="attention")),
            ("GTMLP", D_NERV),
        ),
        "dnerv",
    ),
    Group(
        "head",
        "the paper's head, the residual one, and the whole of ours",
        (
            ("paper", D_NERV),
            ("residual", _paper("residual-head", head="residual")),
            ("ours", Variant("ours", Components())),
        ),
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
PARTS = tuple(group.name for group in GROUPS)
