"""Videos in tar files, where they lie: `FOLDER/clips.tar/walk/01.mp4` is a path that `VideoSource` opens.

Nothing is unpacked: the headers of a tar file say where each member's bytes lie, and these are read as a file is. What
WebDataset writes is such a file: members of one name but for their suffixes belong together, and `01.json`, an object
with "label", or `01.cls`, text, label `01.mp4`.
"""

from __future__ import annotations

import io
import json
import tarfile
from collections.abc import Callable
from dataclasses import dataclass
from functools import lru_cache
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from dnerv.errors import InputError
from dnerv.video.listing import is_video_name, natural_key

TAR_SUFFIX = ".tar"
_LONGEST_LABEL = 1 << 20  # bytes of a member with a label
_BLOCK = 512
_KEPT = 8  # tar files whose headers are remembered

_PACKERS = {b"\x1f\x8b": "gzip", b"BZ": "bzip2", b"\xfd7": "xz", b"\x28\xb5": "zstd"}


@dataclass(frozen=True)
class Span:
    """Where a member's bytes lie in its tar file."""

    start: int
    length: int


@dataclass(frozen=True)
class TarVideo:
    """One video of a tar file."""

    place: PurePosixPath  # in the tar file
    label: str | None


def is_tar_name(path: Path) -> bool:
    """Whether the suffix is that of a tar file and the file is not hidden."""
    return path.suffix.lower() == TAR_SUFFIX and not path.name.startswith(".")


def split_tar_path(path: Path) -> tuple[Path, str] | None:
    """The tar file that a path leads into, and the member's name in it; None where it leads into none."""
    for parent in path.parents:
        if is_tar_name(parent) and parent.is_file():
            return parent, path.relative_to(parent).as_posix()
    return None


def tar_videos(tar: Path, on_bad: Callable[[InputError], None]) -> list[TarVideo]:
    """The videos of a tar file with their labels, in natural order.

    Args:
        on_bad: told of a member that cannot be used: a video that is no regular file, a name twice or one that leads
            out of the tar file, a label that cannot be read.

    Raises InputError where the file is no tar file, compressed, damaged or cut.
    """
    members, refused = _members_of(tar)
    for reason in refused:
        on_bad(InputError(f"{tar}: {reason}"))
    labels: dict[str, list[str]] = {}
    for name in members:
        if not PurePosixPath(name).name.startswith(".") and name.endswith((".json", ".cls")):
            try:
                label = _label(tar, name)
            except InputError as error:
                on_bad(error)
            else:
                if label is not None:
                    labels.setdefault(_key(name), []).append(label)
    videos = []
    for name in sorted(filter(lambda name: is_video_name(Path(name)), members), key=natural_key):
        given = set(labels.get(str(PurePosixPath(name).with_suffix("")), []) or labels.get(_key(name), []))
        if len(given) > 1:
            on_bad(InputError(f"{tar}: {name!r} has different labels: {', '.join(map(repr, sorted(given)))}"))
        else:
            videos.append(TarVideo(PurePosixPath(name), next(iter(given), None)))
    return videos


def member_length(tar: Path, name: str) -> int:
    """Bytes of a member. Raises InputError where there is none of this name."""
    return _span(tar, name).length


def open_member(tar: Path, name: str) -> BinaryIO:
    """A member's bytes as a file of their own. Raises InputError where there is none of this name, OSError."""
    return io.BufferedReader(_Window(tar, _span(tar, name)), buffer_size=1 << 16)


class _Window(io.RawIOBase):
    """A span of a file, read-only."""

    def __init__(self, path: Path, span: Span) -> None:
        super().__init__()
        self._file, self._span, self._at = path.open("rb", buffering=0), span, 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def readinto(self, buffer: memoryview) -> int:  # type: ignore[override]
        self._file.seek(self._span.start + self._at)
        count = self._file.readinto(memoryview(buffer)[: max(0, self._span.length - self._at)]) or 0
        self._at += count
        return count

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._span.length}[whence]
        if base + offset < 0:
            raise OSError("a place before the beginning was asked for")
        self._at = base + offset
        return self._at

    def close(self) -> None:
        self._file.close()
        super().close()


