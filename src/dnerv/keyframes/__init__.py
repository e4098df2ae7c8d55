"""Keyframe codecs behind one small interface: SVT-AV1 first.

FFmpeg is imported when an encoder or decoder is first asked for, not with this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dnerv.keyframes.codec import Frame, KeyframeCodec, KeyframeFormat, Packet, decode_packets

if TYPE_CHECKING:
    from dnerv.keyframes.choice import better_mode
    from dnerv.keyframes.svtav1 import SvtAv1, nearest_crf

__all__ = [
    "Frame",
    "KeyframeCodec",
    "KeyframeFormat",
    "Packet",
    "SvtAv1",
    "better_mode",
    "decode_packets",
    "nearest_crf",
]

_LAZY = {"SvtAv1": "svtav1", "nearest_crf": "svtav1", "better_mode": "choice"}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
