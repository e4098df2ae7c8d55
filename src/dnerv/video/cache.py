"""Decoded frames of corpus members, kept on disk between runs.

`<hash of the name>.rgb` holds the frames, `<hash>.json` says from which bytes, with which options, and what was found.
The JSON is written last and as a whole: where it is valid the frames are complete, so a killed run resumes by itself.
"""

import hashlib
import json
from collections.abc import Callable, Generator, Sequence
from contextlib import closing
from dataclasses import asdict, dataclass
from fractions import Fraction
from functools import lru_cache, partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerv import progress
from dnerv.errors import ArchiveError, InputError, OutputError
from dnerv.files import write_atomically
from dnerv.process import side_by_side
from dnerv.video.content import content_of, digest_of, status_of
from dnerv.video.corpus import Member, OnBad
from dnerv.video.planes import Matrix, Planes
from dnerv.video.store import FrameStore, FrameStoreWriter
from dnerv.video.timing import Timing

if TYPE_CHECKING:
    from dnerv.video.source import VideoSource

_VERSION = 3  # raise it when the same source and options would give other frames


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
    remarks: tuple[str, ...]  # what a user should know of the source, a sentence each: damage, what is not kept
    digest: str  # of frames, times and colours: what is made of other ones is no good for these
    store: FrameStore
    matrix: Matrix = "bt709"  # these three are of the source: what its frames were before they became RGB
    full_range: bool = False
    depth: int = 8  # bits, 8 or 10; the frames here have 8
    mask: FrameStore | None = None  # 255 in all channels where a pixel is hidden and `store` holds a fill


def cache_videos(
    members: Sequence[Member],
    directory: Path,
    *,
    size: tuple[int, int] | None = None,
    fps: Fraction | None = None,
    on_bad: OnBad | None = None,
) -> list[CachedVideo]:
    """`cache_video` of all members, as a step of the progress; as many at once as there are cores.

    on_bad: told of a video that cannot be read; where it returns, the rest goes on. By default the error is raised.
    """
    look = partial(cache_silently, directory=directory, size=size, fps=fps)
    return usable(members, side_by_side(partial(attempted, look), members), on_bad)


def cache_video(
    member: Member, directory: Path, *, size: tuple[int, int] | None = None, fps: Fraction | None = None
) -> CachedVideo:
    """Decode `member` into `directory`, or find it there from an earlier run with the same source and
    options. What is remarkable of it is said as warnings.

    size: (height, width) in pixels, None for the source's. fps: constant rate, None for the source's own
    times. One process caches a given member at a time. Raises InputError for the video, OutputError for the
    disk.
    """
    return _remarked(member, cache_silently(member, directory, size, fps))


def attempted(look: Callable[[Member], CachedVideo], member: Member) -> CachedVideo | InputError:
    """What `look` gives for the member, or why it cannot: what is done about that, who has all of them decides."""
    try:
        return look(member)
    except InputError as error:
        return error


def usable(
    members: Sequence[Member], found: Generator[CachedVideo | InputError], on_bad: OnBad | None = None
) -> list[CachedVideo]:
    """The videos among what was found of each member, as a step of the progress. `on_bad` as of `cache_videos`."""
    progress.stage("reading videos", len(members))
    videos = []
    with closing(found):
        for member, video in zip(members, found, strict=True):
            if not isinstance(video, InputError):
                videos.append(_remarked(member, video))
            elif on_bad is None:
                raise video
            else:
                on_bad(video)
            progress.advance()
    return videos


def _remarked(member: Member, video: CachedVideo) -> CachedVideo:
    """The video; what is remarkable of it is said as warnings."""
    for remark in video.remarks:
        progress.warning(f"{member.source_path}: {remark}")
    return video


def cache_silently(member: Member, directory: Path, size: tuple[int, int] | None, fps: Fraction | None) -> CachedVideo:
    """`cache_video`, for a thread or a process that nobody listens to: it warns of nothing."""
    # PyAV is needed only to decode: a cache that came from elsewhere is read without it.
    from dnerv.video.source import VideoSource

    try:
        directory.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{directory}: cannot be created ({error.strerror})") from error
    source = VideoSource(member.source_path, part=member.part)
    options: dict[str, object] = {
        "version": _VERSION,
        "name": member.name,
        "size": None if size is None else list(size),
        "fps": None if fps is None else str(Fraction(fps)),
    }
    if member.part is not None:
        options["part"] = asdict(member.part)
    if source.inside is not None:
        options["inside"] = source.inside
    stem = _stem(member.name)
    frames, sidecar = directory / f"{stem}.rgb", directory / f"{stem}.json"
    video = _reuse(source, sidecar, frames, member, options)
    return _decode(source, frames, sidecar, member, options, size, fps) if video is None else video


