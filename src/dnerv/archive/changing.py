"""Archives that change: videos go, come out into a file of their own, and come together; what is unused is taken away.

    remove    archive ──────────────── index without them, appended          (their packets stay in the file, unused)
    extract   archive ── some videos ─┐
    merge     archives ─ all videos ──┼─ their packets, references, network ── a new file
    compact   archive ── all videos ──┘                                         (that takes the archive's place)

Packets are copied as they are, never coded again: frames stay what they were, to the bit. Every group is compared with
its checksum on the way, so that damage does not travel on unseen.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import ExitStack
from dataclasses import dataclass
from fnmatch import fnmatchcase
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any
from zlib import crc32

from dnerv import progress
from dnerv.archive.archive import Archive
from dnerv.archive.entry import OWN_INTRA, VideoEntry, sort_key
from dnerv.archive.videos import Videos
from dnerv.archive.writing import ArchiveWriter, NetworkLayer, NewReference, changed_archive, new_archive
from dnerv.bitstream import changed_container, check_target
from dnerv.errors import ArchiveError, InputError, OutputError, VideoNameError

_WILD = "*?["
_LISTED = 5  # names in a message


@dataclass(frozen=True)
class Change:
    """What a change made of an archive."""

    path: Path
    videos: tuple[str, ...]  # that were removed, or are in the new file
    num_videos: int  # of the archive now
    file_bytes: int
    unused_bytes: int  # of it; `compact` takes them away, and references that no video uses
    bytes_before: int  # of what it was made of

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return vars(self) | {"path": str(self.path), "videos": list(self.videos)}


def matching(videos: Videos, names: Sequence[str]) -> list[str]:
    """Names of videos, in the order of names: those given, and all that fit a pattern with `*`, `?` or `[...]`.

    A name that a video has is taken as it is, whatever signs it has. `*` fits `/` too.

    Raises VideoNameError for a name or a pattern that fits no video.
    """
    found, patterns = set[str](), list[str]()
    for name in sorted(set(names), key=sort_key):  # in the index's order: each of its blocks is read once
        found.add(name) if name in videos else patterns.append(name)
    missing = [pattern for pattern in patterns if not set(pattern) & set(_WILD)]
    if missing:
        videos.find(missing[0])  # raises the error that names some that are there
    fits = dict.fromkeys(patterns, False)
    for name in videos.names if patterns else ():
        for pattern in patterns:
            if fnmatchcase(name, pattern):
                fits[pattern] = True
                found.add(name)
    for pattern, is_used in fits.items():
        if not is_used:
            raise VideoNameError(f"no video fits {pattern!r}; there are {len(videos)}")
    return sorted(found, key=sort_key)


def remove(path: str | os.PathLike[str], names: Sequence[str]) -> Change:
    """Take videos out of an archive, in place. Their bytes stay in the file, unused, until `compact`.

    Killed at any moment it leaves the old archive or the new one. Who has the archive open keeps reading what it was.

    Args:
        names: of videos, or patterns of names (`matching`).

    Raises:
        VideoNameError: a name that no video has.
        InputError: no video would be left: an archive holds at least one.
        OutputError: another process is changing the archive, or it cannot be written; it is what it was then.
        ArchiveError: it is damaged, or none.
    """
    with changed_archive(path) as writer:
        archive = writer.archive
        assert archive is not None
        before, gone = archive.file_bytes, matching(archive, names)
        if len(gone) == len(archive):
            raise InputError(f"{path}: these are all of its videos, and an archive holds at least one: delete the file")
        for name in gone:
            writer.remove_video(name)
        writer.finish(archive.made)
    return change_of(path, gone, before)


def extract(
    path: str | os.PathLike[str], output: str | os.PathLike[str], names: Sequence[str], *, force: bool = False
) -> Change:
    """Copy videos of the archive at `path` into a new one at `output`, with the references and the network they use.

    Args:
        names: of videos, or patterns of names (`matching`).
        force: replace an existing output.

    Raises:
        VideoNameError: a name that no video has.
        OutputError: the output is the archive itself, exists and `force` is off, or cannot be written.
        ArchiveError: `path` is no archive, or what is copied is damaged. No output is written then.
    """
    check_target(output, force=force)
    with Archive(path) as archive:
        if Path(output).exists() and Path(output).samefile(archive.container.path):
            raise OutputError(f"{output}: is the archive itself, whose other videos would be lost; `dnerv remove` them")
        return _write([_Part(archive, matching(archive, names))], output, force=force)


def merge(paths: Sequence[str | os.PathLike[str]], output: str | os.PathLike[str], *, force: bool = False) -> Change:
    """Copy all videos of several archives into a new one at `output`. A reference that several have is stored once.

    What is recorded of the encoding, which later additions follow, is that of the archive with the most frames.

    Args:
        paths: archives; the output may be among them.
        force: replace an existing output.

    Raises:
        InputError: no archive given, a name that two videos have, or videos that two different networks make: an
            archive has one.
        OutputError: the output exists and `force` is off, or cannot be written.
        ArchiveError: one of `paths` is no archive, or damaged. No output is written then.
    """
    if not paths:
        raise InputError("there are no archives to merge: give one or more")
    check_target(output, force=force)
    with ExitStack() as stack:
        archives = [stack.enter_context(Archive(path)) for path in paths]
        _check_names(archives)
        return _write([_Part(archive) for archive in archives], output, force=force)


def compact(path: str | os.PathLike[str]) -> Change:
    """Write an archive anew without what is unused: bytes of removed videos, references and a network of none.

    Where nothing is unused the file stays as it is. Killed at any moment it leaves the old file or the new one.

    Raises:
        OutputError: another process is changing the archive, or its folder cannot be written.
        ArchiveError: it is damaged, or none; the file stays what it was.
    """
    with changed_container(path), Archive(path) as archive:  # nobody else changes it meanwhile
        part = _Part(archive)
        before = archive.file_bytes
        if _is_compact(part):
            return change_of(path, (), before)
        return _write([part], path, force=True)


@dataclass(frozen=True)
class _Part:
    """Videos of one archive that are copied."""

    archive: Archive
    names: Sequence[str] | None = None  # in the order of names; None for all

    def __len__(self) -> int:
        return len(self.archive) if self.names is None else len(self.names)

    def __iter__(self) -> Iterator[VideoEntry]:
        with self.archive.errors_name_it():
            yield from self.archive.entries if self.names is None else (self.archive.find(n)[1] for n in self.names)

    @property
    def uses_network(self) -> bool:
        """Whether any of the videos does."""
        return self.archive.config.network is not None and any(entry.network_frame is not None for entry in self)

    @property
    def references(self) -> set[int]:
        """Places of those that the videos use."""
        return {place for entry in self for place in entry.references if place != OWN_INTRA}


def _write(parts: Sequence[_Part], output: str | os.PathLike[str], *, force: bool) -> Change:
    references, network = _references(parts), _network(parts)
    progress.stage("copying videos", sum(map(len, parts)))
    names = []
    with new_archive(output, network=network, force=force) as writer:
        for archive, place in references.values():
            with archive.errors_name_it():
                writer.add_reference(_read_reference(archive, place))
        for part in parts:
            for entry in part:
                _copy(part.archive, entry, writer)
                names.append(entry.name)
                progress.advance()
        writer.finish(_record(parts, {digest.hex() for digest in references}))
    return change_of(output, names, sum(part.archive.file_bytes for part in parts))


def _copy(archive: Archive, entry: VideoEntry, writer: ArchiveWriter) -> None:
    digests = [None if place == OWN_INTRA else archive.references[place].digest for place in entry.references]
    format = archive.config.formats[entry.format] if entry.num_coded else None
    with archive.errors_name_it():
        writer.add_video(entry, format, digests, _groups(archive, entry))


def _groups(archive: Archive, entry: VideoEntry) -> Iterator[bytes]:
    """The packets of each group, compared with its checksum. Raises ArchiveError."""
    if not entry.num_coded:
        return
    ends = [*accumulate(entry.packet_lengths, initial=entry.offset)]
    for group, (start, stop) in enumerate(pairwise([*ends[: -1 : entry.group_length], ends[-1]])):
        data = archive.container.read_at(start, stop - start)
        if crc32(data) & 0xFFFF != entry.checksums[group]:
            raise ArchiveError(
                f"video {entry.name!r} is damaged: the checksum of group {group} does not match; "
                "`dnerv remove` takes it out, and `dnerv extract` copies the others"
            )
        yield data


def _references(parts: Sequence[_Part]) -> dict[bytes, tuple[Archive, int]]:
    """Where each reference that is used is taken from, by digest; of equal ones, one that has its seed.

    Those without come first: a seed is mostly the packet of one of them, and stored only where that is missing.
    """
    found: dict[bytes, tuple[Archive, int]] = {}
    for part in parts:
        for place in sorted(part.references):
            reference = part.archive.references[place]
            if reference.digest not in found or (reference.seed_length and not _has_seed(*found[reference.digest])):
                found[reference.digest] = part.archive, place
    return dict(sorted(found.items(), key=lambda item: _has_seed(*item[1])))


def _has_seed(archive: Archive, place: int) -> bool:
    return archive.references[place].seed_length > 0


def _read_reference(archive: Archive, place: int) -> NewReference:
    known = archive.references[place]
    seed = archive.container.read_at(known.seed_offset, known.seed_length) if known.seed_length else b""
    return NewReference(
        packet=archive.base.reference_packet(place),
        seed=seed,
        height=known.height,
        width=known.width,
        format=archive.config.formats[known.format],
        crf=known.crf,
        preset=known.preset,
    )


def _network(parts: Sequence[_Part]) -> NetworkLayer | None:
    """The network of the videos that use one. Raises InputError where they use two."""
    users = [part.archive for part in parts if part.uses_network]
    chosen: NetworkLayer | None = None
    for archive in users:
        layer = network_of(archive)
        if chosen is not None and layer != chosen:
            raise InputError(
                f"{users[0].container.name} and {archive.container.name} make frames with two different networks, and "
                "an archive has one: keep them apart, or encode their videos together"
            )
        chosen = layer
    return chosen


def network_of(archive: Archive) -> NetworkLayer | None:
    """An archive's network as it goes into another one; None where there is none."""
    if archive.config.network is None:
        return None
    weights = archive.container.read("NETW") if "NETW" in archive.container else None
    return NetworkLayer(archive.config.network, weights)


