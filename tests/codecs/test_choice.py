import numpy as np
import pytest

from dnerv.codecs import better_mode
from dnerv.errors import InputError


def test_slow_motion_is_coded_inter(moving_frames):
    video = moving_frames(12, 48, 64)
    assert better_mode([video, video[:5]], crf=40) == "inter"
    assert better_mode([video, video[:5]], crf=40) == "inter"


def test_single_frames_are_coded_as_stills(moving_frames):
    videos = [moving_frames(1, 48, 64, seed=seed) for seed in range(3)]
    assert better_mode(videos, crf=40) == "stills"


@pytest.mark.parametrize("crf", [1, 70])
def test_flat_frames_and_extreme_crf_end(crf):
    assert better_mode([[np.full((16, 16, 3), 90, np.uint8)] * 3, []], crf=crf) in ("inter", "stills")


def test_an_empty_sample_is_refused():
    with pytest.raises(InputError, match="no frames"):
        better_mode([[], []], crf=40)
