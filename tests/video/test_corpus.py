import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from dnerv.errors import InputError
from dnerv.progress import Listener, listening
from dnerv.video import Member, VideoSource, discover


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


@pytest.mark.parametrize("name", [os.fsdecode(b"bad\xff.mp4"), "Archery\\clip.mp4"])
def test_names_that_cannot_be_stored(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name, "good.mp4")
    with pytest.raises(InputError, match=r"rename it"):
        discover([tmp_path])
    errors: list[InputError] = []
    assert [member.name for member in discover([tmp_path], on_bad=errors.append)] == ["good"]
    assert len(errors) == 1


class Heard(Listener):
    def __init__(self) -> None:
        self.texts: list[str] = []

    def note(self, text: str) -> None:
        self.texts.append(text)

    warning = note


@pytest.fixture
def heard() -> Iterator[Heard]:
    with listening(listener := Heard()):
        yield listener


@pytest.mark.parametrize("name", ["b.mp4", "00002.png"])
def test_links_to_nothing_are_named(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "a.mp4")
    (tmp_path / name).symlink_to("/no/such/disk/b.mp4")
    (tmp_path / "readme").symlink_to("/no/such/readme")
    with pytest.raises(InputError, match=f"{name}: a link to /no/such/disk/b.mp4, which is not there"):
        discover([tmp_path])
    with pytest.raises(InputError, match="a link to"):
        discover([tmp_path / name])
    errors: list[InputError] = []
    with listening(listener := Heard()):
        assert [member.name for member in discover([tmp_path], on_bad=errors.append)] == ["a"]
    assert len(errors) == 1
    assert "readme" in listener.texts[0]


def test_folders_that_cannot_be_read_are_passed_over(
    tmp_path: Path, heard: Heard, monkeypatch: pytest.MonkeyPatch
) -> None:
    touch(tmp_path, "a.mp4", "lost+found/b.mp4", "z.mp4")
    iterdir = Path.iterdir

    def refused(self: Path) -> Iterator[Path]:
        if self.name == "lost+found":  # permissions mean nothing to root
            raise PermissionError(13, "Permission denied", str(self))
        return iterdir(self)

    monkeypatch.setattr(Path, "iterdir", refused)
    assert names(tmp_path) == ["a", "z"]
    assert len(heard.texts) == 1
    assert "lost+found: cannot be read (Permission denied)" in heard.texts[0]
    with pytest.raises(InputError, match="cannot be read"):
        discover([tmp_path / "lost+found"])


def test_a_video_for_each_sequence_of_images(tmp_path: Path, heard: Heard) -> None:
    for number in range(1, 4):
        touch(tmp_path, *(f"run/v1/{kind}_{number:05d}.jpg" for kind in ("img", "flow_x", "flow_y")))
        touch(tmp_path, f"walk/v2/{number}.jpg", f"walk/v3/{number}.jpg", f"walk/v3/mask{number}.png")
    touch(tmp_path, "walk/v2/thumb1.jpg")
    members = discover([tmp_path])
    assert [(member.name, member.label) for member in members] == [
        ("run/v1/flow_x", "run"),
        ("run/v1/flow_y", "run"),
        ("run/v1/img", "run"),
        ("walk/v2", "walk"),
        ("walk/v3", "walk"),
        ("walk/v3/mask", "walk"),
    ]
    assert members[2].source_path == tmp_path / "run/v1/img_*.jpg"
    assert [path.name for path in VideoSource(members[2].source_path).files] == [f"img_{n:05d}.jpg" for n in (1, 2, 3)]
    assert len(VideoSource(members[3].source_path).files) == 3
    with pytest.raises(InputError, match=r"3 sequences of images, name one: flow_x_\*\.jpg"):
        VideoSource(tmp_path / "run/v1")
    assert [member.name for member in discover([tmp_path / "run" / "v1"])] == ["flow_x", "flow_y", "img"]
    assert [member.name for member in discover([members[0].source_path])] == ["flow_x"]
    assert any("3 sequences of images, a video each: flow_x_*.jpg" in text for text in heard.texts)
    assert any("thumb1.jpg" in text for text in heard.texts)


def test_one_bad_input_does_not_end_the_rest(tmp_path: Path) -> None:
    touch(tmp_path, "a.mp4", "empty/readme.txt")
    errors: list[InputError] = []
    inputs = [tmp_path / "none.mp4", tmp_path / "empty", tmp_path / "a.mp4"]
    assert [member.name for member in discover(inputs, on_bad=errors.append)] == ["a"]
    assert [str(error).split(": ")[1] for error in errors] == [
        "no such file or folder",
        "no video in this folder, nor numbered images or a tar file",
    ]
    with pytest.raises(InputError, match="no video in"):
        discover(inputs[:2], on_bad=errors.append)


def test_real_folders(action_clips: Path) -> None:
    members = discover([action_clips])
    assert len(members) == 14
    assert {m.label for m in members} == {"hmdb51_clips", "kinetics_clips", "ucf101_clips"}
