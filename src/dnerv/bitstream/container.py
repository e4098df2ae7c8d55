"""The `.dnerv` file as a container of named sections and loose bytes: checked opening and random access.

Opening takes two reads, of the header and of the tail, which stays in memory: what is asked for from there costs no
read. `read` checks a section's checksum; `read_at` does not, because whoever reads parts keeps checksums of them. See
docs/format.md.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import Any, NamedTuple
from zlib import crc32

from dnerv.bitstream.header import HEADER_SIZE, Section, Slot, decode_header, decode_table
from dnerv.errors import ArchiveError

TAIL_BYTES = 1 << 26  # of a tail that are kept in memory at most: its last ones
_VERIFY_BYTES = 1 << 20  # read at once while verifying
_READ_BYTES = 1 << 30  # the most one system call is asked for


class Identity(NamedTuple):
    """Tells one state of a file from any other: its section table holds the checksum of every section."""

    slot: Slot
    table: str  # hash of the section table


class Container:
    """A `.dnerv` file, open for reading. Safe to read from several threads, and in forked processes.

    It pickles as its path and identity: unpickled, it opens the file anew at the very state that it had, which changes
    do not touch, and refuses another file of that name.

    Use `Container.open(path, known)`, as a context manager or with `close()`.
    """

    def __init__(self, path: Path, descriptor: int, slot: Slot, known: Collection[str]) -> None:
        """`descriptor`: of the open file, taken over. Reads the tail. Raises ArchiveError."""
        self.path, self.slot = path, slot
        self._descriptor, self._known = descriptor, frozenset(known)
        self._tail_start = max(slot.start, slot.end - TAIL_BYTES)
        self._tail = self._pread(self._tail_start, slot.end - self._tail_start)
        table = self._tail[slot.table_offset - self._tail_start :]
        self._sections = {section.kind: section for section in decode_table(table, slot)}
        foreign = [s.kind for s in self.sections if s.is_essential and s.kind not in self._known]
        if foreign:
            raise ArchiveError(f"the archive needs section {foreign[0]}, which this dnerv does not know: upgrade dnerv")
        self.identity = Identity(slot, blake2b(table, digest_size=16).hexdigest())

    @classmethod
    def open(cls, path: str | os.PathLike[str], known: Collection[str], identity: Identity | None = None) -> Container:
        """Open a file and check its header and section table; check no section.

        Args:
            known: kinds that the caller understands; an essential section of another kind is refused.
            identity: of the state to open, by default the newest.

        Raises ArchiveError, with the path, for anything that is not a whole archive, a missing file included; also for
        a file that does not hold the state of `identity`.
        """
        absolute = Path(path).absolute()
        with _as_archive_error(absolute):
            if not stat.S_ISREG(absolute.stat().st_mode):  # before opening: a named pipe would wait for a writer
                raise ArchiveError("not a regular file")
            descriptor = os.open(absolute, os.O_RDONLY | os.O_CLOEXEC)
            try:
                header = os.pread(descriptor, HEADER_SIZE, 0)
                size = os.fstat(descriptor).st_size  # after the header: a change may be under way, and the file grow
                slot = decode_header(header, size)
                if identity is None:
                    return cls(absolute, descriptor, slot, known)
                return cls._reopened(absolute, descriptor, size, known, identity)
            except BaseException:
                os.close(descriptor)
                raise

    @classmethod
    def _reopened(cls, path: Path, descriptor: int, size: int, known: Collection[str], identity: Identity) -> Container:
        replaced = ArchiveError("the archive has been replaced since it was opened; open it anew")
        if size < identity.slot.end:
            raise replaced
        try:
            container = cls(path, descriptor, identity.slot, known)
        except ArchiveError:
            raise replaced from None
        if container.identity != identity:
            container._descriptor = -1  # the caller closes it
            raise replaced
        return container

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
            raise ArchiveError(f"{self.path}: the archive has no section {kind}; it has {', '.join(self.kinds)}")
        return self._sections[kind]

    def read(self, kind: str) -> bytes:
        """A whole section; ArchiveError if it is missing or its checksum does not match."""
        section = self.section(kind)
        data = self.read_at(section.offset, section.length)
        if crc32(data) != section.crc32:
            raise ArchiveError(f"{self.path}: the archive is damaged: the checksum of section {kind} does not match")
        return data

    def read_at(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset` in the file, unchecked; ArchiveError if they lie outside."""
        with _as_archive_error(self.path):
            if not HEADER_SIZE <= offset <= offset + length <= self.slot.end:
                raise ArchiveError(f"the archive is damaged: bytes {offset} to {offset + length} lie outside the file")
            self._check_open()
            if offset >= self._tail_start:
                return self._tail[offset - self._tail_start : offset - self._tail_start + length]
            return self._pread(offset, length)

    def verify(self) -> list[tuple[str, bool]]:
        """(kind, checksum matches) of every section, in the table's order, read from the file 1 MiB at a time."""
        return [(section.kind, self._checksum_matches(section)) for section in self.sections]

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Container:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "identity"):  # else opening failed, and whoever opened the file closes it
            self.close()

    def __contains__(self, kind: str) -> bool:
        return kind in self._sections

    def __reduce__(self) -> tuple[Any, ...]:
        return Container.open, (self.path, self._known, self.identity)

    def _checksum_matches(self, section: Section) -> bool:
        checksum = 0
        with _as_archive_error(self.path):
            for start in range(0, section.length, _VERIFY_BYTES):
                length = min(_VERIFY_BYTES, section.length - start)
                checksum = crc32(self._pread(section.offset + start, length), checksum)
        return checksum == section.crc32

    def _check_open(self) -> None:
        if self._descriptor < 0:
            raise ValueError(f"{self.path} is closed")

    def _pread(self, offset: int, length: int) -> bytes:
        self._check_open()
        pieces, missing = [], length
        while missing:
            piece = os.pread(self._descriptor, min(missing, _READ_BYTES), offset + length - missing)
            if not piece:
                raise ArchiveError("the archive was truncated while it was open")
            pieces.append(piece)
            missing -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)


@contextmanager
def _as_archive_error(path: Path) -> Iterator[None]:
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