def _span(tar: Path, name: str) -> Span:
    span = _members_of(tar)[0].get(name)
    if span is None:
        raise InputError(f"{tar}: holds no file {name!r}")
    return span


def _members_of(tar: Path) -> tuple[dict[str, Span], tuple[str, ...]]:
    """Regular files by name, and why others are refused; remembered until the file changes. Raises InputError."""
    try:
        status = tar.stat()
        return _scanned(tar.absolute(), (status.st_size, status.st_mtime_ns, status.st_ino))
    except OSError as error:
        raise InputError(f"{tar}: cannot be read ({error.strerror})") from error


@lru_cache(_KEPT)
def _scanned(tar: Path, status: tuple[int, ...]) -> tuple[dict[str, Span], tuple[str, ...]]:
    members: dict[str, Span] = {}
    refused: dict[str, None] = {}
    size = status[0]
    try:
        with tar.open("rb") as file, tarfile.open(fileobj=file, mode="r:") as opened:
            for member in opened:
                if not 0 <= member.size <= size - member.offset_data:
                    raise InputError(f"{tar}: is cut off, or damaged: {member.name!r} is not all there")
                reason = _refusal(member, members)
                if reason is not None:
                    refused[reason] = None
                elif member.isreg():
                    members[_plain(member.name)] = Span(member.offset_data, member.size)
            # Behind the last member is a block of zeros; the module takes a damaged header for the end, too.
            file.seek(opened.offset)
            if file.read(_BLOCK) != bytes(_BLOCK):
                raise InputError(f"{tar}: is cut off, or damaged, behind {len(opened.getmembers()):,} members")
    except (tarfile.TarError, ValueError, IndexError, OverflowError) as error:
        raise InputError(f"{tar}: {_what_it_is(tar)} ({error})") from error
    return members, tuple(refused)


def _refusal(member: tarfile.TarInfo, members: dict[str, Span]) -> str | None:
    """Why a member cannot be used; None where it can, or is no file that anybody would look for."""
    name = member.name
    place = PurePosixPath(name)
    if place.is_absolute() or ".." in place.parts:
        return f"the member {name!r} leads out of the tar file"
    matters = is_video_name(Path(name)) or name.endswith((".json", ".cls"))
    if not matters or member.isdir():
        return None
    if not member.isreg() or member.issparse():
        return f"the member {name!r} is no regular file"
    if _plain(name) in members:
        return f"the member {name!r} is there twice"
    return None


def _plain(name: str) -> str:
    """Without the `./` that `tar -C FOLDER .` writes."""
    return str(PurePosixPath(name))


def _label(tar: Path, name: str) -> str | None:
    """What a member says is the label; None where it says nothing of it. Raises InputError."""
    with open_member(tar, name) as file:
        data = file.read(_LONGEST_LABEL + 1)
    if len(data) > _LONGEST_LABEL:
        raise InputError(f"{tar}: the member {name!r} is too long for a label")
    try:
        if name.endswith(".cls"):
            return data.decode().strip() or None
        record = json.loads(data)
    except (ValueError, RecursionError) as error:
        kind = "text" if name.endswith(".cls") else "JSON"
        raise InputError(f"{tar}: the member {name!r} is no {kind} ({error})") from error
    label = record.get("label") if isinstance(record, dict) else None
    if label is None or label == "":
        return None
    if isinstance(label, bool) or not isinstance(label, str | int):
        raise InputError(f"{tar}: the label in {name!r} is neither text nor a whole number")
    return str(label)


def _key(name: str) -> str:
    """What members that belong together have in common: the name up to the first dot of its last part."""
    place = PurePosixPath(name)
    return str(place.with_name(place.name.partition(".")[0]))


def _what_it_is(tar: Path) -> str:
    with tar.open("rb") as file:
        packer = _PACKERS.get(file.read(2))
    return f"is compressed with {packer}: unpack it first" if packer else "is no tar file, or is damaged"
