"""Videos for the encoder, and what is done about those that it cannot use."""

from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path
from typing import Any

import pytest

from dnerv.encoding.reading import checked_size, read_videos, stop, warn
from dnerv.errors import InputError
from dnerv.progress import listening
from dnerv.video import CachedVideo, discover


def refusing(name: str) -> Callable[[CachedVideo], CachedVideo]:
    def prepare(video: CachedVideo) -> CachedVideo:
        if name in ("all", video.name):
            raise InputError(f"{video.name} is refused")
        return replace(video, label="prepared")

    return prepare


def test_videos_are_prepared_one_by_one(corpus: Path, tmp_path: Path, recorder: Any) -> None:
    members, fps = discover([corpus]), Fraction(5)
    with listening(recorder):
        videos = read_videos(members, tmp_path, warn, size=(16, 24), fps=fps, prepare=refusing("odd"))
    assert [(video.name, video.label) for video in videos] == [("long", "prepared"), ("still", "prepared")]
    assert {(video.height, video.width) for video in videos} == {(16, 24)}
    assert [len(video.store) for video in videos] == [2, 1]
    assert recorder.warnings == ["skipped: odd is refused"]


def test_an_unusable_one_stops_all_unless_it_is_left_out(corpus: Path, tmp_path: Path) -> None:
    members = discover([corpus])
    with pytest.raises(InputError, match=r"odd is refused \(--skip-bad leaves such files out\)"):
        read_videos(members, tmp_path, stop, size=None, fps=None, prepare=refusing("odd"))
    with pytest.raises(InputError, match="none of the videos could be read: there is nothing to encode"):
        read_videos(members, tmp_path, warn, size=None, fps=None, prepare=refusing("all"))


def test_frames_that_the_encoder_does_not_take_are_named(videos: list[CachedVideo]) -> None:
    assert checked_size(videos[0]) is videos[0]
    with pytest.raises(
        InputError, match=r"0-0: frames of 16x16400 pixels are larger .*--resolution makes them smaller"
    ):
        checked_size(replace(videos[0], height=16, width=16400))
