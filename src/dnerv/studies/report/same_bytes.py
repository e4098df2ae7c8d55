"""H.264 at the bytes of an archive, in files."""

from __future__ import annotations

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from hashlib import blake2b
from pathlib import Path

from dnerv.compression import EncodeListener
from dnerv.evaluation import encode_anchor
from dnerv.evaluation.machine import usable_cores
from dnerv.evaluation.stream_files import SUFFIX, counted_bytes, write_stream
from dnerv.studies.content import Content, frames_of
from dnerv.studies.demo.anchors import Coding, match
from dnerv.studies.points import make_folder
from dnerv.studies.rate_distortion.conventional import library
from dnerv.video import CachedVideo

_CLOSE_ENOUGH = 0.012  # in log bytes, between the settings around the target: x264's crf has few finer steps


@dataclass(frozen=True)
class SameBytes:
    """All videos at one crf."""

    crf: float
    size: int  # bytes of all streams
    streams: tuple[Path, ...]  # in the order of the videos


def h264_at(target: int, content: Content, preset: str, folder: Path, listener: EncodeListener) -> SameBytes:
    """x264 with the crf, one for all videos, whose bytes come to `target` or just above it; tuned for PSNR.

    Streams lie in `folder`; those of an earlier, interrupted search are used again. Where x264 cannot be as large, or
    as small, it is as near as it comes. Raises what `encode_anchor` raises.
    """
    job = f"{content.digest} {preset} {library('x264')}".encode()
    place = folder / blake2b(job, digest_size=4).hexdigest()
    listener.stage("H.264 at the same bytes")

    def encode(crf: float) -> Coding:
        paths = _streams(crf, content.videos, preset, place)
        listener.advance()
        return Coding(crf, sum(map(counted_bytes, paths)), ())

    chosen = match("x264", target, encode, close_enough=_CLOSE_ENOUGH).tried[-1]
    return SameBytes(chosen.crf, chosen.size, _streams(chosen.crf, content.videos, preset, place))


def _streams(crf: float, videos: Sequence[CachedVideo], preset: str, folder: Path) -> tuple[Path, ...]:
    make_folder(folder / f"crf-{crf:g}")
    paths = [folder / f"crf-{crf:g}" / f"{number}{SUFFIX['x264']}" for number in range(len(videos))]
    missing = [(video, path) for video, path in zip(videos, paths, strict=True) if not path.exists()]
    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(lambda pair: _encode(pair[0], pair[1], crf, preset), missing))
    return tuple(paths)


def _encode(video: CachedVideo, path: Path, crf: float, preset: str) -> None:
    stream = encode_anchor("x264", frames_of(video), fps=video.timing.average_fps, crf=crf, preset=preset)
    half = path.with_suffix(f".part{path.suffix}")
    write_stream(stream, half)
    half.replace(path)
