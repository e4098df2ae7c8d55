"""The `.dnerv` file as a container of named sections and loose bytes: checked opening and random access.

Opening takes two reads, of the header and of the tail, which stays in memory: what is asked for from there costs no
read. Bytes come from a local file or from a URL (`storage.py`). `read` checks a section's checksum; `read_at` does not,
because whoever reads parts keeps checksums of them. See docs/format.md.
"""

from __future__ import annotations

import os
from collections.abc import Collection, Iterator, Mapping, Sequence
from contextlib import contextmanager, suppress
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from zlib import crc32

from dnerv.bitstream.header import HEADER_SIZE, Section, Slot, decode_header, decode_table
from dnerv.bitstream.storage import LocalFile, Opener, Replaced, Span, Storage, is_url, name_of
from dnerv.errors import ArchiveError, InputError

TAIL_BYTES = 1 << 26  # of a tail that are kept in memory at most: its last ones
_VERIFY_BYTES = 1 << 20  # read at once while verifying
_TRIES = 3  # of opening a file that is replaced meanwhile


class Identity(NamedTuple):
    """Tells one state of a file from any other: its section table holds the checksum of every section."""

    slot: Slot
    table: str  # hash of the section table


class Container:
    """A `.dnerv` file, open for reading. Safe to read from several threads, and in forked processes.

    It pickles as its path or URL and identity: unpickled, it opens the file anew at the very state that it had, which
    changes do not touch, and refuses another file of that name. So does one that stays open on a URL.

    Use `Container.open(path, known)`, as a context manager or with `close()`.
    """

    def __init__(self, storage: Storage, slot: Slot, known: Collection[str]) -> None:
        """`storage`: taken over, and closed with it. Reads the tail. Raises ArchiveError, OSError."""
        self.name, self.slot = storage.name, slot
        self._storage, self._known, self._is_open = storage, frozenset(known), True
        self._tail_start = max(slot.start, slot.end - TAIL_BYTES)
        self._tail = storage.read(self._tail_start, slot.end - self._tail_start)
        table = self._tail[slot.table_offset - self._tail_start :]
        self._sections = {section.kind: section for section in decode_table(table, slot)}
        foreign = [s.kind for s in self.sections if s.is_essential and s.kind not in self._known]
        if foreign:
            raise ArchiveError(f"the archive needs section {foreign[0]}, which this dnerv does not know: upgrade dnerv")
        self.identity = Identity(slot, _hash(table))

    @classmethod
    def open(
        cls,
        path: str | os.PathLike[str],
        known: Collection[str],
        *,
        storage_options: Mapping[str, Any] | None = None,
    ) -> Container:
        """Open a file, or what a URL stands for, and check its header and section table; check no section.

        Args:
            known: kinds that the caller understands; an essential section of another kind is refused.
            storage_options: of the file system that fsspec has for a URL.

        Raises:
            ArchiveError: with the path, for anything that is not a whole archive, a missing file included.
            InputError: `storage_options` for a local file, or a URL that needs a package which is missing.
        """
        with _as_archive_error(name_of(path)):
            storage = _open_storage(path, storage_options)
            for _ in range(_TRIES):
                try:
                    header = storage.read(0, min(HEADER_SIZE, storage.size))
                    size = storage.size  # after the header: a change may be under way, and the file grow
                    return cls(storage, decode_header(header, size), known)
                except Replaced:
                    storage.close()
                    storage = storage.anew()
                except BaseException:
                    storage.close()
                    raise
            raise ArchiveError("it is replaced again and again while it is opened")

    @classmethod
    def _reopened(cls, name: str, opened: Opener, known: Collection[str], identity: Identity) -> Container:
        """Open a file at the state of `identity`. ArchiveError, with the path, where it does not hold that."""
        with _as_archive_error(name):
            storage = opened()
            try:
                if storage.size >= identity.slot.end:
                    container = cls(storage, identity.slot, known)
                    if container.identity == identity:
                        return container
            except ArchiveError:
                pass
            except BaseException:
                storage.close()
                raise
            storage.close()
            raise _replaced()

    @property
    def path(self) -> Path:
        """Of the file. InputError for one behind a URL."""
        if not isinstance(self._storage, LocalFile):
            raise InputError(f"{self.name}: this needs a local file: download the archive")
        return self._storage.path

    @property
    def is_remote(self) -> bool:
        """Whether a read takes a request to another machine."""
        return self._storage.is_remote

    @property
    def kinds(self) -> tuple[str, ...]:
        """The sections' kinds, in the table's order."""
        return tuple(self._sections)

    @property
    def sections(self) -> tuple[Section, ...]:
        """All of them, in the table's order."""
        return tuple(self._sections.values())

    @property
    def size(self) -> int:
        """Bytes of the file, without what an interrupted change may have left behind its end."""
        return self.slot.end

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of "header" (header and section table) and of each section; the rest lies outside of sections."""
        return {"header": HEADER_SIZE + self.slot.table_length} | {s.kind: s.length for s in self.sections}

    def section(self, kind: str) -> Section:
        """Where a section lies. ArchiveError if it is missing."""
        if kind not in self._sections:
            raise ArchiveError(f"{self.name}: the archive has no section {kind}; it has {', '.join(self.kinds)}")
        return self._sections[kind]

    def read(self, kind: str) -> bytes:
        """A whole section; ArchiveError if it is missing or its checksum does not match."""
        section = self.section(kind)
        data = self.read_at(section.offset, section.length)
        if crc32(data) != section.crc32:
            raise ArchiveError(f"{self.name}: the archive is damaged: the checksum of section {kind} does not match")
        return data

    def read_at(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` in the file, unchecked; ArchiveError if they lie outside."""
        with _as_archive_error(self.name):
            if not HEADER_SIZE <= offset <= offset + length <= self.slot.end:
                raise ArchiveError(f"the archive is damaged: bytes {offset} to {offset + length} lie outside the file")
            self._check_open()
            if offset >= self._tail_start:
                return self._tail[offset - self._tail_start : offset - self._tail_start + length]
            return self._read(offset, length)

    def prepare(self, spans: Sequence[Span]) -> None:
        """Have bytes, (offset, length) each, at hand for `read_at`: joined and all at once where reads are requests.

        Raises ArchiveError.
        """
        with _as_archive_error(self.name):
            self._check_open()
            if self._storage.is_remote:
                try:
                    self._storage.prepare(spans)
                except Replaced:
                    self._follow()
                    self._storage.prepare(spans)

    def check_same(self, error: BaseException) -> None:
        """Raise ArchiveError where it comes of another file that has taken this one's place, behind a URL."""
        chain: BaseException | None = error
        while chain is not None:
            if isinstance(chain, OSError | Replaced):
                return
            chain = chain.__cause__
        if self._is_open and self._storage.is_remote:
            with _as_archive_error(self.name), suppress(OSError):
                self._follow()

    def verify(self) -> list[tuple[str, bool]]:
        """(kind, checksum matches) of every section, in the table's order, read from the file 1 MiB at a time."""
        return [(section.kind, self._checksum_matches(section)) for section in self.sections]

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        self._is_open = False
        self._storage.close()

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __contains__(self, kind: str) -> bool:
        return kind in self._sections

    def __reduce__(self) -> tuple[Any, ...]:
        return Container._reopened, (self.name, self._storage.anew, self._known, self.identity)

    def _checksum_matches(self, section: Section) -> bool:
        checksum = 0
        with _as_archive_error(self.name):
            for start in range(0, section.length, _VERIFY_BYTES):
                length = min(_VERIFY_BYTES, section.length - start)
                checksum = crc32(self._read(section.offset + start, length), checksum)
        return checksum == section.crc32

    def _check_open(self) -> None:
        if not self._is_open:
            raise ValueError(f"{self.name} is closed")

    def _read(self, offset: int, length: int) -> bytes:
        self._check_open()
        try:
            return self._storage.read(offset, length)
        except Replaced:
            self._follow()
            return self._storage.read(offset, length)

    def _follow(self) -> None:
        """Go on with what took the file's place, where it holds the same state, as an addition to it does."""
        there, slot = self._storage.anew(), self.slot
        try:
            if there.size < slot.end or _hash(there.read(slot.table_offset, slot.table_length)) != self.identity.table:
                raise _replaced()
        except BaseException:
            there.close()
            raise
        self._storage = there  # the one before is not closed: other threads may be reading from it


def _open_storage(path: str | os.PathLike[str], options: Mapping[str, Any] | None) -> Storage:
    """The file at a path, or the object at a URL. Raises ArchiveError, InputError, OSError.

    `options`: of the file system that fsspec has for the URL; InputError for a local file.
    """
    if is_url(path):
        from dnerv.bitstream.remote import RemoteFile

        return RemoteFile(str(path), options)
    if options:
        raise InputError(f"{path}: storage_options are for URLs, and this is the path of a file")
    return LocalFile(Path(path))


def _hash(table: bytes) -> str:
    return blake2b(table, digest_size=16).hexdigest()


def _replaced() -> Replaced:
    return Replaced("the archive has been replaced since it was opened; open it anew")


@contextmanager
def _as_archive_error(path: str) -> Iterator[None]:
    """Name the file in what goes wrong with it."""
    try:
        yield
    except FileNotFoundError as error:
        raise ArchiveError(f"{path}: no such file") from error
    except OSError as error:
        raise ArchiveError(f"{path}: cannot be read: {error.strerror or error}") from error
    except MemoryError as error:
        raise ArchiveError(f"{path}: a section is larger than the memory at hand") from error
    except ArchiveError as error:
        raise ArchiveError(f"{path}: {error}") from error
