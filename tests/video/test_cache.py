import errno
import json
import os
import pickle
from collections.abc import Callable
from dataclasses import replace
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest

from dnerv.errors import InputError, OutputError
from dnerv.progress import Listener, listening
from dnerv.video import CachedVideo, Member, VideoSource, cache_video, cache_videos, write_png_folder
from dnerv.video.cache import open_cached

MakeVideo = Callable[..., Path]


@pytest.fixture
def member(grey_video: MakeVideo) -> Member:
    return Member("class/grey", grey_video(), "class")


@pytest.fixture
def decodings(monkeypatch: pytest.MonkeyPatch) -> list[Path]:
    """Every decoding that is started."""
    started: list[Path] = []
    real = VideoSource.frames

    def counted(self: VideoSource, **options: object) -> object:
        started.append(self.path)
        return real(self, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(VideoSource, "frames", counted)
    return started


def test_caches_what_the_source_gives(tmp_path: Path, member: Member) -> None:
    video = cache_video(member, tmp_path / "new" / "cache", size=(24, 32), fps=Fraction(5))
    stream = VideoSource(member.source_path).frames(size=(24, 32), fps=Fraction(5))
    expected = np.stack([frame for _, frame in stream])
    assert np.array_equal(video.store.read(range(len(video.store))), expected)
    assert video.timing == stream.timing
    assert (video.name, video.label, video.remarks) == ("class/grey", "class", ())
    assert (video.height, video.width, video.original_height, video.original_width) == (24, 32, 48, 64)
    assert (video.matrix, video.full_range, video.depth) == ("bt601", False, 8)  # of a file that does not say
    assert pickle.loads(pickle.dumps(video)) == video


def test_second_run_decodes_nothing(tmp_path: Path, member: Member, decodings: list[Path]) -> None:
    first = cache_video(member, tmp_path / "c")
    second = cache_video(replace(member, label="other"), tmp_path / "c")
    assert len(decodings) == 1
    assert second == replace(first, label="other")


def test_changed_options_or_source_decode_again(tmp_path: Path, member: Member, decodings: list[Path]) -> None:
    cache_video(member, tmp_path / "c")
    assert cache_video(member, tmp_path / "c", size=(24, 32)).height == 24
    assert cache_video(member, tmp_path / "c", size=(24, 32), fps=Fraction(5)).timing.num_frames == 2
    assert len(decodings) == 3


def test_the_content_decides_and_neither_names_nor_times(
    tmp_path: Path, grey_video: MakeVideo, decodings: list[Path]
) -> None:
    path, other = grey_video("a.avi", codec="rawvideo", pixel_format="yuv420p"), tmp_path / "moved.avi"
    first = cache_video(Member("v", path, None), tmp_path / "c")
    os.utime(path, ns=(1, 1))
    path.rename(other)
    assert cache_video(Member("v", other, None), tmp_path / "c") == first
    assert len(decodings) == 1
    # Replaced in place by as many bytes, and told to be as old: all that a copying tool can do.
    status = other.stat()
    data = bytearray(other.read_bytes())
    data[len(data) // 2] ^= 0x40
    other.write_bytes(data)
    os.utime(other, ns=(status.st_atime_ns, status.st_mtime_ns))
    changed = cache_video(Member("v", other, None), tmp_path / "c")
    assert len(decodings) == 2
    assert changed.digest != first.digest
    assert cache_video(Member("v", other, None), tmp_path / "c") == changed
    assert len(decodings) == 2


def test_an_unchanged_file_is_not_read_again(tmp_path: Path, member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    video = cache_video(member, tmp_path / "c")
    os.utime(member.source_path, ns=(1, 1))
    cache_video(member, tmp_path / "c")  # read, and its new status kept
    monkeypatch.setattr("dnerv.video.cache.content_of", lambda files: pytest.fail("read again"))
    assert cache_video(member, tmp_path / "c") == video


def test_an_image_replaced_in_its_folder(tmp_path: Path, decodings: list[Path]) -> None:
    write_png_folder(tmp_path / "v", [np.full((8, 8, 3), level, np.uint8) for level in (10, 20, 30)])
    member = Member("v", tmp_path / "v", None)
    first = cache_video(member, tmp_path / "c")
    write_png_folder(tmp_path / "other", [np.full((8, 8, 3), 99, np.uint8)])
    (tmp_path / "v" / "00001.png").write_bytes((tmp_path / "other" / "00000.png").read_bytes())
    second = cache_video(member, tmp_path / "c")
    assert [int(frame[0, 0, 0]) for frame in second.store] == [10, 99, 30]
    assert first.digest != second.digest


def test_what_the_source_was_is_kept(tmp_path: Path, grey_video: MakeVideo) -> None:
    told = {"colorspace": 9, "color_range": 2}
    path = grey_video("deep.mkv", pixel_format="yuv420p10le", codec="ffv1", tags=told)
    for _ in range(2):  # decoded, then found
        video = cache_video(Member("v", path, None), tmp_path / "c")
        assert (video.matrix, video.full_range, video.depth) == ("bt2020", True, 10)
    write_png_folder(tmp_path / "v", [np.full((8, 8, 3), 10, np.uint8)] * 2)
    video = cache_video(Member("images", tmp_path / "v", None), tmp_path / "c")
    assert (video.matrix, video.full_range, video.depth) == ("bt709", False, 8)


class Warned(Listener):
    def __init__(self) -> None:
        self.warnings: list[str] = []

    def warning(self, text: str) -> None:
        self.warnings.append(text)


def test_remarks_are_made_by_every_run(tmp_path: Path) -> None:
    write_png_folder(tmp_path / "v", [np.full((8, 8, 3), 10, np.uint8)] * 9)
    for number in (3, 5, 6):
        (tmp_path / "v" / f"{number:05d}.png").unlink()
    for _ in range(2):
        with listening(heard := Warned()):
            video = cache_video(Member("v", tmp_path / "v", None), tmp_path / "c")
        assert heard.warnings == [f"{tmp_path / 'v'}: {video.remarks[0]}"]
    assert "images 3, 5 to 6 are missing" in video.remarks[0]


def test_one_bad_video_does_not_end_the_rest(tmp_path: Path, member: Member) -> None:
    (tmp_path / "bad.mp4").write_text("no video at all")
    bad = Member("bad", tmp_path / "bad.mp4", None)
    with pytest.raises(InputError, match=r"bad\.mp4"):
        cache_videos([bad, member], tmp_path / "c")
    errors: list[InputError] = []
    videos = cache_videos([bad, member], tmp_path / "c", on_bad=errors.append)
    assert [video.name for video in videos] == ["class/grey"]
    assert len(errors) == 1


def sidecar_of(folder: Path) -> Path:
    return next(folder.glob("*.json"))


def frames_of(folder: Path) -> Path:
    return next(folder.glob("*.rgb"))


DAMAGE: list[Callable[[Path], object]] = [
    lambda folder: sidecar_of(folder).unlink(),
    lambda folder: sidecar_of(folder).write_bytes(sidecar_of(folder).read_bytes()[:-9]),
    lambda folder: sidecar_of(folder).write_bytes(b"[" * 100_000),
    lambda folder: sidecar_of(folder).write_bytes(b"\xff\xfe"),
    lambda folder: sidecar_of(folder).write_text("[]"),
    lambda folder: sidecar_of(folder).write_text(sidecar_of(folder).read_text().replace('"sizes"', '"seizes"')),
    lambda folder: sidecar_of(folder).write_text(sidecar_of(folder).read_text().replace('"count": 10', '"count": -1')),
    lambda folder: sidecar_of(folder).write_text(sidecar_of(folder).read_text().replace('"bt601"', '"bt602"')),
    lambda folder: frames_of(folder).unlink(),
    lambda folder: os.truncate(frames_of(folder), 100),
]


@pytest.mark.parametrize("damage", DAMAGE)
def test_a_damaged_cache_is_rebuilt(
    tmp_path: Path, member: Member, decodings: list[Path], damage: Callable[[Path], object]
) -> None:
    first = cache_video(member, tmp_path / "c")
    damage(tmp_path / "c")
    assert cache_video(member, tmp_path / "c") == first
    assert len(decodings) == 2
    assert first.store.is_complete()


class Killed(BaseException):
    """Stands for a process that dies."""


def test_a_killed_run_resumes(tmp_path: Path, member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    with monkeypatch.context() as patch:
        real, count = os.write, 0

        def dying(descriptor: int, data: bytes) -> int:
            nonlocal count
            count += 1
            if count > 4:
                raise Killed
            return real(descriptor, data)

        patch.setattr(os, "write", dying)
        # A killed process cleans nothing up.
        patch.setattr(Path, "unlink", lambda self, missing_ok=False: None)
        with pytest.raises(Killed):
            cache_video(member, tmp_path / "c")
    assert [path.suffix for path in (tmp_path / "c").iterdir()] == [".partial"]
    video = cache_video(member, tmp_path / "c")
    assert video.timing.num_frames == 10
    assert sorted(path.suffix for path in (tmp_path / "c").iterdir()) == [".json", ".rgb"]


def test_killed_between_frames_and_sidecar(
    tmp_path: Path, member: Member, monkeypatch: pytest.MonkeyPatch, decodings: list[Path]
) -> None:
    first = cache_video(member, tmp_path / "c")

    def killed(path: Path, data: bytes) -> None:
        raise Killed

    with monkeypatch.context() as patch:
        patch.setattr("dnerv.video.cache.write_atomically", killed)
        with pytest.raises(Killed):
            cache_video(member, tmp_path / "c", size=(24, 32))
    # The old sidecar must not describe the new frames.
    assert cache_video(member, tmp_path / "c") == first
    assert len(decodings) == 3


def test_disk_full(tmp_path: Path, member: Member, monkeypatch: pytest.MonkeyPatch) -> None:
    def full(descriptor: int, data: bytes) -> int:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(OutputError, match="No space left"):
        cache_video(member, tmp_path / "c")
    assert list((tmp_path / "c").iterdir()) == []


def test_a_file_in_the_way_of_the_folder(tmp_path: Path, member: Member) -> None:
    (tmp_path / "c").write_text("a file")
    with pytest.raises(OutputError, match="cannot be created"):
        cache_video(member, tmp_path / "c")


def test_a_bad_video_leaves_nothing(tmp_path: Path) -> None:
    (tmp_path / "bad.mp4").write_text("no video at all")
    with pytest.raises(InputError, match=r"bad\.mp4"):
        cache_video(Member("bad", tmp_path / "bad.mp4", None), tmp_path / "c")
    assert list((tmp_path / "c").iterdir()) == []


def test_sidecar_is_plain_json(tmp_path: Path, member: Member) -> None:
    video: CachedVideo = cache_video(member, tmp_path / "c", fps=Fraction(30000, 1001))
    facts = json.loads(sidecar_of(tmp_path / "c").read_text())
    assert facts["options"]["fps"] == "30000/1001"
    assert video.timing.average_fps == Fraction(30000, 1001)


def test_a_cached_video_outlives_its_source(tmp_path: Path, member: Member) -> None:
    video = cache_video(member, tmp_path / "c")
    member.source_path.unlink()
    assert open_cached("class/grey", tmp_path / "c") == replace(video, label=None)


def test_nothing_half_cached_is_opened(tmp_path: Path, member: Member) -> None:
    with pytest.raises(InputError, match="has no frames of 'class/grey'"):
        open_cached("class/grey", tmp_path)
    video = cache_video(member, tmp_path)
    os.truncate(video.store.path, 10)
    with pytest.raises(InputError, match="not all frames"):
        open_cached("class/grey", tmp_path)
    video.store.path.with_suffix(".json").write_text("{")
    with pytest.raises(InputError, match="has no frames"):
        open_cached("class/grey", tmp_path)
