"""Clips drawn from one video, at random or evenly spaced, by index or by time: torchcodec's samplers for our readers.

    clips = clips_at_random_indices(archive["bikes"], num_clips=4, num_frames_per_clip=8)
    clips.data           # uint8 [4, 8, 3, H, W]
    clips.pts_seconds    # float64 [4, 8]

where clips may start ─ starts, drawn or spaced ─ places of each clip's frames ─ past the end: `policy` ─ one batch

Names, arguments, defaults and errors are those of `torchcodec.samplers`, and the same seed of torch draws the same
clips; torchcodec itself is not needed.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import Literal, TypeVar

import torch

from dnerv.archive import FrameBatch, VideoReader
from dnerv.errors import ArgumentError

Policy = Literal["repeat_last", "wrap", "error"]
Place = TypeVar("Place", int, float)  # of a frame: its index, or a time


def clips_at_random_indices(
    decoder: VideoReader,
    *,
    num_clips: int = 1,
    num_frames_per_clip: int = 1,
    num_indices_between_frames: int = 1,
    sampling_range_start: int = 0,
    sampling_range_end: int | None = None,
    policy: Policy = "repeat_last",
) -> FrameBatch:
    """Clips that start at random frames.

    Args:
        decoder: the video.
        num_clips: how many.
        num_frames_per_clip: frames of each.
        num_indices_between_frames: from one frame of a clip to the next.
        sampling_range_start: index of the first frame that a clip may start at; a negative one counts from the end.
        sampling_range_end: and of the first that it may not; None where a clip that starts before it still fits.
        policy: what takes the place of a clip's frames beyond the video's end: its last one that is there
            ("repeat_last"), all that are there once more ("wrap"), or an ArgumentError ("error").

    Returns:
        data uint8 [num_clips, num_frames_per_clip, 3, H, W], or [..., H, W, 3] in the reader's "NHWC"; times and
        durations float64 [num_clips, num_frames_per_clip].

    Raises:
        ArgumentError: (a ValueError) an argument that is not allowed, or a range in which no clip can start.
    """
    first, past = _index_range(
        decoder, num_clips, num_frames_per_clip, num_indices_between_frames, sampling_range_start, sampling_range_end
    )
    starts = torch.randint(first, past, (num_clips,)).tolist()
    return _clips_at_indices(decoder, starts, num_frames_per_clip, num_indices_between_frames, policy)


def clips_at_regular_indices(
    decoder: VideoReader,
    *,
    num_clips: int = 1,
    num_frames_per_clip: int = 1,
    num_indices_between_frames: int = 1,
    sampling_range_start: int = 0,
    sampling_range_end: int | None = None,
    policy: Policy = "repeat_last",
) -> FrameBatch:
    """Clips that start evenly spaced over the range, its first and last frame included; else as drawn at random.

    More clips than there are frames to start at begin at some of them twice.
    """
    first, past = _index_range(
        decoder, num_clips, num_frames_per_clip, num_indices_between_frames, sampling_range_start, sampling_range_end
    )
    starts = torch.linspace(first, past - 1, num_clips, dtype=torch.int).tolist()
    return _clips_at_indices(decoder, starts, num_frames_per_clip, num_indices_between_frames, policy)


def clips_at_random_timestamps(
    decoder: VideoReader,
    *,
    num_clips: int = 1,
    num_frames_per_clip: int = 1,
    seconds_between_frames: float | None = None,
    sampling_range_start: float | None = None,
    sampling_range_end: float | None = None,
    policy: Policy = "repeat_last",
) -> FrameBatch:
    """Clips that start at random times.

    Args:
        decoder: the video.
        num_clips: how many.
        num_frames_per_clip: frames of each: those on show at its start and every `seconds_between_frames` after it.
        seconds_between_frames: None for the video's average.
        sampling_range_start: first time at which a clip may start, in seconds; None for the video's begin.
        sampling_range_end: and the first at which it may not; None where a clip that starts before it still fits.
        policy: as by index.

    Returns:
        As by index.

    Raises:
        ArgumentError: (a ValueError) an argument that is not allowed, or a range in which no clip can start.
    """
    _check_positive(num_clips=num_clips)
    step = _seconds_between(decoder, seconds_between_frames)
    first, past = _time_range(decoder, num_frames_per_clip, step, sampling_range_start, sampling_range_end)
    starts = (torch.rand(num_clips, dtype=torch.float64) * (past - first) + first).tolist()
    return _clips_at_times(decoder, starts, num_frames_per_clip, step, policy)


def clips_at_regular_timestamps(
    decoder: VideoReader,
    *,
    seconds_between_clip_starts: float,
    num_frames_per_clip: int = 1,
    seconds_between_frames: float | None = None,
    sampling_range_start: float | None = None,
    sampling_range_end: float | None = None,
    policy: Policy = "repeat_last",
) -> FrameBatch:
    """A clip every `seconds_between_clip_starts`, as many as the range has; else as drawn at random."""
    _check_positive(seconds_between_clip_starts=seconds_between_clip_starts)
    step = _seconds_between(decoder, seconds_between_frames)
    first, past = _time_range(decoder, num_frames_per_clip, step, sampling_range_start, sampling_range_end)
    spaced = torch.arange(first, past, seconds_between_clip_starts, dtype=torch.float64).tolist()
    starts = [start for start in spaced if start < past]  # rounding may make one more
    return _clips_at_times(decoder, starts, num_frames_per_clip, step, policy)


def _index_range(
    decoder: VideoReader, num_clips: int, num_frames: int, step: int, first: int, past: int | None
) -> tuple[int, int]:
    """Frames at which a clip may start."""
    _check_positive(num_clips=num_clips, num_frames_per_clip=num_frames, num_indices_between_frames=step)
    length = len(decoder)
    if past is None:
        past = max(1, length - step * (num_frames - 1))
    elif past < 0:
        past += length
    first, past = first + length if first < 0 else first, min(past, length)
    if not 0 <= first < past:
        raise ArgumentError(f"sampling range {first} to {past} of {length} frames: no clip can start there")
    return first, past


def _time_range(
    decoder: VideoReader, num_frames: int, step: float, first: float | None, past: float | None
) -> tuple[float, float]:
    """Seconds at which a clip may start."""
    _check_positive(num_frames_per_clip=num_frames)
    begin, end = decoder.metadata.begin_stream_seconds, decoder.metadata.end_stream_seconds
    first = begin if first is None else first
    past = end - step * (num_frames - 1) if past is None else min(past, end)
    if not begin <= first < past:
        raise ArgumentError(
            f"sampling range {first:g} to {past:g} s of a video from {begin:g} to {end:g} s: no clip can start there"
        )
    return first, past


def _seconds_between(decoder: VideoReader, given: float | None) -> float:
    if given is None:
        return 1 / decoder.metadata.average_fps
    _check_positive(seconds_between_frames=given)
    return given


def _clips_at_indices(
    decoder: VideoReader, starts: Sequence[int], num_frames: int, step: int, policy: Policy
) -> FrameBatch:
    filled, length = _policy(policy), len(decoder)
    clips = [range(start, min(length, start + step * num_frames), step) for start in starts]
    return _joined(decoder.get_frames_at([i for clip in clips for i in filled(clip, num_frames)]), num_frames)


def _clips_at_times(
    decoder: VideoReader, starts: Sequence[float], num_frames: int, step: float, policy: Policy
) -> FrameBatch:
    filled, end = _policy(policy), decoder.metadata.end_stream_seconds
    clips = [[time for i in range(num_frames) if (time := start + i * step) < end] for start in starts]
    return _joined(decoder.get_frames_played_at([t for clip in clips for t in filled(clip, num_frames)]), num_frames)


def _joined(frames: FrameBatch, num_frames: int) -> FrameBatch:
    """Frames as clips of `num_frames`."""
    return FrameBatch(
        frames.data.view(-1, num_frames, *frames.data.shape[1:]),
        frames.pts_seconds.view(-1, num_frames),
        frames.duration_seconds.view(-1, num_frames),
    )


def _repeated_last(places: Sequence[Place], count: int) -> list[Place]:
    return [places[min(i, len(places) - 1)] for i in range(count)]


def _wrapped(places: Sequence[Place], count: int) -> list[Place]:
    return [places[i % len(places)] for i in range(count)]


def _whole(places: Sequence[Place], count: int) -> list[Place]:
    if len(places) < count:
        raise ArgumentError(f"the clip from {places[0]} on ends after {len(places)} of {count} frames, with the video")
    return list(places)


_POLICIES: Mapping[Policy, Callable[[Sequence[Place], int], list[Place]]] = {
    "repeat_last": _repeated_last,
    "wrap": _wrapped,
    "error": _whole,
}


def _policy(name: Policy) -> Callable[[Sequence[Place], int], list[Place]]:
    if name not in _POLICIES:
        raise ArgumentError(f"policy is {name!r}; use {', '.join(map(repr, _POLICIES))}")
    return _POLICIES[name]


def _check_positive(**given: float) -> None:
    for name, value in given.items():
        if not value > 0:
            raise ArgumentError(f"{name} is {value}; it is positive")
