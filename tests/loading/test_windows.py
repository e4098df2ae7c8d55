import pytest

from dnerv.errors import InputError
from dnerv.loading.windows import Windows


def listed(windows: Windows, seed: tuple[int, int] | None = None) -> list[tuple[int, list[int]]]:
    found = (windows.frames(index, seed=seed) for index in range(len(windows)))
    return [(video, frames.tolist()) for video, frames in found]


def test_one_frame_repeats() -> None:
    assert listed(Windows([1], 3)) == [(0, [0, 0, 0])]
    assert listed(Windows([1], 1)) == [(0, [0])]
    assert listed(Windows([1], 2, clips_per_video=2)) == [(0, [0, 0])] * 2


def test_windows_do_not_overlap_and_the_rest_is_left_out() -> None:
    assert listed(Windows([4, 11, 2], 4)) == [
        (0, [0, 1, 2, 3]),
        (1, [0, 1, 2, 3]),
        (1, [4, 5, 6, 7]),
        (2, [0, 1, 1, 1]),
    ]


@pytest.mark.parametrize(
    ("length", "starts"), [(3, [0]), (5, [0]), (10, [0]), (11, [0, 6]), (16, [0, 6]), (17, [0, 6, 12])]
)
def test_steps(length: int, starts: list[int]) -> None:
    """Three frames, two apart: five frames are enough for the last window."""
    expected = [[min(start + i, length - 1) for i in (0, 2, 4)] for start in starts]
    assert [frames for _, frames in listed(Windows([length], 3, 2))] == expected


def test_no_frame_twice_in_an_epoch() -> None:
    for step in (1, 2, 3):
        windows = Windows([5, 40, 23], 5, step)
        frames = [(video, frame) for video, clip in listed(windows) for frame in set(clip)]
        assert len(frames) == len(set(frames))


def test_evenly_spaced() -> None:
    assert [frames[0] for _, frames in listed(Windows([20], 4, clips_per_video=3))] == [0, 8, 16]
    assert [frames[0] for _, frames in listed(Windows([20], 4, clips_per_video=1))] == [8]
    assert [video for video, _ in listed(Windows([20, 1], 4, clips_per_video=2))] == [0, 0, 1, 1]


def test_random_starts_follow_seed_and_epoch_and_reach_both_ends() -> None:
    windows = Windows([9] * 60, 4, clips_per_video=2)
    first = listed(windows, (3, 0))
    assert first == listed(windows, (3, 0))
    assert first != listed(windows, (3, 1))
    assert first != listed(windows, (4, 0))
    assert {frames[0] for _, frames in first} == set(range(6))
    assert all(frames == list(range(frames[0], frames[0] + 4)) for _, frames in first)


def test_ten_thousand_videos_of_any_length_are_arithmetic() -> None:
    windows = Windows([2_000_000] * 10_000, 16)
    assert len(windows) == 125_000 * 10_000
    video, frames = windows.frames(len(windows) - 1)
    assert (video, frames[-1]) == (9_999, 1_999_999)


@pytest.mark.parametrize("arguments", [([5], 0), ([5], 1, 0), ([5], 1, 1, 0), ([], 1)])
def test_refused(arguments: tuple[object, ...]) -> None:
    with pytest.raises(InputError, match=r"at least 1|no videos"):
        Windows(*arguments)  # type: ignore[arg-type]
