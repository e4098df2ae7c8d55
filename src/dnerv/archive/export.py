"""Videos of an archive as files for people: mp4, or folders of PNG."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Sequence
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dnerv.archive.archive import Archive
from dnerv.archive.video_reader import LARGEST_FACTOR, VideoReader
from dnerv.errors import InputError, OutputError
from dnerv.video import Timing, write_mp4, write_png_folder

ExportFormat = Literal["mp4", "png"]


def export_videos(
    archive: Archive,
    directory: Path,
    *,
    names: Sequence[str] | None = None,
    frames: tuple[int | None, int | None] | None = None,
    format: ExportFormat = "mp4",
    force: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Decode videos into `directory`, one file or folder each, under their names in the archive.

    Args:
        names: videos wanted; None for all.
        frames: (first, past the last) of each video, as in a slice; None for all.
        advance: called after every frame.

    Returns:
        What was written, in order.

    Raises:
        InputError: no video of a name, a range that is empty or outside, a format that is not known.
        OutputError: an output exists and `force` is off, or cannot be written. Nothing half-written stays.
    """
    if format not in ("mp4", "png"):
        raise InputError(f"format is {format!r}; use 'mp4' or 'png'")
    chosen = [archive[name] for name in (archive.names if names is None else names)]
    spans = [_span(reader, frames) for reader in chosen]  # all checked before the first file is written
    written = []
    for reader, span in zip(chosen, spans, strict=True):
        target = directory / (reader.entry.name + (".mp4" if format == "mp4" else ""))
        pictures = _pictures((reader[index] for index in span), advance)
        _write(target, pictures, _part(reader.entry.timing, span), format, force)
        written.append(target)
    return written


def interpolate_videos(
    archive: Archive,
    directory: Path,
    *,
    factor: int,
    slow_motion: bool = True,
    names: Sequence[str] | None = None,
    format: ExportFormat = "mp4",
    force: bool = False,
    advance: Callable[[], None] = lambda: None,
) -> list[Path]:
    """Decode videos into `directory` with `factor` - 1 frames between each and the next, as `export_videos` does.

    Args:
        slow_motion: stretch time, so that the rate stays and the video lasts `factor` times as long; otherwise the
            duration stays and the rate is `factor` times as high.

    Returns, raises: as `export_videos`; also InputError for a factor outside 2 to 64.
    """
    if format not in ("mp4", "png"):
        raise InputError(f"format is {format!r}; use 'mp4' or 'png'")
    if not 2 <= factor <= LARGEST_FACTOR:
        raise InputError(f"factor {factor}: allowed are 2 to {LARGEST_FACTOR}")
    chosen = [archive[name] for name in (archive.names if names is None else names)]
    times = [interpolated_timing(reader.entry.timing, factor, slow_motion=slow_motion) for reader in chosen]
    written = []
    for reader, timing in zip(chosen, times, strict=True):
        target = directory / (reader.entry.name + (".mp4" if format == "mp4" else ""))
        _write(target, _pictures(reader.interpolated(factor), advance), timing, format, force)
        written.append(target)
    return written


def interpolated_timing(timing: Timing, factor: int, *, slow_motion: bool) -> Timing:
    """Times of (N - 1) * factor + 1 frames: evenly between those of `timing`, whose last frame is held as long.

    The first frame keeps its time. Raises InputError where the time base would no longer fit 32 bits.
    """
    first = timing.pts[0]
    fine = [
        factor * (before - first) + step * (after - before)
        for before, after in pairwise(timing.pts)
        for step in range(factor)
    ]
    fine.append(factor * (timing.pts[-1] - first))
    base = timing.time_base if slow_motion else timing.time_base / factor
    shift = first if slow_motion else factor * first
    return Timing(base, [tick + shift for tick in fine], factor * timing.last_duration)


def _write(
    target: Path, pictures: Iterator[NDArray[np.uint8]], timing: Timing, format: ExportFormat, force: bool
) -> None:
    _make_parent(target)
    if format == "mp4":
        write_mp4(target, pictures, timing, force=force)
    else:
        write_png_folder(target, pictures, force=force)


def _span(reader: VideoReader, frames: tuple[int | None, int | None] | None) -> range:
    first, past = frames or (None, None)
    first, past = first or 0, len(reader) if past is None else past
    if not 0 <= first < past <= len(reader):
        raise InputError(
            f"frames {first}:{past} of video {reader.entry.name!r}: give a range that is not empty, in 0:{len(reader)}"
        )
    return range(first, past)


def _part(timing: Timing, span: range) -> Timing:
    ends_early = span.stop < timing.num_frames
    last = timing.pts[span.stop] - timing.pts[span.stop - 1] if ends_early else timing.last_duration
    return Timing(timing.time_base, timing.pts[span.start : span.stop], last)


def _pictures(frames: Iterable[Tensor], advance: Callable[[], None]) -> Iterator[NDArray[np.uint8]]:
    for frame in frames:
        yield frame.permute(1, 2, 0).contiguous().cpu().numpy()
        advance()


def _make_parent(path: Path) -> None:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path.parent}: cannot be created ({error.strerror})") from error
