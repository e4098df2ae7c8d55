"""Pictures one by one."""

import sys

import numpy as np
import pytest

from dnerv.codecs import STILLS, mse, psnr


@pytest.mark.parametrize("name", ["jpeg", "png"])
@pytest.mark.parametrize(("height", "width"), [(1, 1), (17, 33), (64, 96)])
def test_any_size_comes_back(moving_frames, name, height, width):
    frame = moving_frames(1, height, width)[0]
    _, decode = STILLS[name].decoder()
    made = decode(STILLS[name].encode(frame))
    assert made.shape == frame.shape
    assert made.dtype == np.uint8
    assert psnr(mse(frame, made)) > (30 if name == "jpeg" else 99)


def test_jpeg_by_pillow_where_it_is_and_by_ffmpeg_where_not(moving_frames, monkeypatch):
    frame = moving_frames(1, 48, 64)[0]
    data = STILLS["jpeg"].encode(frame)
    name, decode = STILLS["jpeg"].decoder()
    assert name == "Pillow"
    first = decode(data)
    monkeypatch.setattr("dnerv.codecs.stills.find_spec", lambda name: None)
    name, decode = STILLS["jpeg"].decoder()
    assert name == "FFmpeg"
    assert psnr(mse(first, decode(data))) > 30
    assert STILLS["png"].decoder()[0] == "FFmpeg"


def test_names_are_those_of_files():
    assert {still.name: still.suffix for still in STILLS.values()} == {"jpeg": ".jpeg", "png": ".png"}
    assert list(STILLS) == ["jpeg", "png"]
    assert sys.modules["dnerv.codecs.stills"]
