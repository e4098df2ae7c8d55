"""Videos in tar files: found, labelled and read where they lie; every kind of damage is one clear error."""

import io
import json
import tarfile
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path, PurePosixPath

import numpy as np
import pytest

from dnerv.errors import InputError
from dnerv.video import Member, VideoSource, cache_video, discover
from dnerv.video.tars import TarVideo, open_member, split_tar_path, tar_videos

X = b"x"


def make_tar(
    path: Path, members: Mapping[str, bytes] | list[tuple[str, bytes]], format: int = tarfile.PAX_FORMAT
) -> Path:
    with tarfile.open(path, "w", format=format) as tar:
        for name, data in members.items() if isinstance(members, Mapping) else members:
            info = tarfile.TarInfo(name)
            info.size = len(data)
            tar.addfile(info, io.BytesIO(data))
    return path


def stop(error: InputError) -> None:
    raise error


def found(path: Path) -> tuple[dict[str, str | None], list[str]]:
    """Labels by name, and what was refused."""
    errors: list[InputError] = []
    videos = tar_videos(path, errors.append)
    return {str(video.place): video.label for video in videos}, [str(error) for error in errors]


def test_members_and_labels(tmp_path: Path) -> None:
    path = make_tar(
        tmp_path / "a.tar",
        {
            "10.mp4": X,
            "9.avi": X,
            "9.json": json.dumps({"label": "walk", "caption": "someone walks"}).encode(),
            "10.cls": b" 7\n",
            "./deep/er.mkv": X,
            "deep/er.json": b'{"label": 3}',
            "two.left.mp4": X,
            "two.right.mp4": X,
            "two.json": b'{"label": "both"}',
            "none.mp4": X,
            "none.json": b'{"label": null}',
            "alone.webm": X,
            "empty.mp4": X,
            "empty.cls": b"",
            "notes.txt": X,
            ".hidden.mp4": X,
            "._9.json": b"\x00\x05",
        },
    )
    labels = {"9.avi": "walk", "10.mp4": "7", "alone.webm": None, "deep/er.mkv": "3", "empty.mp4": None}
    wanted = labels | {"none.mp4": None, "two.left.mp4": "both", "two.right.mp4": "both"}
    made, errors = found(path)
    assert (made, errors) == (wanted, [])
    assert list(made) == list(wanted)


@pytest.mark.parametrize("format", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT])
def test_frames_are_those_of_the_file(grey_video: Callable[..., Path], tmp_path: Path, format: int) -> None:
    plain = [grey_video(f"{name}.mp4", count) for name, count in (("a", 3), ("b", 5))] + [grey_video("c.avi", 4)]
    long = "deep/" * 12 + "c.avi"
    contents = {"a.mp4": plain[0].read_bytes(), "x.txt": b"y" * 700, "b.mp4": plain[1].read_bytes()}
    path = make_tar(tmp_path / "clips.tar", contents | {long: plain[2].read_bytes()}, format)
    for name, file in zip(["a.mp4", "b.mp4", long], plain, strict=True):
        source, wanted = VideoSource(path / name).frames(), VideoSource(file).frames()
        for (pts, frame), (wanted_pts, wanted_frame) in zip(source, wanted, strict=True):
            assert pts == wanted_pts
            np.testing.assert_array_equal(frame, wanted_frame)
        assert source.timing == wanted.timing
    assert VideoSource(path / "a.mp4").files == [path]
    assert VideoSource(path / "a.mp4").inside == "a.mp4"


def test_a_corpus_of_tars(tmp_path: Path) -> None:
    (tmp_path / "set" / "part").mkdir(parents=True)
    make_tar(tmp_path / "set" / "shard-1.tar", {"a.mp4": X, "a.cls": b"1", "walk/b.mp4": X})
    make_tar(tmp_path / "set" / "part" / "shard-2.tar", {"a.mp4": X})
    make_tar(tmp_path / "set" / "other.tar", {"readme": X})  # beside videos, no matter
    (tmp_path / "set" / "plain.mp4").write_bytes(X)
    root = tmp_path / "set"
    assert discover([root]) == [
        Member("part/shard-2/a", root / "part/shard-2.tar/a.mp4", None),
        Member("plain", root / "plain.mp4", None),
        Member("shard-1/a", root / "shard-1.tar/a.mp4", "1"),
        Member("shard-1/walk/b", root / "shard-1.tar/walk/b.mp4", None),
    ]
    assert discover([root / "shard-1.tar"])[0] == Member("a", root / "shard-1.tar/a.mp4", "1")
    # Several at once: their names tell equal members apart.
    both = discover([root / "shard-1.tar", root / "part" / "shard-2.tar"])
    assert [member.name for member in both] == ["shard-1.tar/a.mp4", "walk/b", "shard-2.tar/a.mp4"]
    assert discover([both[0].source_path]) == [Member("a", both[0].source_path, None)]
    with pytest.raises(InputError, match="no video in this tar file"):
        discover([root / "other.tar"])


