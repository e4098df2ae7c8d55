import math

import pytest

from dnerv.errors import InputError
from dnerv.evaluation import AnchorMatch, AnchorPoint, encode_anchor, match_bytes


@pytest.fixture(scope="module")
def videos(moving_frames):
    return [moving_frames(6, 48, 64), moving_frames(3, 30, 50, seed=1)]


def match(codec, videos, target, **options):
    return match_bytes(codec, videos, target, **{"fps": 25, "preset": "ultrafast", **options})


@pytest.mark.parametrize(("codec", "step"), [("x264", 1 / 16), ("x265", 1 / 16), ("svtav1", 1 / 4)])
def test_neighbours_on_both_sides_of_the_target(videos, codec, step):
    middle = sum(encode_anchor(codec, v, fps=25, crf=33, preset="ultrafast").size for v in videos)
    result = match(codec, videos, middle + 1)
    assert result.below.size < middle + 1 <= result.above.size
    assert result.below.crf - result.above.crf == step
    assert 20 < result.above.crf < 40
    assert result.below.psnr < result.above.psnr + 0.2
    assert min(result.below.psnr, result.above.psnr) <= result.psnr_at_target
    assert result.psnr_at_target <= max(result.below.psnr, result.above.psnr)
    assert "interpolated" in result.note


def test_point_is_what_encode_anchor_gives(videos):
    result = match("x264", videos, 3000, fps=[25, 10]).above
    sizes = [
        encode_anchor("x264", video, fps=fps, crf=result.crf, preset="ultrafast").size
        for video, fps in zip(videos, (25, 10), strict=True)
    ]
    assert result.size == sum(sizes)


@pytest.mark.parametrize("codec", ["x264", "x265", "svtav1"])
def test_out_of_reach_is_said(videos, codec):
    large = match(codec, videos, 10**9)
    assert (large.above, large.psnr_at_target) == (None, None)
    assert large.below.crf == 1
    assert "cannot be as large" in large.note
    small = match(codec, videos, 5)
    assert (small.below, small.psnr_at_target) == (None, None)
    assert "cannot be as small" in small.note


def test_interpolation_is_linear_in_log_bytes():
    above, below = AnchorPoint(20, 4000, 36.0, 35.0), AnchorPoint(21, 1000, 30.0, 29.0)
    assert AnchorMatch("x264", 2000, above, below).psnr_at_target == pytest.approx(33)
    assert AnchorMatch("x264", 4000, above, below).psnr_at_target == 36
    assert "exactly" in AnchorMatch("x264", 4000, above, None).note
    share = math.log(3) / math.log(4)
    assert AnchorMatch("x264", 3000, above, below).psnr_at_target == pytest.approx(30 + 6 * share)


def test_videos_may_be_lazy(videos):
    class Lazy:
        def __iter__(self):
            yield from videos[0]

    assert match("x264", [Lazy()], 2000) == match("x264", videos[:1], 2000)


@pytest.mark.parametrize(("count", "target", "fps"), [(0, 100, 25), (1, 0, 25), (1, 100, [25, 25])])
def test_bad_requests_are_refused(videos, count, target, fps):
    with pytest.raises(InputError):
        match("x264", videos[:count], target, fps=fps)
