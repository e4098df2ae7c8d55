"""Keyframes blended by distance."""

import numpy as np
import pytest

from dnerv.codecs import blend, blended, compiled
from dnerv.codecs.blending import blends_into
from dnerv.video import Timeline


def test_frames_between_keyframes_are_weighted_by_distance() -> None:
    keyframes = np.stack([np.full((2, 3, 3), value, np.uint8) for value in (0, 80, 100)])
    frames = list(blended(keyframes, Timeline(7, 4, 4)))
    assert [int(frame[0, 0, 0]) for frame in frames] == [0, 20, 40, 60, 80, 90, 100]
    assert all(frame.shape == (2, 3, 3) and frame.dtype == np.uint8 for frame in frames)


def test_one_frame() -> None:
    keyframes = np.full((1, 2, 2, 3), 7, np.uint8)
    assert np.array_equal(np.stack(list(blended(keyframes, Timeline(1, 8, 8)))), keyframes)


@pytest.fixture(params=["compiled", "numpy"])
def way(request, monkeypatch) -> None:
    """Both ways of mixing, one after the other."""
    if request.param == "numpy":
        monkeypatch.setattr(compiled, "planes", None)
    elif compiled.planes is None:
        pytest.skip("dnerv was installed without a compiler: src/dnerv/codecs/_planes.c is not built")


@pytest.mark.usefixtures("way")
@pytest.mark.parametrize("distance", [1, 2, 3, 4, 6, 8, 16, 255, 256, 300])
def test_many_blends_at_once_are_the_same(distance: int) -> None:
    """Every pair of values there is, at shares in order and out of it."""
    start, end = (np.ascontiguousarray(values, np.uint8) for values in np.mgrid[:256, :256])
    steps = [*range(min(distance + 1, 9)), distance // 2, distance - 1]
    shares = [float(np.float32(step / distance)) for step in steps]
    made = np.empty((len(shares), 256, 256), np.uint8)
    blends_into(start, end, shares, made)
    for share, one in zip(shares, made, strict=True):
        assert np.array_equal(one, blend(start, end, share))
