"""x264, x265 and SVT-AV1 on the archive's own frames and bytes, quickly: for people who wait.

`dnerv.evaluation.match_bytes` finds the same by bisection over all settings, in some twelve encodings. A secant search
in log bytes needs about four, and the videos are coded on all cores at once; the test compares the two.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from math import log
from multiprocessing import get_context

import numpy as np
from numpy.typing import NDArray

from dnerv.codecs import mse, psnr
from dnerv.evaluation import encode_anchor
from dnerv.evaluation.anchors import AnchorCodec, crf_range
from dnerv.evaluation.matching import CRF_STEP

CODECS: tuple[AnchorCodec, ...] = ("x264", "x265", "svtav1")
_FIRST_CRF = {"x264": 37.0, "x265": 37.0, "svtav1": 58.0}  # near 0.035 bits per pixel at 128x160
_SLOPE = {"x264": -0.12, "x265": -0.12, "svtav1": -0.1}  # of log bytes by crf, to begin with
_CLOSE_ENOUGH = 0.05  # in log bytes, between the two points that are interpolated
_MOST_STEPS = 8
_OVERSHOOT = 0.01  # in log bytes: aim a little beyond the target, so that the next point is on its other side

Video = NDArray[np.uint8]  # [T, H, W, 3], RGB
Encode = Callable[[float], "Coding"]


@dataclass(frozen=True)
class Coding:
    """All videos at one crf."""

    crf: float
    size: int  # bytes of all streams
    psnr: tuple[float, ...]  # dB, mean over frames, of each video


@dataclass(frozen=True)
class AnchorResult:
    """A codec at the archive's bytes."""

    codec: AnchorCodec
    psnr: tuple[float, ...]  # dB at exactly the target, of each video
    tried: tuple[Coding, ...]  # the codings that it was interpolated between, the smaller first


def anchors_at(target_bytes: int, videos: Sequence[Video], rates: Sequence[Fraction]) -> list[AnchorResult]:
    """Every codec at `target_bytes` for all videos together, with one crf common to them."""
    workers = max(1, min(os.cpu_count() or 1, len(videos) * len(CODECS)))
    with (
        ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as processes,
        ThreadPoolExecutor(len(CODECS)) as searches,
    ):

        def search(codec: AnchorCodec) -> AnchorResult:
            def encode(crf: float) -> Coding:
                jobs = [processes.submit(code, codec, v, r, crf) for v, r in zip(videos, rates, strict=True)]
                parts = [job.result() for job in jobs]
                return Coding(crf, sum(size for size, _ in parts), tuple(quality for _, quality in parts))

            return match(codec, target_bytes, encode)

        return list(searches.map(search, CODECS))


def code(codec: AnchorCodec, video: Video, rate: Fraction, crf: float) -> tuple[int, float]:
    """Bytes of one video, and its PSNR in dB."""
    stream = encode_anchor(codec, video, fps=rate, crf=crf)
    return stream.size, float(np.mean([psnr(mse(*pair)) for pair in zip(video, stream.frames(), strict=True)]))


def match(
    codec: AnchorCodec,
    target: int,
    encode: Encode,
    *,
    close_enough: float = _CLOSE_ENOUGH,
    most_steps: int = _MOST_STEPS,
) -> AnchorResult:
    """Search the crf that gives `target` bytes, and interpolate between the two nearest codings around it.

    Args:
        close_enough: how far these two may be apart at the end, in log bytes. most_steps: codings, at most.
    """
    points = [encode(_FIRST_CRF[codec])]
    for step in range(most_steps):
        below, above = _around(points, target)
        if below is not None and above is not None and log(above.size / below.size) < close_enough:
            break
        crf = _next_crf(codec, points, target)
        if below is not None and above is not None and (step >= _MOST_STEPS or not above.crf < crf < below.crf):
            # Where bytes jump from one crf to the next, lines lead nowhere: halve what is left, on the codec's grid.
            crf = above.crf + (below.crf - above.crf) // (2 * CRF_STEP[codec]) * CRF_STEP[codec]
        if any(point.crf == crf for point in points):
            break  # the codec's crf has no finer steps, or no further ones
        points.append(encode(crf))
    below, above = _around(points, target)
    if below is None or above is None:  # the codec cannot be as small, or as large
        only = below or above
        assert only is not None
        return AnchorResult(codec, only.psnr, (only,))
    share = log(target / below.size) / log(above.size / below.size)
    mixed = tuple(low + share * (high - low) for low, high in zip(below.psnr, above.psnr, strict=True))
    return AnchorResult(codec, mixed, (below, above))


def _around(points: Sequence[Coding], target: int) -> tuple[Coding | None, Coding | None]:
    """The largest coding below the target, and the smallest that is not."""
    below = max((p for p in points if p.size < target), key=lambda p: p.size, default=None)
    above = min((p for p in points if p.size >= target), key=lambda p: p.size, default=None)
    return below, above


def _next_crf(codec: AnchorCodec, points: Sequence[Coding], target: int) -> float:
    near, *others = sorted(points, key=lambda p: abs(log(p.size / target)))
    slope = _SLOPE[codec]
    if others and others[0].size != near.size:
        slope = min(-0.03, log(others[0].size / near.size) / (others[0].crf - near.crf))
    missing = log(target / near.size)
    aim = missing + (_OVERSHOOT if missing >= 0 else -_OVERSHOOT)
    step, (low, high) = CRF_STEP[codec], crf_range(codec)
    crf = near.crf + round(aim / slope / step) * step
    if crf == near.crf:
        crf += -step if missing >= 0 else step
    return min(high, max(low, crf))
