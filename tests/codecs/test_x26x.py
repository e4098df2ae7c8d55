"""What only x264 and x265 need."""

import pytest

from dnerv.codecs import CODECS
from dnerv.codecs.x26x import _without_settings_note


def coded(name, frames, **options):
    return CODECS[name].encode(frames, **{"fps": 25, "crf": 30, "effort": "fast", **options}).packets


@pytest.mark.parametrize("name", ["x264", "x265"])
def test_options_reach_the_encoder(moving_frames, name):
    frames = moving_frames(20, 64, 96)
    for options in ({"crf": 30.25}, {"fps": 5}):
        assert coded(name, frames, **options) != coded(name, frames)


@pytest.mark.parametrize("name", ["x264", "x265"])
def test_no_settings_note_in_the_bytes(moving_frames, name):
    data = b"".join(coded(name, moving_frames(1, 64, 64)))
    assert b"x26" not in data
    assert b"options" not in data


def test_only_the_note_is_taken_out():
    before, note, after = (
        b"\0\0\0\1\x67abc",
        b"\0\0\1\x06\x05\xff\x10uuid-uuid-uuid-x264 - core 165\x80",
        b"\0\0\1\x65slice",
    )
    assert _without_settings_note(before + note + after) == before + after
    assert _without_settings_note(before + after) == before + after


def test_x264_frames_are_not_cut_into_slices(moving_frames):
    """FFmpeg's default of one slice per core would burden it."""
    packets = coded("x264", moving_frames(3, 64, 96))
    assert packets[0].count(b"\0\0\1\x65") == 1  # one slice of an instantaneous refresh
