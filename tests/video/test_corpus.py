import os
from pathlib import Path

import pytest

from dnerv.errors import InputError
from dnerv.video import Member, discover


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).write_bytes(b"x")


def names(*inputs: Path) -> list[str]:
    return [member.name for member in discover(inputs)]


def test_missing_empty_and_nothing(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="no such file"):
        discover([tmp_path / "none"])
    with pytest.raises(InputError, match="no video"):
        discover([tmp_path])
    with pytest.raises(InputError, match="no input"):
        discover([])
    touch(tmp_path, "readme.txt", "song.mp3", "cover.jpg", ".hidden.mp4", ".git/a.mp4")
    with pytest.raises(InputError, match="no video"):
        discover([tmp_path])


def test_natural_order_and_relative_names(tmp_path: Path) -> None:
    touch(tmp_path, "clip10.mp4", "clip9.MP4", "deep/er/a.b.mkv", "notes.txt")
    assert names(tmp_path) == ["clip9", "clip10", "deep/er/a.b"]


def test_a_named_file_is_taken_whatever_its_suffix(tmp_path: Path) -> None:
    touch(tmp_path, "video.bin")
    assert discover([tmp_path / "video.bin"]) == [Member("video", tmp_path / "video.bin", None)]


def test_image_folders(tmp_path: Path) -> None:
    touch(
        tmp_path,
        "dog/0.jpg",
        "dog/1.jpg",
        "one/0.jpg",
        "plain/a.jpg",
        "plain/b.jpg",
        "v1.5/0.png",
        "v1.5/1.png",
    )
    touch(tmp_path, "mixed/0.jpg", "mixed/1.jpg", "mixed/film.mp4")
    assert names(tmp_path) == ["dog", "mixed/film", "v1.5"]
    assert discover([tmp_path / "dog"]) == [Member("dog", tmp_path / "dog", None)]


def test_labels_need_class_folders(tmp_path: Path) -> None:
    touch(tmp_path, "run/1.mp4", "walk/1.mp4", "walk/shots/0.png", "walk/shots/1.png")
    assert [(m.name, m.label) for m in discover([tmp_path])] == [
        ("run/1", "run"),
        ("walk/1", "walk"),
        ("walk/shots", "walk"),
    ]
    assert [m.label for m in discover([tmp_path / "run"])] == [None]
    touch(tmp_path, "loose.mp4")
    assert {m.label for m in discover([tmp_path])} == {None}


def test_one_class_is_no_class(tmp_path: Path) -> None:
    touch(tmp_path, "only/1.mp4", "only/2.mp4")
    assert {m.label for m in discover([tmp_path])} == {None}


def test_collisions(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.mp4", "x/a.avi", "x/b.mp4", "y/a.mp4", "y/c.mp4")
    assert names(tmp_path / "x") == ["a.avi", "a.mp4", "b"]
    assert names(tmp_path / "x", tmp_path / "y") == ["a.avi", "x/a.mp4", "b", "y/a.mp4", "c"]
    assert names(tmp_path / "x/b.mp4", tmp_path / "y/c.mp4") == ["b", "c"]
    assert names(tmp_path / "x/a.mp4", tmp_path / "y/a.mp4") == ["x/a.mp4", "y/a.mp4"]


def test_the_same_video_twice(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.mp4")
    with pytest.raises(InputError, match="twice"):
        names(tmp_path / "x", tmp_path / "x/a.mp4")


def test_relative_input_has_the_same_names(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    touch(tmp_path, "x/a.mp4", "x/0.png", "shots/0.png", "shots/1.png")
    monkeypatch.chdir(tmp_path / "shots")
    assert names(Path()) == ["shots"]
    assert names(Path("../x")) == ["a"]


def test_links_in_a_circle_end(tmp_path: Path) -> None:
    touch(tmp_path, "x/a.mp4")
    (tmp_path / "x/back").symlink_to(tmp_path)
    assert names(tmp_path) == ["x/a"]


def test_names_that_cannot_be_stored(tmp_path: Path) -> None:
    (tmp_path / os.fsdecode(b"bad\xff.mp4")).write_bytes(b"x")
    with pytest.raises(InputError, match="UTF-8"):
        discover([tmp_path])


def test_real_folders(action_clips: Path) -> None:
    members = discover([action_clips])
    assert len(members) == 14
    assert {m.label for m in members} == {"hmdb51_clips", "kinetics_clips", "ucf101_clips"}
