"""Videos of an archive as files for people: mp4, or folders of PNG."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Literal

import numpy as np
from numpy.typing import NDArray
from torch import Tensor

from dnerv import progress
from dnerv.archive.archive import Archive
from dnerv.archive.video_reader import LARGEST_FACTOR, VideoReader
from dnerv.archive.videos import Videos
from dnerv.errors import DnervError, InputError, OutputError
from dnerv.video import Timing, write_mp4, write_png_folder
from dnerv.video.names import LONGEST_FILE_NAME, file_names
from dnerv.video.writer import check_mp4, check_png_folder

ExportFormat = Literal["mp4", "png"]
_LISTED = 5  # files in a message
Write = Callable[[Path], None]  # writes one video; raises DnervError


def export_videos(
    videos: Videos,
    directory: Path,
    *,
    names: Sequence[str] | None = None,
    frames: tuple[int | None, int | None] | None = None,
    format: ExportFormat = "mp4",
    force: bool = False,
) -> list[Path]:
    """Decode videos of an archive or a collection into `directory`, one file or folder each, under their names.

    An mp4 has the matrix, range and depth of the video's source; a PNG is 8-bit RGB.

    A name that no file can have is replaced, and a video that cannot be written does not end the rest: both are told
    as warnings. Progress is by frame.

    Args:
        names: videos wanted; None for all.
        frames: (first, past the last) of each video, as in a slice; None for all. Images keep their numbers in the
            video, so that parts can be written one after the other into the same folder.

    Returns:
        What was written, in order.

    Raises:
        InputError: no video of a name, a range that is empty or outside, a format that is not known.
        OutputError: an output exists and `force` is off; nothing has been written then.
        DnervError: some videos could not be decoded or written; all others were. Nothing half-written stays. Of
            several videos it says which; why is told by warnings, and by its cause for the first.
    """
    chosen = _chosen(videos, names, format)
    spans = [_span(reader, frames) for _, reader in chosen]

    def write(archive: Archive, reader: VideoReader, span: range, target: Path) -> None:
        pictures = _pictures(reader[index] for index in span)
        if format == "mp4":
            _write_mp4(archive, reader, target, pictures, _part(reader.entry.timing, span), force)
        else:
            write_png_folder(target, pictures, first=None if frames is None else span.start, force=force)

    targets = _targets(videos, [reader for _, reader in chosen], directory, format)
    for target, span in zip(targets, spans, strict=True):
        _check_free(target, format, None if frames is None else span, force)
    return _write_all(targets, [partial(write, *each, span) for each, span in zip(chosen, spans, strict=True)])


def interpolate_videos(
    videos: Videos,
    directory: Path,
    *,
    factor: int,
    slow_motion: bool = True,
    names: Sequence[str] | None = None,
    format: ExportFormat = "mp4",
    force: bool = False,
) -> list[Path]:
    """Decode videos into `directory` with `factor` - 1 frames between each and the next, as `export_videos` does.

    Args:
        slow_motion: stretch time, so that the rate stays and the video lasts `factor` times as long; otherwise the
            duration stays and the rate is `factor` times as high.

    Returns, raises: as `export_videos`; also InputError for a factor outside 2 to 64.
    """
    if not 2 <= factor <= LARGEST_FACTOR:
        raise InputError(f"factor {factor}: allowed are 2 to {LARGEST_FACTOR}")
    chosen = _chosen(videos, names, format)
    times = [interpolated_timing(reader.entry.timing, factor, slow_motion=slow_motion) for _, reader in chosen]

    def write(archive: Archive, reader: VideoReader, timing: Timing, target: Path) -> None:
        pictures = _pictures(reader.interpolated(factor))
        if format == "mp4":
            _write_mp4(archive, reader, target, pictures, timing, force)
        else:
            write_png_folder(target, pictures, force=force)

    targets = _targets(videos, [reader for _, reader in chosen], directory, format)
    for target in targets:
        _check_free(target, format, None, force)
    return _write_all(targets, [partial(write, *each, timing) for each, timing in zip(chosen, times, strict=True)])


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


def _write_mp4(
    archive: Archive,
    reader: VideoReader,
    target: Path,
    pictures: Iterable[NDArray[np.uint8]],
    timing: Timing,
    force: bool,
) -> None:
    """With the source's matrix, range and depth, which come with a base layer; BT.709, limited, 8 bits without one."""
    if not reader.entry.num_coded:
        write_mp4(target, pictures, timing, force=force)
        return
    format = archive.base.format_of(reader.entry)
    write_mp4(target, pictures, timing, force=force, **asdict(format.shown))


