"""A LeRobot folder with its videos in one archive.

All that can be known of the folder is checked first: each row of the tables must have its frame, at its time. The
result gathers in `OUTPUT.work` and takes its name at the end, so that a killed run goes on where it was.
"""

from __future__ import annotations

import json
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cache
from itertools import pairwise
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

import av
import numpy as np
from numpy.typing import NDArray

from dnerv import progress
from dnerv.encoding import EncodeOptions, EncodeResult, encode
from dnerv.errors import InputError, OutputError
from dnerv.files import remove
from dnerv.integrations.lerobot.layout import (
    ARCHIVE,
    ORIGINAL_INFO,
    STORAGE_FORMAT,
    TOLERANCE,
    LeRobotFolder,
    copy_files,
    video_name,
)
from dnerv.video.parts import LIST_SUFFIX, FilePart, NamedPart, write_parts

if TYPE_CHECKING:
    from av.video.stream import VideoStream


@dataclass(frozen=True)
class PackResult:
    """A folder with an archive."""

    path: Path
    num_episodes: int
    num_cameras: int
    video_bytes: int  # of the files that the archive stands for
    archive: EncodeResult


def from_lerobot(
    folder: Path | str,
    output: Path | str,
    options: EncodeOptions | None = None,
    *,
    storage_format: bool = False,
    force: bool = False,
    restart: bool = False,
) -> PackResult:
    """Copy a LeRobot folder, its videos coded into one archive, `OUTPUT/videos.dnerv`.

    Everything but the videos is copied to the byte. A video is called `CAMERA/episode_NNNNNN`; its frames are those of
    the episode's rows, with their exact times in the file, counted from the episode's beginning. Its label is the
    episode's task where it has one. Videos of depth maps stay files.

    Args:
        folder: a data set of version 2.0, 2.1 or 3.0.
        output: the folder to make.
        options: of the encoding; no network and no other frame rate.
        storage_format: name the format in `meta/info.json`, for LeRobot's own reader (`storage`); what it was is kept
            beside it.
        force: replace an existing output.
        restart: discard the state of an interrupted run.

    Raises:
        InputError: no such data set, or an episode whose video is missing, too short, or at other times than its rows.
        OutputError: the output exists, or cannot be written.
    """
    source, output = LeRobotFolder(Path(folder)), Path(output)
    options = EncodeOptions() if options is None else options
    if options.fps is not None or options.trains:
        raise InputError("rows of tables are frames: leave --fps out, and the network")
    _check_output(source.path, output, force)
    if not source.cameras:
        raise InputError(f"{source.path}: no feature is a video: there is nothing to encode")
    parts = planned(source)
    if source.cameras_with_sound:
        progress.warning(f"an archive keeps no sound: {', '.join(source.cameras_with_sound)} will have none")
    if source.depth_cameras:
        progress.note(f"depth maps stay files: {', '.join(source.depth_cameras)}")
    work = output.with_name(f"{output.name}.work")
    if restart:
        remove(work)
    files = {part.path for part in parts}
    try:
        work.mkdir(parents=True, exist_ok=True)
        for stale in work.iterdir():  # of an earlier run, be it of another folder: all but the encoding's state
            if not stale.name.startswith(ARCHIVE):
                remove(stale)
        copy_files(source.path, work, besides=files)
        if storage_format:
            _name_format(work)
        listed = work / f"videos{LIST_SUFFIX}"
        write_parts(listed, parts)
        made = replace(encode([listed], work / ARCHIVE, options, force=True), path=output / ARCHIVE)
        listed.unlink()
        if output.exists():
            shutil.rmtree(output)
        work.rename(output)
    except OSError as error:
        raise OutputError(f"{output}: cannot be written ({error.strerror or error})") from error
    video_bytes = sum(file.stat().st_size for file in files)
    return PackResult(output, len(source.episodes), len(source.cameras), video_bytes, made)


