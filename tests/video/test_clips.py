import pickle
from itertools import product

import numpy as np
import pytest
import torch

from dnerv.errors import InputError
from dnerv.video import Timeline

LAYOUTS = list(product([1, 2, 3, 7, 8, 9, 16, 17, 25], [1, 4, 8], [1, 3, 8, 40]))


@pytest.mark.parametrize(("n", "t", "k"), LAYOUTS)
def test_keyframes_are_every_k_and_the_last(n: int, t: int, k: int) -> None:
    timeline = Timeline(n, t, k)
    positions = timeline.keyframe_positions.tolist()
    assert positions == sorted({*range(0, n, k), n - 1})
    assert timeline.num_keyframes == len(positions)


@pytest.mark.parametrize(("n", "t", "k"), LAYOUTS)
def test_clips_partition_the_video_and_pad_with_its_last_frame(n: int, t: int, k: int) -> None:
    timeline = Timeline(n, t, k)
    assert [f for c in range(timeline.num_clips) for f in timeline.clip(c)] == list(range(n))
    for c in range(timeline.num_clips):
        frames, real = timeline.padded_clip(c)
        assert frames.shape == real.shape == (t,)
        assert frames[real].tolist() == list(timeline.clip(c))
        assert (frames[~real] == n - 1).all()
        assert real[0]


@pytest.mark.parametrize(("n", "t", "k"), LAYOUTS)
def test_conditioning_frame_by_frame(n: int, t: int, k: int) -> None:
    timeline = Timeline(n, t, k)
    positions = timeline.keyframe_positions
    told = timeline.conditioning(np.arange(n))
    for frame in range(n):
        start, end = positions[told.start[frame]], positions[told.end[frame]]
        assert start == frame // k * k
        assert start <= frame <= end
        assert end == min(start + k, n - 1)
        assert told.distance[frame] == np.float32((frame - start) / max(1, end - start))
        assert told.time[frame] == np.float32(frame / max(1, n - 1))
    assert (told.distance >= 0).all()
    assert (told.distance <= 1).all()
    # A blend of the two keyframes by distance gives each keyframe itself at its own place.
    blend = (1 - told.distance) * positions[told.start] + told.distance * positions[told.end]
    assert np.allclose(blend[positions], positions)


@pytest.mark.parametrize("n", [1, 5, 8, 9, 16, 17, 23])
def test_equal_clip_and_keyframe_distance_is_the_paper(n: int) -> None:
    t = 8
    timeline = Timeline(n, t, t)
    positions = timeline.keyframe_positions
    entry = torch.nn.functional.interpolate(
        torch.tensor([[[0.0, 1.0]]]), size=t, mode="linear", align_corners=False
    ).flatten()
    for c in range(timeline.num_clips):
        frames = np.array(timeline.clip(c))
        told = timeline.conditioning(frames)
        assert (positions[told.start] == c * t).all()
        assert (positions[told.end] == min((c + 1) * t, n - 1)).all()
        assert np.allclose(told.blend_at_entry, entry[: len(frames)], atol=1e-6)


def test_distance_one_makes_every_frame_its_own_keyframe() -> None:
    told = Timeline(5, 4, 1).conditioning(np.arange(5))
    assert told.start.tolist() == [0, 1, 2, 3, 4]
    assert told.end.tolist() == [1, 2, 3, 4, 4]
    assert not told.distance.any()
    assert np.allclose(told.blend_at_entry, 0.5)


def test_one_frame() -> None:
    timeline = Timeline(1, 8, 8)
    told = timeline.conditioning(np.array([0]))
    assert [told.start[0], told.end[0], told.distance[0], told.time[0]] == [0, 0, 0, 0]
    assert timeline.padded_clip(0)[1].tolist() == [True] + [False] * 7


def test_shapes_and_types() -> None:
    timeline = Timeline(100, 8, 8)
    told = timeline.conditioning(np.array([[3, 99], [8, 50]], np.int32))
    assert [a.shape for a in told] == [(2, 2)] * 5
    assert [a.dtype for a in told] == [np.int64, np.int64, np.float32, np.float32, np.float32]