def _chosen(videos: Videos, names: Sequence[str] | None, format: ExportFormat) -> list[tuple[Archive, VideoReader]]:
    """Readers of the videos wanted, with the archives that they are in."""
    if format not in ("mp4", "png"):
        raise InputError(f"format is {format!r}; use 'mp4' or 'png'")
    found = map(videos.located, range(len(videos))) if names is None else map(videos.find, names)
    return [(archive, archive.reader(entry, dimension_order="NCHW")) for archive, entry in found]


def _targets(videos: Videos, readers: Sequence[VideoReader], directory: Path, format: ExportFormat) -> list[Path]:
    """Where each video goes. Of all videos' names, so that a video's place does not depend on who is beside."""
    places = file_names(videos.names, ".mp4" if format == "mp4" else "", _longest_name(directory))
    _check_folder(directory)
    targets = []
    for reader in readers:
        name = reader.entry.name
        targets.append(directory / places[name])
        if str(places[name]) != name + (".mp4" if format == "mp4" else ""):
            progress.warning(f"{name!r} cannot be the name of a file here: it is written as {targets[-1]}")
    return targets


def _check_folder(directory: Path) -> None:
    """Raise OutputError where nothing can be written into it, before anything is decoded."""
    there = next(place for place in (directory, *directory.absolute().parents) if place.exists())
    if not there.is_dir():
        raise OutputError(f"{directory}: cannot be written into, since {there} is a file; give a folder")
    if there != directory and not os.access(there, os.W_OK | os.X_OK):
        raise OutputError(f"{directory}: cannot be made: {there} may not be written to")


def _longest_name(directory: Path) -> int:
    """Bytes that a file's name can have there."""
    for place in (directory, *directory.absolute().parents):
        try:
            return os.pathconf(place, "PC_NAME_MAX")
        except (OSError, ValueError):
            continue
    return LONGEST_FILE_NAME


def _check_free(target: Path, format: ExportFormat, numbers: range | None, force: bool) -> None:
    if format == "mp4":
        check_mp4(target, force=force)
    else:
        check_png_folder(target, numbers, force=force)


def _write_all(targets: Sequence[Path], writes: Sequence[Write]) -> list[Path]:
    """What could be written. Of several, those that could not are told as they come, and counted by an error."""
    errors: dict[Path, DnervError] = {}
    written = []
    for target, write in zip(targets, writes, strict=True):
        try:
            write(target)
            written.append(target)
        except DnervError as error:
            if len(targets) == 1:
                raise
            if str(error) not in map(str, errors.values()):  # what is wrong with all of them is said once
                progress.warning(str(error))
            errors[target] = error
    if errors:
        first = next(iter(errors.values()))
        missing = ", ".join(map(str, [*errors][:_LISTED])) + (", ..." if len(errors) > _LISTED else "")
        raise type(first)(f"{len(errors)} of {len(targets)} videos could not be written: {missing}") from first
    return written


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


def _pictures(frames: Iterable[Tensor]) -> Iterator[NDArray[np.uint8]]:
    for frame in frames:
        yield frame.permute(1, 2, 0).contiguous().cpu().numpy()
        progress.advance()