def _record(parts: Sequence[_Part], digests: set[str]) -> dict[str, Any]:
    """How it was made: as the archive with the most frames, and of references what any of the archives says."""
    made = dict(max(parts, key=lambda part: part.archive.num_frames).archive.made)
    of_references = dict[str, Any]()
    for part in parts:
        said = part.archive.made.get("references")
        if isinstance(said, dict):
            of_references = {digest: fact for digest, fact in said.items() if digest in digests} | of_references
    made.pop("references", None)
    return made | ({"references": of_references} if of_references else {})


def _check_names(archives: Sequence[Archive]) -> None:
    counts = Counter(name for archive in archives for name in archive.names)
    twice = [name for name, count in counts.items() if count > 1]
    if twice:
        shown = ", ".join(map(repr, twice[:_LISTED])) + (f" and {len(twice) - _LISTED} more" if twice[_LISTED:] else "")
        raise InputError(f"several of the archives have videos named {shown}: remove them from all but one of these")


def _is_compact(part: _Part) -> bool:
    archive = part.archive
    if archive.breakdown()["unused"]:
        return False
    uses_all = len(part.references) == len(archive.references)
    return uses_all and (archive.config.network is None or part.uses_network)


def change_of(path: str | os.PathLike[str], names: Sequence[str], before: int) -> Change:
    """What the archive at `path` is, after a change of the videos `names`; `before`: bytes of what it was made of."""
    with Archive(path) as archive:
        unused = archive.breakdown()["unused"]
        return Change(Path(path), tuple(names), len(archive), archive.file_bytes, unused, before)
