"""The `.dnerv` file as a container of named sections and loose bytes: checked opening and random access.

Opening reads the header and the section table only. `read` checks a section's checksum; `read_at` does not, because
whoever reads parts keeps checksums of them. See docs/format.md.
"""

from __future__ import annotations

import os
import stat
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from zlib import crc32

from dnerv.bitstream.header import HEADER_SIZE, Section, Slot, decode_header, decode_table
from dnerv.errors import ArchiveError

_READ_BYTES = 1 << 30  # the most one system call is asked for


class Container:
    """A `.dnerv` file, open for reading. Safe to read from several threads; pickles as its path and reopens.

    Use `Container.open(path, known)`, as a context manager or with `close()`.
    """

    def __init__(self, path: Path, descriptor: int, slot: Slot, sections: list[Section], known: frozenset[str]) -> None:
        self.path, self.slot = path, slot
        self._descriptor, self._known = descriptor, known
        self._sections = {section.kind: section for section in sections}

    @classmethod
    def open(cls, path: str | os.PathLike[str], known: Collection[str]) -> Container:
        """Open a file and check its header and section table; read no section.

        Args:
            known: kinds that the caller understands; an essential section of another kind is refused.

        Raises ArchiveError, with the path, for anything that is not a whole archive, a missing file included.
        """
        absolute = Path(path).absolute()
        with _as_archive_error(absolute):
            if not stat.S_ISREG(absolute.stat().st_mode):  # before opening: a named pipe would wait for a writer
                raise ArchiveError("not a regular file")
            descriptor = os.open(absolute, os.O_RDONLY | os.O_CLOEXEC)
            try:
                slot = decode_header(os.pread(descriptor, HEADER_SIZE, 0), os.fstat(descriptor).st_size)
                sections = decode_table(os.pread(descriptor, slot.table_length, slot.table_offset), slot)
                foreign = [s.kind for s in sections if s.is_essential and s.kind not in known]
                if foreign:
                    raise ArchiveError(f"the archive needs what this dnerv does not know: section {foreign[0]}; upgrade dnerv")
            except BaseException:
                os.close(descriptor)
                raise
        return cls(absolute, descriptor, slot, sections, frozenset(known))

    @property
    def kinds(self) -> tuple[str, ...]:
        """The sections' kinds, in the table's order."""
        return tuple(self._sections)

    @property
    def sections(self) -> tuple[Section, ...]:
        """All of them, in the table's order."""
        return tuple(self._sections.values())

    @property
    def header_bytes(self) -> int:
        """Bytes of header and section table."""
        return HEADER_SIZE + self.slot.table_length

    @property
    def size(self) -> int:
        """Bytes of the file, without what an interrupted change may have left behind its end."""
        return self.slot.end

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
            return self._pread(offset, length)

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> Container:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            self.close()

    def __contains__(self, kind: str) -> bool:
        return kind in self._sections

    def _pread(self, offset: int, length: int) -> bytes:
        if self._descriptor < 0:
            raise ValueError(f"{self.path} is closed")
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
