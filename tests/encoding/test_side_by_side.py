"""Encodings at once on few cores: none takes the others' time for good, and none changes the others' bytes."""

from pathlib import Path

from robustness import encode, run, side_by_side, tiny_videos


def test_three_encodings_side_by_side_end_with_the_bytes_of_one(tmp_path: Path) -> None:
    videos = tiny_videos(tmp_path / "videos")
    run(encode(videos, tmp_path / "alone.dnerv"))
    assert side_by_side(videos, (tmp_path / "alone.dnerv").read_bytes(), tmp_path / "beside") == []


def test_an_encoding_that_fails_is_told(tmp_path: Path) -> None:
    assert side_by_side(tmp_path / "none", b"", tmp_path / "beside", count=1) == ["an encoding ended with 1"]
