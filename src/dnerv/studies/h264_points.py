"""H.264 at an archive's bytes: one crf for all videos."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

from dnerv.codecs import CODECS
from dnerv.encoding import EncodeListener
from dnerv.evaluation import encode_anchor
from dnerv.evaluation.anchors import crf_range
from dnerv.evaluation.machine import usable_cores
from dnerv.evaluation.matching import CRF_STEP
from dnerv.studies.content import Content, frames_of
from dnerv.studies.demo import anchors
from dnerv.studies.points import Measured, PointStore, Record
from dnerv.studies.rate_distortion.conventional import Coding, encoder_options, library
from dnerv.video import CachedVideo

MOST_ABOVE = 1.01  # of the archive's bytes
_CLOSE_ENOUGH = 0.015  # in log bytes; one step of crf, a sixteenth, is half of that
_MOST_STEPS = 16  # four suffice where bytes fall evenly


def h264_point(
    rate: float, target: int, preset: str, content: Content, store: PointStore, listener: EncodeListener
) -> Record:
    """All videos by x264 with the one crf that comes nearest to `target` bytes, not above by more than 1 %.

    Where x264 cannot be as small, its smallest. `rate` names the point.
    """

    def make(stem: Path) -> Measured:
        listener.note(f"h264, {rate:g} bpp")
        crf = matching_crf(target, preset, content, listener)
        measured = Coding("x264", crf, preset, content, listener).measured(stem)
        # x264 writes up to 1 % more or fewer bytes of a short video from one run to the next.
        while measured.quality.file_bytes > MOST_ABOVE * target and crf < crf_range("x264")[1]:
            crf += CRF_STEP["x264"]
            measured = Coding("x264", crf, preset, content, listener).measured(stem)
        return measured

    job = {
        "target": target,
        "options": encoder_options("x264", CODECS["x264"].crf_range[0], preset, content),
        "library": library("x264"),
        "content": content.digest,
    }
    return store.once("h264", f"{rate:g} bpp", job, make)


def matching_crf(target: int, preset: str, content: Content, listener: EncodeListener) -> float:
    """The crf, in steps of a sixteenth."""
    with ThreadPoolExecutor(min(usable_cores(), len(content.videos))) as pool:

        def encode(crf: float) -> anchors.Coding:
            listener.stage(f"x264 at {crf:g}, for {target:,} bytes", len(content.videos))
            size = 0
            for part in pool.map(lambda video: _size(video, crf, preset), content.videos):
                size += part
                listener.advance()
            return anchors.Coding(crf, size, ())

        found = anchors.match("x264", target, encode, close_enough=_CLOSE_ENOUGH, most_steps=_MOST_STEPS)
    allowed = [coding for coding in found.tried if coding.size <= MOST_ABOVE * target]
    # Of those that are allowed the nearest; they are ordered by size.
    return max(allowed or found.tried, key=lambda coding: -abs(coding.size - target)).crf


def _size(video: CachedVideo, crf: float, preset: str) -> int:
    return encode_anchor("x264", frames_of(video), fps=video.timing.average_fps, crf=crf, preset=preset).size
