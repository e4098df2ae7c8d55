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
from dnerv.video import CachedVideo, Member, VideoSource, cache_video
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
    assert (video.name, video.label, video.bad_packets) == ("class/grey", "class", 0)
    assert (video.height, video.width, video.original_height, video.original_width) == (24, 32, 48, 64)
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
    stat = member.source_path.stat()
    os.utime(member.source_path, ns=(stat.st_atime_ns, stat.st_mtime_ns + 1))
    cache_video(member, tmp_path / "c", size=(24, 32), fps=Fraction(5))
    assert len(decodings) == 4


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
    assert facts["key"]["fps"] == "30000/1001"
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