def test_class_folders_within_tars_make_labels(tmp_path: Path) -> None:
    make_tar(tmp_path / "1.tar", {"run/a.mp4": X, "walk/a.mp4": X})
    make_tar(tmp_path / "2.tar", {"run/a.mp4": X})
    members = {member.name: member.label for member in discover([tmp_path])}
    assert members == {"1/run/a": "run", "1/walk/a": "walk", "2/run/a": "run"}
    assert [member.label for member in discover([tmp_path / "1.tar"])] == ["run", "walk"]
    make_tar(tmp_path / "3.tar", {"a.mp4": X})
    make_tar(tmp_path / "4.tar", {"a.mp4": X})
    assert {member.label for member in discover([tmp_path / "3.tar", tmp_path / "4.tar"])} == {None}


def test_a_changed_tar_is_read_again(grey_video: Callable[..., Path], tmp_path: Path) -> None:
    one, other = grey_video("one.mp4", 3).read_bytes(), grey_video("other.mp4", 5).read_bytes()
    path = make_tar(tmp_path / "a.tar", {"v.mp4": one, "v.avi": other})
    first, second = discover([path])
    cache = tmp_path / "cache"
    assert {cache_video(m, cache).timing.num_frames for m in (first, second)} == {3, 5}
    make_tar(path, {"x.txt": b"more", "v.mp4": other})
    (member,) = discover([path])
    assert cache_video(member, cache).timing.num_frames == 5
    # The same name, of another member.
    renamed = Member("v", path / "v.mp4", None)
    assert cache_video(renamed, cache).timing.num_frames == 5
    make_tar(path, {"w.mp4": one, "v.mp4": other})
    assert cache_video(Member("v", path / "w.mp4", None), cache).timing.num_frames == 3


@pytest.mark.parametrize(
    ("members", "reason"),
    [
        ([("/etc/a.mp4", X)], "'/etc/a.mp4' leads out of the tar file"),
        ([("a/../../b.mp4", X)], "leads out of the tar file"),
        ([("a.mp4", X), ("./a.mp4", X)], "is there twice"),
        ([("a.mp4", X), ("a.json", b"{")], "'a.json' is no JSON"),
        ([("a.mp4", X), ("a.json", b'{"label": [1]}')], "neither text nor a whole number"),
        ([("a.mp4", X), ("a.cls", b"\xff")], "'a.cls' is no text"),
        ([("a.mp4", X), ("a.json", b"[" * 100_000)], "no JSON"),
        ([("a.mp4", X), ("a.cls", b"1"), ("a.json", b'{"label": 2}')], "'a.mp4' has different labels: '1', '2'"),
        ([("a.mp4", X), ("a.cls", b"1" * (1 << 20) + X)], "too long for a label"),
    ],
)
def test_members_that_cannot_be_used(tmp_path: Path, members: list[tuple[str, bytes]], reason: str) -> None:
    path = make_tar(tmp_path / "bad.tar", [*members, ("fine.mp4", X)])
    videos, errors = found(path)
    assert "fine.mp4" in videos
    (error,) = errors
    assert error.startswith(f"{path}: ")
    assert reason in error
    with pytest.raises(InputError) as caught:
        discover([path])
    assert str(caught.value) == error


def test_links_are_refused(tmp_path: Path) -> None:
    with tarfile.open(tmp_path / "a.tar", "w") as tar:
        for kind, name in (
            (tarfile.SYMTYPE, "link.mp4"),
            (tarfile.LNKTYPE, "hard.mp4"),
            (tarfile.FIFOTYPE, "pipe.mp4"),
        ):
            info = tarfile.TarInfo(name)
            info.type, info.linkname = kind, "/etc/passwd"
            tar.addfile(info)
    videos, errors = found(tmp_path / "a.tar")
    assert videos == {}
    assert [error.rpartition(": ")[2] for error in errors] == [
        f"the member '{name}.mp4' is no regular file" for name in ("link", "hard", "pipe")
    ]


