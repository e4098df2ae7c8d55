"""Points of the conventional codecs: one setting for all videos, one stream a video, measured on the streams' files."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from math import log
from pathlib import Path
from threading import Event
from typing import Any

from dnerv.codecs import CODECS, Codec, Frame
from dnerv.encoding import EncodeListener
from dnerv.evaluation import VideoQuality
from dnerv.evaluation.machine import usable_cores
from dnerv.evaluation.stream_quality import mean_quality, measure_file
from dnerv.studies.content import Content, frames_of
from dnerv.studies.measures import Measure, mean_scores, take
from dnerv.studies.points import Measured, PointStore, Record, make_folder
from dnerv.studies.rate_distortion.options import CompareOptions
from dnerv.studies.rate_distortion.sweep import Grid, sweep
from dnerv.video import CachedVideo


def missing(codec: str) -> str | None:
    """Why a codec cannot take part here, or None."""
    return CODECS[codec].missing()


def library(codec: str) -> str:
    """The encoder and where it comes from, with versions."""
    return CODECS[codec].library()


def curve(
    codec: str, content: Content, options: CompareOptions, store: PointStore, listener: EncodeListener
) -> list[Record]:
    """The codec's points, at falling quality."""
    points: dict[int, Record] = {}

    def rate_at(quality: int) -> float:
        job = {
            "options": encoder_options(codec, quality, options.preset, content),
            "library": CODECS[codec].library(),
            "content": content.digest,
            "measures": options.measures,
        }
        name = f"{CODECS[codec].setting} {quality}"
        coding = Coding(codec, quality, options.preset, content, listener, options.measures)
        points[quality] = store.once(codec, name, job, coding.measured)
        rate: float = points[quality]["bits_per_pixel"]
        return rate

    return [points[quality] for quality in sweep(_grid(CODECS[codec]), min(options.rates), max(options.rates), rate_at)]


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
        paths = [stem / f"{place}{CODECS[self.codec].suffix}" for place in range(len(videos))]
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
        size = sum(map(CODECS[self.codec].counted_bytes, paths))
        quality, scores = mean_quality([q for q, _ in parts], size), mean_scores([found for _, found in parts])
        return Measured(tuple(paths), quality, scores, self._facts())

    def _one(self, video: CachedVideo, path: Path, stop: Event) -> tuple[VideoQuality, dict[str, float]]:
        self._encode(video, path, stop)
        codec = CODECS[self.codec]
        quality = measure_file(codec, path, video.name, _until(video, stop), video.height, video.width)
        decoded = partial(codec.decode_file, path, video.height, video.width)
        return quality, take(self.measures, partial(_until, video, stop), decoded, path.parent)

    def _encode(self, video: CachedVideo, path: Path, stop: Event) -> None:
        frames, fps = _until(video, stop), video.timing.average_fps
        CODECS[self.codec].encode(frames, fps=fps, crf=self.quality, effort=self.preset).write(path)

    def _facts(self) -> dict[str, Any]:
        options = encoder_options(self.codec, self.quality, self.preset, self.content)
        return {"quality_setting": self.quality, "preset": self.preset, "encoder_options": options}


def encoder_options(codec: str, quality: float, preset: str, content: Content) -> str:
    """What the encoder is told, of the first video: the others differ in their frame rate alone."""
    return CODECS[codec].describe(quality, preset, fps=content.videos[0].timing.average_fps)


def _grid(codec: Codec) -> Grid:
    """Steps of about half an octave of bytes."""
    low, high = codec.crf_range
    return Grid(int(low), int(high), int(codec.usual_crf), round(log(0.5) / 2 / codec.slope))


class _Stopped(Exception):
    """The comparison was interrupted."""


def _until(video: CachedVideo, stop: Event) -> Iterator[Frame]:
    for frame in frames_of(video):
        if stop.is_set():
            raise _Stopped
        yield frame