def planned(source: LeRobotFolder) -> list[NamedPart]:
    """Which frames of which file are which video. Raises InputError for an episode that lacks some."""
    parts = []
    taken: dict[PurePosixPath, list[tuple[FilePart, str]]] = defaultdict(list)
    there = cache(lambda path: _frame_times(source.path / path))
    for episode, rows in zip(source.episodes, source.rows, strict=True):
        seconds = source.seconds[rows.start : rows.stop]
        for camera in source.cameras:
            path = episode.videos[camera].path
            who = f"episode {episode.number}, {camera}: {source.path / path}"
            if not (source.path / path).is_file():
                raise InputError(f"{who} is missing")
            part = _part(who, episode.videos[camera].begin_seconds, seconds, *there(path))
            taken[path].append((part, who))
            label = episode.tasks[0] if len(episode.tasks) == 1 else None
            name = video_name(camera, episode.number)
            parts.append(NamedPart(name, (source.path / path).resolve(), label, part))
    for path, there_in in taken.items():
        _check_whole(there_in)
        unused = len(there(path)[1]) - sum(part.num_frames for part, _ in there_in)
        if unused:
            progress.warning(f"{source.path / path}: {unused} frames are of no episode, and are left out")
    return parts


def _check_whole(parts: Sequence[tuple[FilePart, str]]) -> None:
    """Raise InputError where episodes of one file have frames in common."""
    ordered = sorted(parts, key=lambda each: each[0].start)
    for (before, who), (after, _) in pairwise(ordered):
        if after.start < before.stop:
            raise InputError(f"{who} is too short: the next episode begins before its table ends")


def _part(who: str, begin: float, seconds: NDArray[np.float64], base: Fraction, ticks: NDArray[np.int64]) -> FilePart:
    """The frames at the times of an episode's rows. Raises InputError where one has none.

    begin: seconds of the file at which the episode's time is 0. base, ticks: times of the file's frames, see
    `_frame_times`.
    """
    origin = round(Fraction(begin) / base)
    times = (ticks - origin) * float(base)
    first = int(np.searchsorted(times, seconds[0] - TOLERANCE))
    found = times[first : first + len(seconds)]
    if len(found) < len(seconds):
        raise InputError(f"{who} is too short: it has {len(found)} of the {len(seconds)} frames of its table")
    apart = np.abs(found - seconds)
    if apart.max() > TOLERANCE:
        row = int(np.argmax(apart > TOLERANCE))
        raise InputError(
            f"{who}: frame {row} is at {found[row]:.6f} s, and its row says {seconds[row]:.6f} s: allowed are "
            f"{TOLERANCE:g} s between them"
        )
    stop = first + len(seconds)
    return FilePart(int(ticks[first]), int(ticks[stop - 1]) + 1, origin, len(seconds))


def _frame_times(path: Path) -> tuple[Fraction, NDArray[np.int64]]:
    """Time base of a file, and its frames' times in ticks, ascending. Raises InputError."""
    try:
        with av.open(f"file:{path}", options={"protocol_whitelist": "file"}) as container:
            stream: VideoStream = container.streams.video[0]
            packets = (packet for packet in container.demux(stream) if packet.size and not packet.is_discard)
            ticks = sorted(packet.pts for packet in packets if packet.pts is not None)
            return Fraction(stream.time_base or 1), np.array(ticks, np.int64)
    except (av.FFmpegError, OSError, IndexError) as error:
        reason = getattr(error, "strerror", None) or "it holds no video"
        raise InputError(f"{path}: cannot be read as a video ({reason})") from error


def _check_output(source: Path, output: Path, force: bool) -> None:
    if output.exists():
        if output.resolve() == source.resolve() or source.resolve().is_relative_to(output.resolve()):
            raise OutputError(f"{output}: is the folder that is read; name another output")
        if not output.is_dir():
            raise OutputError(f"{output}: is a file, a folder name is needed")
        if not force and any(output.iterdir()):
            raise OutputError(f"{output}: exists already; --force (force=True) replaces it")
    if output.resolve().is_relative_to(source.resolve()):
        raise OutputError(f"{output}: lies in the folder that is read; name another output")


def _name_format(folder: Path) -> None:
    info, original = folder / "meta" / "info.json", folder / ORIGINAL_INFO
    shutil.copyfile(info, original)
    named = json.loads(original.read_bytes()) | {"storage_format": STORAGE_FORMAT}
    info.write_text(json.dumps(named, indent=4, ensure_ascii=False))
