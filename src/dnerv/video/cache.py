"""Decoded frames of a corpus member, kept on disk between runs.

`<hash of the name>.rgb` holds the frames, `<hash>.json` says from which file, with which options, and what
was found. The JSON is written last and as a whole: where it is valid the frames are complete, so a killed run
resumes by itself.
"""

import hashlib
import json
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

from dnerv.errors import ArchiveError, InputError, OutputError
from dnerv.video.corpus import Member
from dnerv.video.store import FrameStore, FrameStoreWriter, write_atomically
from dnerv.video.timing import Timing

if TYPE_CHECKING:
    from dnerv.video.source import VideoSource

_VERSION = 1  # raise it when the same source and options would give other frames


@dataclass(frozen=True)
class CachedVideo:
    """One video, decoded: its frames on disk and everything known of it. Picklable."""

    name: str
    label: str | None
    height: int  # of the cached frames, pixels
    width: int  # of the cached frames, pixels
    original_height: int  # upright, before scaling, pixels
    original_width: int  # upright, before scaling, pixels
    timing: Timing  # one time per cached frame
    bad_packets: int  # packets or images skipped as undecodable, plus pictures the decoder had to patch up
    store: FrameStore
    mask: FrameStore | None = None  # 255 in all channels where a pixel is hidden and `store` holds a fill


def cache_video(
    member: Member, directory: Path, *, size: tuple[int, int] | None = None, fps: Fraction | None = None
) -> CachedVideo:
    """Decode `member` into `directory`, or find it there from an earlier run with the same source and
    options.

    size: (height, width) in pixels, None for the source's. fps: constant rate, None for the source's own
    times. One process caches a given member at a time. Raises InputError for the video, OutputError for the
    disk.
    """
    # PyAV is needed only to decode: a cache that came from elsewhere is read without it.
    from dnerv.video.source import VideoSource

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{directory}: cannot be created ({error.strerror})") from error
    source = VideoSource(member.source_path)
    key = _key(source, member, size, fps)
    stem = _stem(member.name)
    frames, sidecar = directory / f"{stem}.rgb", directory / f"{stem}.json"
    found = _reuse(sidecar, frames, member, key)
    return found or _decode(source, frames, sidecar, member, key, size, fps)


def open_cached(name: str, directory: Path) -> CachedVideo:
    """The video that an earlier run has cached under this name, whatever has become of its source.

    Raises InputError where there is none, or not all of its frames.
    """
    sidecar = directory / f"{_stem(name)}.json"
    member = Member(name, sidecar, None)
    try:
        video = _from_facts(json.loads(sidecar.read_bytes()), sidecar.with_suffix(".rgb"), member)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ArchiveError):
        raise InputError(f"{directory} has no frames of {name!r}: run what has made it again") from None
    if not video.store.is_complete():
        raise InputError(f"{directory} has not all frames of {name!r}: run what has made it again")
    return video


def _stem(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def _key(
    source: "VideoSource", member: Member, size: tuple[int, int] | None, fps: Fraction | None
) -> dict[str, object]:
    """What the cached frames depend on, as a JSON value."""
    try:
        stats = [(path.name, path.stat()) for path in source.files]
    except OSError as error:
        raise InputError(f"{member.source_path}: cannot be read ({error.strerror})") from error
    files = hashlib.sha256(repr([(name, s.st_size, s.st_mtime_ns) for name, s in stats]).encode())
    return {
        "version": _VERSION,
        "name": member.name,
        "source": str(member.source_path.absolute()),
        "files": files.hexdigest(),
        "size": None if size is None else list(size),
        "fps": None if fps is None else str(Fraction(fps)),
    }


def _reuse(sidecar: Path, frames: Path, member: Member, key: dict[str, object]) -> CachedVideo | None:
    """The cached video if sidecar and frames fit `key`; None in every other case, whatever the files hold."""
    try:
        facts = json.loads(sidecar.read_bytes())
        if facts["key"] != key:
            return None
        video = _from_facts(facts, frames, member)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ArchiveError):
        return None
    return video if video.store.is_complete() else None


def _from_facts(facts: dict[str, object], frames: Path, member: Member) -> CachedVideo:
    timing = Timing.from_json(facts["timing"])
    sizes = facts["sizes"]
    if not isinstance(sizes, list) or not all(type(side) is int and side > 0 for side in sizes):
        raise ValueError("sizes must be positive integers")
    height, width, original_height, original_width = sizes
    bad_packets = facts["bad_packets"]
    if type(bad_packets) is not int:
        raise ValueError("bad_packets must be an integer")
    store = FrameStore(frames, height, width, timing.num_frames)
    return CachedVideo(
        member.name, member.label, height, width, original_height, original_width, timing, bad_packets, store
    )


def _decode(
    source: "VideoSource",
    frames: Path,
    sidecar: Path,
    member: Member,
    key: dict[str, object],
    size: tuple[int, int] | None,
    fps: Fraction | None,
) -> CachedVideo:
    # The old sidecar goes first, so that it never describes the new frames.
    try:
        sidecar.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{sidecar}: cannot be replaced ({error.strerror})") from error
    stream = source.frames(size=size, fps=fps)
    with FrameStoreWriter(frames) as writer:
        for _, frame in stream:
            writer.append(frame)
    store = writer.store()
    facts: dict[str, object] = {
        "key": key,
        "sizes": [store.height, store.width, *stream.original_size],
        "timing": stream.timing.to_json(),
        "bad_packets": stream.bad_packets,
    }
    write_atomically(sidecar, json.dumps(facts).encode())
    return _from_facts(facts, frames, member)
