"""Write a new archive, or change one: videos and references go in one by one, index and configuration at the end.

    with new_archive(path) as writer:                with changed_archive(path) as writer:
        writer.add_reference(...)                        writer.remove_video("a")
        writer.add_video(...)                            writer.add_video(...)
        writer.finish(made)                              writer.finish(made)

A new file is there whole or not at all. A change appends: killed at any moment it leaves the old file or the new one.
"""

from __future__ import annotations

import os
from collections.abc import Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from typing import Any

from dnerv.archive.archive import Archive
from dnerv.archive.config import ArchiveConfig, NetworkConfig, PlaneFormat
from dnerv.archive.entry import OWN_INTRA, VideoEntry, sort_key
from dnerv.archive.index import encode_directory, merged, write_blocks
from dnerv.archive.references import Reference, digest_of, encode_references
from dnerv.bitstream import encode_json
from dnerv.bitstream.container_writing import Appender, changed_container, new_container
from dnerv.errors import InputError, VideoNameError
from dnerv.video.names import refusal


@dataclass(frozen=True)
class NewReference:
    """A picture that groups may start from, as it goes into an archive."""

    packet: bytes  # without its sequence header, which the format has
    seed: bytes  # another such packet, whose decoded frame it was made from; empty: its picture is not kept
    height: int  # of the coded picture, pixels
    width: int
    format: PlaneFormat
    crf: float
    preset: int

    @property
    def digest(self) -> bytes:
        """Its name: groups refer to it by this."""
        return digest_of(self.packet)


@dataclass(frozen=True)
class NetworkLayer:
    """A trained network as it goes into an archive."""

    record: NetworkConfig
    weights: bytes | None  # of `bitstream.pack_weights`; None where the archive holds none


@contextmanager
def new_archive(
    path: str | os.PathLike[str], *, network: NetworkLayer | None = None, force: bool = False
) -> Iterator[ArchiveWriter]:
    """A writer of a new archive at `path`; it appears when the block ends, after `finish`, or not at all.

    Raises OutputError where the file exists and `force` is off, or it cannot be written.
    """
    with new_container(path, force=force) as appender:
        writer = ArchiveWriter(appender, network=network)
        yield writer
        writer.check_finished()


@contextmanager
def changed_archive(path: str | os.PathLike[str]) -> Iterator[ArchiveWriter]:
    """A writer on top of what the archive at `path` holds; without `finish` the file stays what it was.

    Raises ArchiveError where it is no archive or a damaged one, OutputError where another process is changing it or it
    cannot be written.
    """
    with changed_container(path) as appender, Archive(path) as archive:
        writer = ArchiveWriter(appender, archive)
        yield writer
        writer.check_finished()


