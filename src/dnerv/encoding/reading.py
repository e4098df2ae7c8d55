"""Videos for the encoder: decoded onto the disk, each with frames that can be coded; the others are told."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Executor
from fractions import Fraction
from functools import partial
from pathlib import Path

from dnerv import progress
from dnerv.codecs import SvtAv1
from dnerv.encoding.workers import for_each
from dnerv.errors import InputError
from dnerv.process import in_order
from dnerv.video import CachedVideo, Member, cache_videos
from dnerv.video.cache import attempted, usable
from dnerv.video.corpus import OnBad
from dnerv.video.source_frames import look_at

_SURELY_CODED, _SURELY_CODED_SIDE = 1 << 23, 8192  # pixels, of a frame and of a side


def read_videos(
    members: Sequence[Member],
    folder: Path,
    on_bad: OnBad,
    *,
    size: tuple[int, int] | None,
    fps: Fraction | None,
    prepare: Callable[[CachedVideo], CachedVideo],
    workers: Executor | None = None,
) -> list[CachedVideo]:
    """Every frame of every video on disk in `folder`, scaled and resampled as asked.

    Args:
        on_bad: told of what cannot be used; where it returns, the rest goes on.
        size: height, width in pixels; None: as they are. fps: likewise.
        prepare: checks and changes a video; it raises InputError where that cannot be used.
        workers: who reads; frames then stay in their sources until they are asked for (`SourceFrames`). None: threads
            of this process, and all frames come onto the disk.

    Raises:
        InputError: no video is left.
        OutputError: the frames cannot be written.
    """
    videos = []
    if workers is None:
        found = cache_videos(members, folder, size=size, fps=fps, on_bad=on_bad)
    else:
        look = partial(attempted, partial(look_at, folder=folder, size=size, fps=fps))
        found = usable(members, in_order(for_each(look, members, workers)), on_bad)
    for video in found:
        try:
            videos.append(prepare(video))
        except InputError as error:
            on_bad(error)
    if not videos:
        raise InputError("none of the videos could be read: there is nothing to encode")
    return videos


def checked_size(video: CachedVideo) -> CachedVideo:
    """The video. Raises InputError for frames larger than the encoder takes; it may refuse them by their area, too."""
    if video.height * video.width > _SURELY_CODED or max(video.height, video.width) > _SURELY_CODED_SIDE:
        try:
            SvtAv1().check_size(video.height, video.width)
        except InputError as error:
            raise InputError(f"{video.name}: {error}; --resolution makes them smaller") from None
    return video


def stop(error: InputError) -> None:
    """What is done about an unusable video by default. Raises InputError."""
    raise InputError(f"{error} (--skip-bad leaves such files out)") from None


def warn(error: InputError) -> None:
    """What is done about one where such are left out."""
    progress.warning(f"skipped: {error}")
