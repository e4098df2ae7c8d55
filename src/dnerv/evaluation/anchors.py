"""Names of before, for as long as studies use them: see `dnerv.codecs`."""

from collections.abc import Iterable
from fractions import Fraction

from dnerv.codecs import CODECS, RESTART, Frame, Stream

__all__ = ["RESTART", "AnchorCodec", "AnchorStream", "crf_range", "encode_anchor"]
AnchorCodec = str
AnchorStream = Stream


def encode_anchor(
    codec: str,
    frames: Iterable[Frame],
    *,
    fps: float | Fraction,
    crf: float,
    preset: str = "veryslow",
    restart: int = RESTART,
) -> Stream:
    """`Codec.encode`."""
    return CODECS[codec].encode(frames, fps=fps, crf=crf, effort=preset, restart=restart)


def crf_range(codec: str) -> tuple[float, float]:
    """`Codec.crf_range`."""
    return CODECS[codec].crf_range
