"""Keyframe codecs behind one small interface: SVT-AV1 first.

FFmpeg is imported when an encoder or decoder is first asked for, not with this package.
"""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dnerv.keyframes.codec import Frame, KeyframeCodec, KeyframeFormat, Packet, decode_packets

if TYPE_CHECKING:
    from dnerv.keyframes.choice import better_mode
    from dnerv.keyframes.svtav1 import CRF_RANGE, Mode, SvtAv1, nearest_crf

__all__ = [
    "CRF_RANGE",
    "Frame",
    "KeyframeCodec",
    "KeyframeFormat",
    "Mode",
    "Packet",
    "SvtAv1",
    "better_mode",
    "decode_packets",
    "nearest_crf",
]

_LAZY = {
    "CRF_RANGE": "svtav1",
    "Mode": "svtav1",
    "SvtAv1": "svtav1",
    "better_mode": "choice",
    "nearest_crf": "svtav1",
}


def __getattr__(name: str) -> Any:
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
