"""Clips by index: frames, keyframes, masks and times."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest
import torch

from dnerv.families import DNeRVConfig
from dnerv.training import ClipSet, TrainingVideo
from dnerv.training.clip_set import thinned_conditioning
from dnerv.video import Timeline


def test_clips_of_two_videos(clips: ClipSet, frames_of: Callable[..., np.ndarray]) -> None:
    assert len(clips) == 3  # 6 frames are two clips of 4, 3 frames are one
    batch = clips.batch([0, 1, 2])
    assert batch.wanted.shape == (3, 4, 3, 16, 16)
    assert batch.wanted.dtype == torch.uint8
    assert batch.mask.tolist() == [[True] * 4, [True, True, False, False], [True, True, True, False]]
    long = torch.from_numpy(frames_of(6, 16, 16)).permute(0, 3, 1, 2)
    assert torch.equal(batch.wanted[0], long[:4])
    assert torch.equal(batch.wanted[1], long[[4, 5, 5, 5]])
    keyframes = (batch.inputs.keyframes * 255).round().to(torch.uint8)
    assert torch.equal(keyframes[batch.inputs.start[:2, 0]], long[[0, 4]])
    assert torch.equal(keyframes[batch.inputs.end[:2, 0]], long[[4, 5]])
    np.testing.assert_allclose(batch.inputs.time[0], np.arange(4) / 5)
    np.testing.assert_allclose(batch.inputs.time[2], [0, 0.5, 1, 1])


def test_order_of_the_batch_is_the_order_asked_for(clips: ClipSet) -> None:
    assert torch.equal(clips.batch([2, 0]).wanted, clips.batch([0, 2]).wanted.flip(0))


def test_absolute_time_and_no_keyframes(clips: ClipSet) -> None:
    videos = [TrainingVideo(v.video, v.timeline, None, v.first_frame) for v in clips.videos]
    batch = ClipSet(videos, clips.canvas, 4, absolute_time=True).batch([0, 2])
    assert batch.inputs.keyframes.shape == (0, 3, 16, 16)
    np.testing.assert_allclose(batch.inputs.time[0], np.arange(4) / 9, rtol=1e-6)
    np.testing.assert_allclose(batch.inputs.time[1], np.array([6, 7, 8, 8]) / 9, rtol=1e-6)


def test_tiles_are_clips_of_their_own(
    tmp_path: Path, config: DNeRVConfig, clips_of: Callable[..., ClipSet], frames_of: Callable[..., np.ndarray]
) -> None:
    tiled = clips_of(tmp_path / "wide", config, (5,), (16, 28))
    assert len(tiled) == 4  # two clips of two tiles
    frames = torch.from_numpy(frames_of(5, 16, 28)).permute(0, 3, 1, 2)
    batch = tiled.batch([0, 1, 3])
    assert torch.equal(batch.wanted[0], frames[:4, :, :, :16])
    assert torch.equal(batch.wanted[1], frames[:4, :, :, 12:])
    assert torch.equal(batch.wanted[2], frames[[4] * 4, :, :, 12:])
    first = (batch.inputs.keyframes[batch.inputs.start[1, 0]] * 255).round().to(torch.uint8)
    assert torch.equal(first, frames[0, :, :, 12:])


def test_real_frames_are_those_that_masks_show(
    tmp_path: Path, config: DNeRVConfig, clips_of: Callable[..., ClipSet]
) -> None:
    many = clips_of(tmp_path, config, (9, 1, 6), (16, 24))  # of several tiles
    for index in range(len(many)):
        assert many.num_real_frames([index]) == int(many.batch([index]).mask.sum())
    assert many.num_real_frames(range(len(many))) == (9 + 1 + 6) * (len(many) // 6)
    assert many.num_real_frames([]) == 0


@pytest.mark.parametrize("num_frames", [1, 2, 5, 8, 9, 16, 17, 30])
@pytest.mark.parametrize("every", [1, 2, 4, 3])
def test_thinned_keyframes_are_every_second_one_and_the_last(num_frames: int, every: int) -> None:
    timeline = Timeline(num_frames, 4, every)
    coarse = Timeline(num_frames, 4, 2 * every)
    for clip in range(timeline.num_clips):
        found, wanted = thinned_conditioning(timeline, clip), coarse.clip_conditioning(clip)
        for place in ("start", "end"):
            mine = timeline.keyframe_positions[getattr(found, place)]
            assert np.array_equal(mine, coarse.keyframe_positions[getattr(wanted, place)])
        assert np.array_equal(found.distance, wanted.distance)


def test_a_thinned_batch_has_the_same_frames_between_keyframes_further_apart(
    clips: ClipSet, frames_of: Callable[..., np.ndarray]
) -> None:
    whole, thinned = clips.batch([0, 1]), clips.batch([0, 1], is_thinned=True)
    assert torch.equal(whole.wanted, thinned.wanted)
    keyframes = (thinned.inputs.keyframes * 255).round().to(torch.uint8)
    long = torch.from_numpy(frames_of(6, 16, 16)).permute(0, 3, 1, 2)
    assert torch.equal(keyframes[thinned.inputs.start[:, 0]], long[[0, 0]])  # of 0, 4 and 5 the second is not there
    assert torch.equal(keyframes[thinned.inputs.end[:, 0]], long[[5, 5]])
    np.testing.assert_allclose(thinned.inputs.distance[0], np.arange(4) / 5, rtol=1e-6)
