"""Videos by a conventional codec: one crf for all of them, a stream each, measured on the streams' files."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import asdict, dataclass, field
from functools import partial
from pathlib import Path
from threading import Event
from typing import Any, ClassVar, TypeVar

from dnerv import progress
from dnerv.codecs import RESTART, Codec, Frame, Planes, Stream, SvtAv1, search_crf
from dnerv.evaluation import VideoQuality
from dnerv.evaluation.stream_quality import mean_quality, measure_file
from dnerv.process import usable_cores
from dnerv.studies.content import Content
from dnerv.studies.measures import mean_scores, take
from dnerv.studies.steps import Steps, make_folder
from dnerv.video import CachedVideo

T = TypeVar("T")
MOST_ABOVE = 1.01  # of the bytes that are to be matched
_CLOSE_ENOUGH = 0.0099  # in log bytes, a little less than what may be above; one step of x264's crf is 0.0075
_MOST_CODINGS = 16  # four suffice where bytes fall evenly


class LeRobotAv1(SvtAv1):
    """AV1 as LeRobot's data sets are by default, at its one effort."""

    efforts: ClassVar[Mapping[str, str]] = {"ultrafast": "12"}


LEROBOT = LeRobotAv1(preset=12, group=2, planes=Planes(depth=8))
LEROBOT_CRF, LEROBOT_EFFORT = 30.0, "ultrafast"


def coded_once(
    steps: Steps,
    codec: Codec,
    crf: float,
    effort: str,
    content: Content,
    measures: Sequence[str] = (),
    restart: int = RESTART,
) -> dict[str, Any]:
    """All videos at one crf: bytes, quality, measures on demand, and `files`, a stream each; a step."""
    coding, name = _Coding(codec, effort, content, restart), f"{codec.setting} {crf:g}"

    def make(stem: Path) -> dict[str, Any]:
        return {"codec": codec.name, "setting": name} | coding.measured(steps, stem, crf, measures)

    depends_on = coding.depends_on(crf) | {"measures": list(measures)}
    return steps.once(f"{codec.name} {name}", depends_on, make)


def coded_at_bytes(
    steps: Steps, codec: Codec, target: int, effort: str, content: Content, setting: str
) -> dict[str, Any]:
    """All videos with the one crf that comes nearest to `target` bytes, not above by more than 1 %; a step.

    Where the codec cannot be as small, its smallest. `setting` tells the codec's steps apart.
    """
    coding = _Coding(codec, effort, content)

    def make(stem: Path) -> dict[str, Any]:
        crf = coding.crf_for(target)
        while True:
            found = coding.measured(steps, stem, crf, ())
            # x264 writes up to 1 % more or fewer bytes of a short video from one run to the next.
            if found["bytes"] <= MOST_ABOVE * target or crf == codec.crf_range[1]:
                return {"codec": codec.name, "setting": setting} | found
            crf = codec.nearest_crf(crf + codec.crf_step)

    return steps.once(f"{codec.name} {setting}", coding.depends_on(codec.usual_crf) | {"target": target}, make)


@dataclass(frozen=True)
class _Coding:
    """All videos by one codec."""

    codec: Codec
    effort: str
    content: Content
    restart: int = RESTART  # frames, at most
    stop: Event = field(default_factory=Event)

    def depends_on(self, crf: float) -> dict[str, Any]:
        """What bytes and quality at a crf depend on: JSON."""
        return {"options": self.options(crf), "library": self.codec.library(), "content": self.content.digest}

    def options(self, crf: float) -> str:
        """What the encoder is told, of the first video: the others differ in their frame rate alone."""
        fps = self.content.videos[0].timing.average_fps
        return self.codec.describe(crf, self.effort, fps=fps, restart=self.restart)

    def crf_for(self, target: int) -> float:
        """The crf whose bytes come nearest to the target, of those not above by more than 1 %."""

        def coded_bytes(crf: float) -> int:
            sizes = self._each(
                f"{self.codec.name} at {crf:g}, for {target:,} bytes", lambda v: self._encode(v, crf).size
            )
            return sum(sizes)

        tried = search_crf(self.codec, coded_bytes, target, close_enough=_CLOSE_ENOUGH, most=_MOST_CODINGS).sizes
        allowed = {crf: size for crf, size in tried.items() if size <= MOST_ABOVE * target}
        return min(allowed or tried, key=lambda crf: abs(tried[crf] - target))

    def measured(self, steps: Steps, stem: Path, crf: float, measures: Sequence[str]) -> dict[str, Any]:
        """Streams in the folder `stem`, and what they give back."""
        make_folder(stem)
        paths = {v.name: stem / f"{place}{self.codec.suffix}" for place, v in enumerate(self.content.videos)}

        def one(video: CachedVideo) -> tuple[VideoQuality, dict[str, float]]:
            path, size = paths[video.name], (video.height, video.width)
            self._encode(video, crf).write(path)
            quality = measure_file(self.codec, path, video.name, self._frames(video), *size)
            decoded = partial(self.codec.decode_file, path, *size)
            return quality, take(measures, partial(self._frames, video), decoded, stem)

        parts = self._each(f"{self.codec.name} at {crf:g}", one)
        total = sum(map(self.codec.counted_bytes, paths.values()))
        quality = asdict(mean_quality([part for part, _ in parts], total))
        return {
            "bytes": quality.pop("file_bytes"),
            **quality,
            **mean_scores([scores for _, scores in parts]),
            "quality_setting": crf,
            "preset": self.effort,
            "encoder_options": self.options(crf),
            "files": steps.listed(paths.values()),
        }

    def _each(self, title: str, work: Callable[[CachedVideo], T]) -> list[T]:
        """`work` of every video, on all cores. An interruption ends the encoders at their next frame."""
        videos = self.content.videos
        progress.stage(title, len(videos))
        pool, done = ThreadPoolExecutor(min(usable_cores(), len(videos))), list[T]()
        try:
            for job in [pool.submit(work, video) for video in videos]:
                done.append(job.result())
                progress.advance()
        except BaseException:
            self.stop.set()
            raise
        finally:
            pool.shutdown(cancel_futures=True)
        return done

    def _encode(self, video: CachedVideo, crf: float) -> Stream:
        fps = video.timing.average_fps
        return self.codec.encode(self._frames(video), fps=fps, crf=crf, effort=self.effort, restart=self.restart)

    def _frames(self, video: CachedVideo) -> Iterator[Frame]:
        for frame in video.store:
            if self.stop.is_set():
                raise _Stopped
            yield frame


class _Stopped(Exception):
    """The study was interrupted."""
