"""Points of the conventional codecs: one setting for all videos, one stream a video, measured on the streams' files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from fractions import Fraction
from functools import partial
from importlib.metadata import version
from pathlib import Path
from threading import Event
from typing import Any

import av

from dnerv.codecs.codec import Frame
from dnerv.encoding import EncodeListener
from dnerv.errors import InputError
from dnerv.evaluation import VideoQuality, encode_anchor
from dnerv.evaluation.anchors import AnchorCodec, anchor_options
from dnerv.evaluation.ffmpeg_binary import ffmpeg_version
from dnerv.evaluation.machine import usable_cores
from dnerv.evaluation.program_anchors import (
    ENCODERS,
    ProgramCodec,
    check_program_codec,
    encode_with_program,
    program_options,
)
from dnerv.evaluation.stream_files import SUFFIX, counted_bytes, decode_file, mean_quality, measure_file, write_stream
from dnerv.studies.content import Content, frames_of
from dnerv.studies.measures import Measure, mean_scores, take
from dnerv.studies.points import Measured, PointStore, Record, make_folder
from dnerv.studies.rate_distortion.options import CompareOptions
from dnerv.studies.rate_distortion.sweep import Grid, sweep
from dnerv.video import CachedVideo

GRIDS = {
    "x264": Grid(1, 51, 34, 4),
    "x265": Grid(1, 51, 34, 4),
    "svtav1": Grid(1, 70, 54, 6),
    "aom": Grid(1, 63, 54, 6),
    "vvc": Grid(1, 63, 36, 4),
}
_PYAV_ENCODERS = {"x264": "libx264", "x265": "libx265", "svtav1": "libsvtav1"}


def missing(codec: str) -> str | None:
    """Why a codec cannot take part here, or None."""
    if codec in _PYAV_ENCODERS:
        name = _PYAV_ENCODERS[codec]
        return None if name in av.codecs_available else f"this build of PyAV has no {name}"
    try:
        check_program_codec(codec)
    except InputError as error:
        return str(error)
    return None if codec == "aom" or "vvc" in av.codecs_available else "this build of PyAV cannot decode VVC"


def library(codec: str) -> str:
    """The encoder and where it comes from, with versions."""
    if codec in ENCODERS:
        return f"{ENCODERS[codec]} of ffmpeg {ffmpeg_version()} (imageio-ffmpeg {version('imageio-ffmpeg')})"
    return f"{_PYAV_ENCODERS[codec]} of FFmpeg {av.ffmpeg_version_info} (PyAV {av.__version__})"


def curve(
    codec: str, content: Content, options: CompareOptions, store: PointStore, listener: EncodeListener
) -> list[Record]:
    """The codec's points, at falling quality."""
    points: dict[int, Record] = {}

    def rate_at(quality: int) -> float:
        job = {
            "options": encoder_options(codec, quality, options.preset, content),
            "library": library(codec),
            "content": content.digest,
            "measures": options.measures,
        }
        name = f"{'qp' if codec == 'vvc' else 'crf'} {quality}"
        coding = Coding(codec, quality, options.preset, content, listener, options.measures)
        points[quality] = store.once(codec, name, job, coding.measured)
        rate: float = points[quality]["bits_per_pixel"]
        return rate

    return [points[quality] for quality in sweep(GRIDS[codec], min(options.rates), max(options.rates), rate_at)]


@dataclass(frozen=True)
class Coding:
    """All videos by one codec with one setting."""

    codec: str
    quality: float
    preset: str
    content: Content
    listener: EncodeListener
    measures: tuple[Measure, ...] = ()  # on demand

    def measured(self, stem: Path) -> Measured:
        """All videos, on all cores. An interruption ends the encoders at their next frame."""
        make_folder(stem)
        videos, stop = self.content.videos, Event()
        self.listener.stage(f"{self.codec} at {self.quality:g}", len(videos))
        paths = [stem / f"{place}{SUFFIX[self.codec]}" for place in range(len(videos))]
        pool = ThreadPoolExecutor(min(usable_cores(), len(videos)))
        try:
            jobs = [pool.submit(self._one, v, p, stop) for v, p in zip(videos, paths, strict=True)]
            parts = []
            for job in jobs:
                parts.append(job.result())
                self.listener.advance()
        finally:
            stop.set()
            pool.shutdown(cancel_futures=True)
        return self._mean(paths, parts)

    def _mean(self, paths: Sequence[Path], parts: Sequence[tuple[VideoQuality, dict[str, float]]]) -> Measured:
        size = sum(map(counted_bytes, paths))
        quality, scores = mean_quality([q for q, _ in parts], size), mean_scores([found for _, found in parts])
        return Measured(tuple(paths), quality, scores, self._facts())

    def _one(self, video: CachedVideo, path: Path, stop: Event) -> tuple[VideoQuality, dict[str, float]]:
        self._encode(video, path, stop)
        quality = measure_file(path, video.name, _until(video, stop), video.height, video.width)
        decoded = partial(decode_file, path, video.height, video.width)
        return quality, take(self.measures, partial(_until, video, stop), decoded, path.parent)

    def _encode(self, video: CachedVideo, path: Path, stop: Event) -> None:
        frames, fps, preset = _until(video, stop), video.timing.average_fps, self.preset
        if self.codec in ENCODERS:
            program: ProgramCodec = self.codec  # type: ignore[assignment]
            encode_with_program(program, frames, path, fps=fps, quality=int(self.quality), preset=preset)
            return
        codec: AnchorCodec = self.codec  # type: ignore[assignment]
        write_stream(encode_anchor(codec, frames, fps=fps, crf=float(self.quality), preset=preset), path)

    def _facts(self) -> dict[str, Any]:
        options = encoder_options(self.codec, self.quality, self.preset, self.content)
        return {"quality_setting": self.quality, "preset": self.preset, "encoder_options": options}


def encoder_options(codec: str, quality: float, preset: str, content: Content) -> str:
    """What the encoder is told, of the first video: the others differ in their frame rate alone."""
    if codec in ENCODERS:
        program: ProgramCodec = codec  # type: ignore[assignment]
        rate = Fraction(content.videos[0].timing.average_fps).limit_denominator(90000)
        return " ".join(program_options(program, int(quality), preset, rate))
    anchor: AnchorCodec = codec  # type: ignore[assignment]
    words = anchor_options(anchor, crf=float(quality), preset=preset)
    return " ".join(f"-{name} {value}" for name, value in words.items())


class _Stopped(Exception):
    """The comparison was interrupted."""


def _until(video: CachedVideo, stop: Event) -> Iterator[Frame]:
    for frame in frames_of(video):
        if stop.is_set():
            raise _Stopped
        yield frame
