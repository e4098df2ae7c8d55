"""Which names are stored, and where each is written."""

from pathlib import PurePosixPath

import pytest

from dnerv.video.names import file_names, refusal


@pytest.mark.parametrize("name", ["a", "a/b.c", "\x1b[31mred", "ünï", "\ud800", "..."])
def test_names_that_are_stored(name: str) -> None:
    assert refusal(name) is None


@pytest.mark.parametrize("name", ["", None, 3, "/a", "a//b", "a/", ".", "a/../b", "a\\b", "a\0b"])
def test_names_that_are_not(name: object) -> None:
    assert refusal(name) is not None


def test_a_name_is_its_path_wherever_that_can_be() -> None:
    names = ["a", "class/b.c", "\x1b[31mred", "v", "v.mp4x/w"]
    assert file_names(names, ".mp4") == {name: PurePosixPath(name + ".mp4") for name in names}


def test_a_file_steps_aside_for_a_folder() -> None:
    paths = file_names(["v", "v.mp4/w"], ".mp4")
    assert paths["v.mp4/w"] == PurePosixPath("v.mp4/w.mp4")
    assert str(paths["v"]).startswith("v~")
    assert str(paths["v"]).endswith(".mp4")
    assert file_names(["v", "v.mp4/w"], "")["v"] == PurePosixPath("v")
    assert str(file_names(["v", "v/w"], "")["v"]).startswith("v~")


def test_long_names_and_broken_text() -> None:
    names = ["x" * 252, "x" * 253, "é" * 130 + "/b", "a\ud800b", "a\ud801b", "\ud800/c", "\ud800/d"]
    paths = file_names(names, ".mp4")
    assert len(set(paths.values())) == len(names)
    for path in paths.values():
        assert all(len(part.encode()) <= 255 for part in path.parts)
        assert path.suffix == ".mp4"
    assert paths["\ud800/c"].parent == paths["\ud800/d"].parent
    assert paths == file_names(reversed(names), ".mp4")
    assert all(len(part.encode()) <= 143 for path in file_names(names, ".mp4", 143).values() for part in path.parts)