def test_nonsense_is_refused_and_a_timeline_is_small() -> None:
    for fields in ((0, 1, 1), (1, 0, 1), (1, 1, 0)):
        with pytest.raises(InputError):
            Timeline(*fields)
    timeline = Timeline(10**6, 8, 8)
    assert len(pickle.dumps(timeline)) < 200
    for frames in ([-1], [10**6]):
        with pytest.raises(InputError, match="allowed"):
            timeline.conditioning(np.array(frames))
    for clip in (-1, timeline.num_clips):
        with pytest.raises(InputError, match="clip"):
            timeline.clip(clip)


@pytest.mark.parametrize(("n", "t", "k"), LAYOUTS)
def test_positions_between_frames_lie_in_the_interval_of_their_neighbours(n: int, t: int, k: int) -> None:
    timeline = Timeline(n, t, k)
    between = np.arange(n - 1) + 1 / 3
    told, before = timeline.conditioning(between), timeline.conditioning(np.arange(n - 1))
    ends = timeline.keyframe_positions
    assert (told.start == before.start).all()
    assert (told.end == before.end).all()
    assert [a.dtype for a in told] == [a.dtype for a in before]
    # The distance says where between its keyframes a position lies.
    np.testing.assert_allclose((1 - told.distance) * ends[told.start] + told.distance * ends[told.end], between, 1e-5)
    np.testing.assert_allclose(told.time, between / max(1, n - 1), 1e-6)


@pytest.mark.parametrize(("n", "t", "k"), LAYOUTS)
def test_a_clip_in_between_is_the_clip_a_phase_later(n: int, t: int, k: int) -> None:
    timeline = Timeline(n, t, k)
    for c in range(timeline.num_clips):
        positions = timeline.clip_positions(c, 0.25)
        assert (positions == np.minimum(np.arange(c * t, c * t + t) + 0.25, n - 1)[: len(positions)]).all()
        told = timeline.clip_conditioning(c, 0.25)
        assert (told.time == timeline.conditioning(positions).time).all()
        # A phase of next to nothing is the clip itself, wherever no interval ends.
        almost, itself = timeline.clip_conditioning(c, 1e-9), timeline.clip_conditioning(c)
        for moved, still in zip(almost, itself, strict=True):
            np.testing.assert_allclose(moved, still, atol=1e-6)


def test_entry_blend_runs_on_between_frames() -> None:
    told = Timeline(17, 8, 8).clip_conditioning(0, 0.5)
    np.testing.assert_allclose(told.blend_at_entry, ((np.arange(8) + 1.0) / 4 - 0.5).clip(0, 1))


def test_positions_outside_are_refused() -> None:
    timeline = Timeline(9, 8, 8)
    for position in (-0.01, 8.01):
        with pytest.raises(InputError, match="allowed"):
            timeline.conditioning(np.array([position]))
    for phase in (-0.1, 1.0):
        with pytest.raises(InputError, match="phase"):
            timeline.clip_conditioning(0, phase)


@pytest.mark.parametrize("every", [1, 2, 3, 4, 7, 8, 300])
@pytest.mark.parametrize("count", [1, 2, 3, 9, 10, 16, 17, 100])
def test_one_frame_at_a_time_is_conditioned_alike(count: int, every: int) -> None:
    timeline = Timeline(count, 1, every)
    positions = [*range(count), *(step / 7 for step in range(7 * (count - 1) + 1))]
    for frame in positions:
        start, end, share = timeline.around(frame)
        wanted = timeline.conditioning(np.array([frame]))
        assert share == wanted.distance[0]
        assert (start, end) == (wanted.start[0], wanted.end[0])
    for outside in (-1, -0.1, count, count - 0.9, float("nan")):
        with pytest.raises(InputError, match="allowed are"):
            timeline.around(outside)