def open_cached(name: str, directory: Path) -> CachedVideo:
    """The video that an earlier run has cached under this name, whatever has become of its source.

    Raises InputError where there is none, or not all of its frames.
    """
    sidecar = directory / f"{_stem(name)}.json"
    member = Member(name, sidecar, None)
    try:
        video = _from_facts(json.loads(sidecar.read_bytes()), sidecar.with_suffix(".rgb"), member)
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ArchiveError, InputError):
        raise InputError(f"{directory} has no frames of {name!r}: run what has made it again") from None
    if not video.store.is_complete():
        raise InputError(f"{directory} has not all frames of {name!r}: run what has made it again")
    return video


def _stem(name: str) -> str:
    return hashlib.sha256(name.encode()).hexdigest()[:24]


def _reuse(
    source: "VideoSource", sidecar: Path, frames: Path, member: Member, options: dict[str, object]
) -> CachedVideo | None:
    """The cached video if sidecar and frames fit source and options; None otherwise, whatever the files hold."""
    try:
        facts = json.loads(sidecar.read_bytes())
        if facts["options"] != options:
            return None
        video = _from_facts(facts, frames, member)
        known = facts["status"], facts["content"]
    except (OSError, ValueError, KeyError, TypeError, RecursionError, ArchiveError, InputError):
        return None
    if not video.store.is_complete():
        return None
    status = status_of(source.files)
    if status != known[0]:
        if _content(tuple(source.files), status) != known[1]:
            return None
        write_atomically(sidecar, json.dumps(facts | {"status": status}).encode())
    return video


@lru_cache(maxsize=256)
def _content(files: tuple[Path, ...], status: str) -> str:
    """Hash of their bytes: of a file with many parts read once, for as long as its status stays the same."""
    return content_of(files)


def _from_facts(facts: dict[str, Any], frames: Path, member: Member) -> CachedVideo:
    timing = Timing.from_json(facts["timing"])
    sizes, remarks, digest = facts["sizes"], facts["remarks"], facts["digest"]
    if not isinstance(sizes, list) or not all(type(side) is int and side > 0 for side in sizes):
        raise ValueError("sizes must be positive integers")
    height, width, original_height, original_width = sizes
    if not isinstance(remarks, list) or not all(isinstance(text, str) for text in [*remarks, digest]):
        raise ValueError("remarks and digest must be text")
    store = FrameStore(frames, height, width, timing.num_frames)
    original = original_height, original_width
    planes = Planes(**facts["planes"])
    return CachedVideo(
        member.name,
        member.label,
        height,
        width,
        *original,
        timing,
        tuple(remarks),
        digest,
        store,
        planes.matrix,
        planes.full_range,
        planes.depth,
    )


def _decode(
    source: "VideoSource",
    frames: Path,
    sidecar: Path,
    member: Member,
    options: dict[str, object],
    size: tuple[int, int] | None,
    fps: Fraction | None,
) -> CachedVideo:
    # The old sidecar goes first, so that it never describes the new frames.
    try:
        sidecar.unlink(missing_ok=True)
    except OSError as error:
        raise OutputError(f"{sidecar}: cannot be replaced ({error.strerror})") from error
    status = status_of(source.files)
    content = _content(tuple(source.files), status)
    stream = source.frames(size=size, fps=fps)
    with FrameStoreWriter(frames) as writer:
        for _, frame in stream:
            writer.append(frame)
    store, timing, planes = writer.store(), stream.timing.to_json(), asdict(stream.planes)
    facts: dict[str, object] = {
        "options": options,
        "status": status,
        "content": content,
        "sizes": [store.height, store.width, *stream.original_size],
        "timing": timing,
        "remarks": list(stream.remarks),
        "planes": planes,
        "digest": digest_of([writer.digest, store.height, store.width, timing, planes]),
    }
    write_atomically(sidecar, json.dumps(facts).encode())
    return _from_facts(facts, frames, member)