class ArchiveWriter:
    """Takes videos and references. `archive` is the one that is being changed, None where the file is new."""

    def __init__(
        self, appender: Appender, archive: Archive | None = None, *, network: NetworkLayer | None = None
    ) -> None:
        self.archive = archive
        self._appender, self._is_finished = appender, False
        self._new: dict[str, VideoEntry] = {}
        self._gone: set[str] = set()
        self._formats = [] if archive is None else list(archive.config.formats)
        self._references = [] if archive is None else list(archive.references)
        self._places = {reference.digest: place for place, reference in enumerate(self._references)}
        self._network = None if network is None else network.record
        weights = None if network is None else network.weights
        self._weights = None if weights is None else appender.section("NETW", weights)
        if archive is not None and archive.config.network is not None:
            self._network = archive.config.network
            self._weights = archive.container.section("NETW") if "NETW" in archive.container else None

    def __contains__(self, name: str) -> bool:
        """Whether the archive will have a video of this name."""
        return name in self._new or self._is_kept(name)

    def add_reference(self, reference: NewReference) -> int:
        """Store a reference; its place in the archive's list. The same bytes are stored once. Raises OutputError."""
        if reference.digest not in self._places:
            offset, length, _ = self._appender.append(reference.packet)
            seed_offset, seed_length = self._store_seed(reference.seed)
            self._places[reference.digest] = len(self._references)
            self._references.append(
                Reference(
                    digest=reference.digest,
                    height=reference.height,
                    width=reference.width,
                    format=self._format(reference.format),
                    crf=reference.crf,
                    preset=reference.preset,
                    offset=offset,
                    length=length,
                    seed_offset=seed_offset if seed_length else 0,
                    seed_length=seed_length,
                )
            )
        return self._places[reference.digest]

    def _store_seed(self, seed: bytes) -> tuple[int, int]:
        """Offset and length: those of the reference whose packet it is, where there is one."""
        place = self._places.get(digest_of(seed))
        if place is None:
            return self._appender.append(seed)[:2]
        return self._references[place].offset, self._references[place].length

    def add_video(
        self,
        entry: VideoEntry,
        format: PlaneFormat | None,
        references: Sequence[bytes | None],
        packets: bytes | Iterable[bytes],
    ) -> None:
        """Store a video.

        Args:
            entry: what is known of it; `offset`, `format` and `references` are filled in.
            format: of its packets; None where it has no base layer.
            references: for each group the digest of a reference that has been added, or None for an intra frame.
            packets: all of them back to back, in as many pieces as is convenient.

        Raises:
            InputError: a name that no reader would open, or one that stands there already.
            ValueError: the packets are not as long as the entry says, or a reference has not been added.
            OutputError: the file cannot be written.
        """
        self._check_name(entry.name)
        unknown = [digest.hex() for digest in references if digest is not None and digest not in self._places]
        if unknown:
            raise ValueError(f"video {entry.name!r} refers to {unknown[0]}, which is no reference of the archive")
        offset, length, _ = self._appender.append(packets)
        if length != entry.num_bytes:
            raise ValueError(f"video {entry.name!r} has {length} bytes of packets and an entry for {entry.num_bytes}")
        self._new[entry.name] = replace(
            entry,
            offset=offset,
            format=0 if format is None else self._format(format),
            references=tuple(OWN_INTRA if digest is None else self._places[digest] for digest in references),
        )

    def remove_video(self, name: str) -> None:
        """Take a video out of the index; its bytes stay in the file, unused. VideoNameError where there is none."""
        if name in self._new:
            del self._new[name]
        elif self._is_kept(name):
            self._gone.add(name)
        else:
            raise VideoNameError(f"no video is called {name!r} in this archive")

    def finish(self, made: Mapping[str, Any]) -> None:
        """Write index, references, configuration and `made`, and make all of it count.

        Raises InputError where no video is left, OutputError where the file cannot be written.
        """
        if not self._num_videos:
            raise InputError("an archive holds at least one video")
        append, new = self._appender.append, sorted(self._new.values(), key=lambda entry: sort_key(entry.name))
        if self.archive is None:
            blocks = write_blocks(new, append)
        else:
            blocks = merged(self.archive.index, new, frozenset(self._gone), append)
        config = ArchiveConfig(tuple(self._formats), len(self._references), self._network)
        tail = {"CONF": encode_json(config.to_json()), "INDX": encode_directory(blocks)}
        if self._references:
            tail["REFS"] = encode_references(self._references)
        tail["made"] = encode_json(dict(made))
        weights = [] if self._weights is None else [self._weights]
        self._appender.commit([*weights, *(self._appender.section(kind, data) for kind, data in tail.items())])
        self._is_finished = True

    def check_finished(self) -> None:
        """Raise ValueError unless `finish` was called: what was added would be lost."""
        if not self._is_finished:
            raise ValueError("the archive was not finished")

    @property
    def _num_videos(self) -> int:
        kept = 0 if self.archive is None else len(self.archive) - len(self._gone)
        return kept + len(self._new)

    def _is_kept(self, name: str) -> bool:
        return self.archive is not None and name not in self._gone and name in self.archive

    def _check_name(self, name: str) -> None:
        reason = refusal(name)
        if reason is not None:
            raise InputError(f"a video named {name!r} cannot be stored: it {reason}")
        if name in self:
            raise InputError(f"two videos are named {name!r}: an archive finds them by it")

    def _format(self, format: PlaneFormat) -> int:
        if format not in self._formats:
            self._formats.append(format)
        return self._formats.index(format)
