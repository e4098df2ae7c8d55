"""Clips drawn from a video: which frames they are, without torchcodec; `test_torchcodec` compares them with its own."""

from __future__ import annotations

import runpy
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import torch

from dnerv.archive import Archive, FrameBatch, VideoReader
from dnerv.errors import ArgumentError
from dnerv.loading import (
    clips_at_random_indices,
    clips_at_random_timestamps,
    clips_at_regular_indices,
    clips_at_regular_timestamps,
    samplers,
)


@pytest.fixture
def reader(base_path: Path) -> Iterator[VideoReader]:
    """13 frames at 10 a second."""
    with Archive(base_path) as archive:
        yield archive["walk/a"]


def frames_of(clips: FrameBatch) -> list[list[int]]:
    return [[round(seconds * 10) for seconds in clip] for clip in clips.pts_seconds.tolist()]


def test_frames_are_the_readers(reader: VideoReader) -> None:
    torch.manual_seed(0)
    clips = clips_at_random_indices(reader, num_clips=5, num_frames_per_clip=3, num_indices_between_frames=2)
    assert (clips.data.shape, clips.data.dtype) == ((5, 3, 3, 32, 32), torch.uint8)
    for clip, frames in zip(clips, frames_of(clips), strict=True):
        assert frames == list(range(frames[0], frames[0] + 6, 2))
        assert torch.equal(clip.data, reader.get_frames_at(frames).data)
    assert len({frames[0] for frames in frames_of(clips)}) > 2


def test_random_clips_start_all_over_their_range(reader: VideoReader) -> None:
    torch.manual_seed(0)
    whole = frames_of(clips_at_random_indices(reader, num_clips=200, num_frames_per_clip=4))
    assert {clip[0] for clip in whole} == set(range(10))
    part = frames_of(clips_at_random_indices(reader, num_clips=90, sampling_range_start=-4, sampling_range_end=-1))
    assert {clip[0] for clip in part} == {9, 10, 11}
    timed = frames_of(clips_at_random_timestamps(reader, num_clips=200, num_frames_per_clip=4))
    assert {clip[0] for clip in timed} == set(range(10))


def test_regular_clips(reader: VideoReader) -> None:
    assert frames_of(clips_at_regular_indices(reader, num_clips=3, num_frames_per_clip=3)) == [
        [0, 1, 2],
        [5, 6, 7],
        [10, 11, 12],
    ]
    spaced = clips_at_regular_timestamps(reader, seconds_between_clip_starts=0.5, num_frames_per_clip=2)
    assert frames_of(spaced) == [[0, 1], [5, 6], [10, 11]]
    assert frames_of(
        clips_at_regular_timestamps(reader, seconds_between_clip_starts=0.45, seconds_between_frames=0.25)
    ) == [[0], [4], [9]]


def test_policies(reader: VideoReader) -> None:
    def last(policy: str) -> list[int]:
        return frames_of(
            clips_at_regular_indices(
                reader,
                num_clips=2,
                num_frames_per_clip=5,
                sampling_range_end=12,
                policy=policy,  # type: ignore[arg-type]
            )
        )[1]

    assert last("repeat_last") == [11, 12, 12, 12, 12]
    assert last("wrap") == [11, 12, 11, 12, 11]
    with pytest.raises(ArgumentError, match="the clip from 11 on ends after 2 of 5 frames"):
        last("error")
    with pytest.raises(ArgumentError, match="use 'repeat_last', 'wrap', 'error'"):
        last("mirror")


def test_a_video_shorter_than_a_clip(base_path: Path) -> None:
    with Archive(base_path, dimension_order="NHWC") as archive:
        one = clips_at_random_indices(archive["loose"], num_clips=2, num_frames_per_clip=4)
        assert one.data.shape == (2, 4, 32, 32, 3)
        assert frames_of(one) == [[0] * 4] * 2
        with pytest.raises(ArgumentError, match="no clip can start there"):
            clips_at_random_timestamps(archive["loose"], num_frames_per_clip=4)


def test_torchcodec_is_not_needed(reader: VideoReader, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "torchcodec", None)  # importing it fails
    made = runpy.run_path(str(samplers.__file__))
    for name in (name for name in made if name.startswith("clips_at_random")):
        assert made[name](reader, num_frames_per_clip=2).data.shape == (1, 2, 3, 32, 32)
