"""Encodings at once on few cores: none takes the others' time for good, and none changes the others' bytes."""

import sys
from pathlib import Path

import pytest
from robustness import encode, run, side_by_side, tiny_videos


def test_three_encodings_side_by_side_end_with_the_bytes_of_one(
    warm_python: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    videos = tiny_videos(tmp_path / "videos")
    run(encode(videos, tmp_path / "alone.dnerv"))  # by a Python of its own
    monkeypatch.setattr(sys, "executable", warm_python)
    assert side_by_side(videos, (tmp_path / "alone.dnerv").read_bytes(), tmp_path / "beside") == []


@pytest.mark.usefixtures("warm_processes")
def test_an_encoding_that_fails_is_told(tmp_path: Path) -> None:
    assert side_by_side(tmp_path / "none", b"", tmp_path / "beside", count=1) == ["an encoding ended with 1"]