def test_damaged_files(tmp_path: Path) -> None:
    whole = make_tar(tmp_path / "whole.tar", {"a.mp4": b"a" * 1000, "b.mp4": b"b" * 1000}).read_bytes()
    path = tmp_path / "bad.tar"
    assert whole[3072:] == bytes(len(whole) - 3072)
    for length in (0, 100, 512, 700, 1535, 1536, 1600, 2048, 2500, 3071, 3072, 3200):
        path.write_bytes(whole[:length])
        with pytest.raises(InputError, match=rf"^{path}: is "):
            tar_videos(path, stop)
    for place in (0, 148, 1536 + 150, 1536 + 124):  # names and checksums of both headers, a size
        path.write_bytes(whole[:place] + b"\xff" + whole[place + 1 :])
        with pytest.raises(InputError, match=rf"^{path}: is .*damaged"):
            tar_videos(path, stop)
    for magic, packer in ((b"\x1f\x8b\x08", "gzip"), (b"BZh9", "bzip2")):
        path.write_bytes(magic + bytes(2000))
        with pytest.raises(InputError, match=f"compressed with {packer}: unpack it first"):
            tar_videos(path, stop)
    with pytest.raises(InputError, match="cannot be read"):
        tar_videos(tmp_path / "none.tar", stop)


def test_hostile_headers_end(tmp_path: Path) -> None:
    """Bytes at random in headers give an error or a list, and never a loop."""
    whole = make_tar(tmp_path / "whole.tar", {"a.mp4": b"a" * 600, "ü" * 120 + ".mp4": b"b" * 600}).read_bytes()
    rng = np.random.default_rng(0)
    for turn in range(200):
        data = bytearray(whole)
        start = int(rng.integers(0, len(whole) // 512)) * 512
        field = slice(start + 124, start + 136) if turn % 2 else slice(start, start + 512)
        for place in rng.integers(field.start, field.stop, 3):
            data[place] = int(rng.integers(256))
        data[start + 148 : start + 156] = b"%06o\0 " % sum(
            [*data[start : start + 148], *b" " * 8, *data[start + 156 : start + 512]]
        )
        (tmp_path / "bad.tar").write_bytes(data)
        with suppress(InputError):
            assert len(tar_videos(tmp_path / "bad.tar", lambda error: None)) <= 2


def test_bad_tars_are_left_out_with_the_rest(tmp_path: Path) -> None:
    (tmp_path / "cut.tar").write_bytes(make_tar(tmp_path / "cut.tar", {"a.mp4": b"a" * 1000}).read_bytes()[:900])
    make_tar(tmp_path / "good.tar", {"b.mp4": X})
    errors: list[InputError] = []
    assert [member.name for member in discover([tmp_path], on_bad=errors.append)] == ["good/b"]
    assert [str(error) for error in errors] == [f"{tmp_path}/cut.tar: is cut off, or damaged: 'a.mp4' is not all there"]
    with pytest.raises(InputError, match="cut off"):
        discover([tmp_path])


def test_members_that_are_not_there(tmp_path: Path) -> None:
    path = make_tar(tmp_path / "a.tar", {"a.mp4": X, "empty.mp4": b""})
    with pytest.raises(InputError, match=r"holds no file 'b\.mp4'"):
        VideoSource(path / "b.mp4")
    with pytest.raises(InputError, match="the file is empty"):
        VideoSource(path / "empty.mp4")
    with pytest.raises(InputError, match="cannot be read as a video"):
        list(VideoSource(path / "a.mp4").frames())
    assert split_tar_path(tmp_path / "none.tar" / "a.mp4") is None
    assert split_tar_path(path / "x" / "y.mp4") == (path, "x/y.mp4")
    assert tar_videos(path, stop)[0] == TarVideo(PurePosixPath("a.mp4"), None)


def test_a_member_reads_like_a_file(tmp_path: Path) -> None:
    data = np.random.default_rng(0).bytes(5000)
    path = make_tar(tmp_path / "a.tar", {"before": b"y" * 100, "a.mp4": data, "after": b"z" * 900})
    with open_member(path, "a.mp4") as file:
        assert file.read() == data
        assert file.read() == b""
        assert (file.seek(-10, io.SEEK_END), file.read()) == (4990, data[-10:])
        assert (file.seek(6000), file.read()) == (6000, b"")
        file.seek(20)
        assert (file.seek(5, io.SEEK_CUR), file.read(3)) == (25, data[25:28])
        with pytest.raises(OSError, match="before the beginning"):
            file.seek(-6000, io.SEEK_CUR)
