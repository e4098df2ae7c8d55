"""Keyframe codecs behind one small interface: SVT-AV1 first.

FFmpeg is imported when an encoder or decoder is first asked for, not with this package.
"""

from typing import TYPE_CHECKING

from dnerv.codecs.blending import blended
from dnerv.codecs.codec import Frame, KeyframeCodec, KeyframeFormat, Packet
from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.codecs.choice import better_mode
    from dnerv.codecs.decoding import decode_packets
    from dnerv.codecs.svtav1 import CRF_RANGE, Mode, SvtAv1, nearest_crf

__all__ = [
    "CRF_RANGE",
    "Frame",
    "KeyframeCodec",
    "KeyframeFormat",
    "Mode",
    "Packet",
    "SvtAv1",
    "better_mode",
    "blended",
    "decode_packets",
    "nearest_crf",
]

__getattr__ = imports_on_use(
    __name__,
    {
        "CRF_RANGE": "svtav1",
        "Mode": "svtav1",
        "SvtAv1": "svtav1",
        "better_mode": "choice",
        "decode_packets": "decoding",
        "nearest_crf": "svtav1",
    },
)
