"""Keyframes blended by distance."""

import numpy as np

from dnerv.codecs import blended
from dnerv.video import Timeline


def test_frames_between_keyframes_are_weighted_by_distance() -> None:
    keyframes = np.stack([np.full((2, 3, 3), value, np.uint8) for value in (0, 80, 100)])
    frames = list(blended(keyframes, Timeline(7, 4, 4)))
    assert [int(frame[0, 0, 0]) for frame in frames] == [0, 20, 40, 60, 80, 90, 100]
    assert all(frame.shape == (2, 3, 3) and frame.dtype == np.uint8 for frame in frames)


def test_one_frame() -> None:
    keyframes = np.full((1, 2, 2, 3), 7, np.uint8)
    assert np.array_equal(np.stack(list(blended(keyframes, Timeline(1, 8, 8)))), keyframes)
