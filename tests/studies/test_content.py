"""Frames that studies measure on: what their digest depends on, and the cache."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from dnerv.errors import InputError
from dnerv.studies.content import cached_content, digest_of_videos, read_videos


@pytest.fixture(scope="module")
def videos(tmp_path_factory: pytest.TempPathFactory, write_video: Callable[[Path, int, int], None]) -> Path:
    folder = tmp_path_factory.mktemp("content") / "videos"
    write_video(folder / "high" / "a.mp4", 5, 1)
    write_video(folder / "low" / "b.mp4", 3, 2)
    return folder


def test_what_is_read(videos: Path, tmp_path: Path) -> None:
    content = read_videos([videos], tmp_path, resolution=(32, 40))
    assert [(video.name, video.label, len(video.store)) for video in content.videos] == [
        ("high/a", "high", 5),
        ("low/b", "low", 3),
    ]
    assert (content.num_frames, content.num_pixels) == (8, 8 * 32 * 40)
    assert content.to_json()["videos"][1] == {"name": "low/b", "frames": 3, "height": 32, "width": 40}
    assert content.ms_ssim_in_words == "n/a: a side has 32 pixels, and five scales need 161"


def test_the_digest_is_of_all_that_a_codec_sees(videos: Path, tmp_path: Path) -> None:
    content = read_videos([videos], tmp_path)
    assert read_videos([videos], tmp_path).digest == content.digest
    first, second = content.videos
    digests = {
        digest_of_videos(videos)
        for videos in (
            content.videos,
            (second, first),
            (first,),
            (replace(first, name="c"), second),
            (replace(first, label=None), second),
            (replace(first, original_height=2), second),
            (second,),
        )
    }
    assert len(digests) == 7
    before = first.store.path.read_bytes()
    first.store.path.write_bytes(before[:-1] + bytes([before[-1] ^ 1]))
    assert digest_of_videos(content.videos) not in digests


def test_frames_are_found_again_without_their_videos(videos: Path, tmp_path: Path) -> None:
    content = read_videos([videos], tmp_path)
    found = cached_content(["high/a", "low/b"], tmp_path, content.digest)
    assert found.digest == content.digest
    assert [video.label for video in found.videos] == ["high", "low"]
    with pytest.raises(InputError, match="holds other frames"):
        cached_content(["high/a", "low/b"], tmp_path, "0" * 32)
    with pytest.raises(InputError, match="no frames of 'c'"):
        cached_content(["c"], tmp_path, content.digest)
