"""The `.dnerv` file as a container of named sections: checked opening and random access. See docs/format.md.

Opening reads the section table only. `read` checks a section's checksum; `read_range` does not, because
whoever reads ranges keeps checksums of them (`chunks.py`); `verify` checks everything.
"""

import os
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from hashlib import blake2b
from pathlib import Path
from types import TracebackType
from typing import NamedTuple
from zlib import crc32

from dnerv.bitstream.section_table import PREFIX_SIZE, Section, decode_prefix, decode_table, table_size
from dnerv.errors import ArchiveError

_VERIFY_BYTES = 1 << 20  # read at once while verifying
_READ_BYTES = 1 << 30  # the most one system call is asked for


class Identity(NamedTuple):
    """Tells a file from any other: its header holds the length and checksum of every section."""

    size: int  # bytes
    header: str  # hash of everything before the first section


class Container:
    """A `.dnerv` file, open for reading. Safe to read from several threads.

    It pickles as its path and identity: unpickled, it opens the file anew, and refuses another one of that name.

    Use `Container.open(path)`, as a context manager or with `close()`.
    """

    def __init__(self, path: Path, descriptor: int, sections: list[Section], identity: Identity) -> None:
        self.path, self.identity = path, identity
        self._descriptor = descriptor
        self._sections = {section.kind: section for section in sections}

    @classmethod
    def open(cls, path: str | os.PathLike[str], identity: Identity | None = None) -> "Container":
        """Open a file and check its magic, version, section table and size; read no section.

        ArchiveError, with the path, for anything that is not a whole archive, a missing file included; also for a
        file that is not the one of `identity`, if given.
        """
        absolute = Path(path).absolute()
        with _as_archive_error(absolute):
            if not stat.S_ISREG(absolute.stat().st_mode):  # before opening: a named pipe would wait for a writer
                raise ArchiveError("not a regular file")
            descriptor = os.open(absolute, os.O_RDONLY | os.O_CLOEXEC)
            try:
                size = os.fstat(descriptor).st_size
                count = decode_prefix(os.pread(descriptor, PREFIX_SIZE, 0))
                table = os.pread(descriptor, table_size(count), 0)
                sections = decode_table(table, size)
                found = Identity(size, blake2b(table, digest_size=16).hexdigest())
                if identity not in (None, found):
                    raise ArchiveError("the archive has been replaced since it was opened; open it anew")
            except BaseException:
                os.close(descriptor)
                raise
        return cls(absolute, descriptor, sections, found)

    @property
    def kinds(self) -> tuple[str, ...]:
        """The sections' kinds, in file order."""
        return tuple(self._sections)

    @property
    def sizes(self) -> dict[str, int]:
        """Bytes of "header" (magic to table checksum) and of each section; they sum to the file's size."""
        return {"header": table_size(len(self._sections))} | {s.kind: s.length for s in self._sections.values()}

    def read(self, kind: str) -> bytes:
        """Return a whole section; ArchiveError if it is missing or its checksum does not match."""
        section = self._section(kind)
        with _as_archive_error(self.path):
            data = self._pread(section.offset, section.length)
            if crc32(data) != section.crc32:
                raise ArchiveError(f"the archive is damaged: the checksum of section {kind} does not match")
        return data

    def read_range(self, kind: str, offset: int, length: int) -> bytes:
        """Return `length` bytes from `offset` in a section, unchecked; ArchiveError if it is shorter."""
        section = self._section(kind)
        with _as_archive_error(self.path):
            if offset < 0 or length < 0 or offset + length > section.length:
                raise ArchiveError(
                    f"the archive is damaged: bytes {offset} to {offset + length} are beyond section {kind}"
                )
            return self._pread(section.offset + offset, length)

    def verify(self) -> list[tuple[str, bool]]:
        """Return (kind, checksum matches) of every section, in file order, reading 1 MiB at a time."""
        return [(section.kind, self._checksum_matches(section)) for section in self._sections.values()]

    def close(self) -> None:
        """Close the file; closing twice is allowed."""
        if self._descriptor >= 0:
            os.close(self._descriptor)
            self._descriptor = -1

    def __enter__(self) -> "Container":
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, "_descriptor"):
            self.close()

    def __contains__(self, kind: str) -> bool:
        return kind in self._sections

    def __reduce__(self) -> tuple[object, tuple[Path, Identity]]:
        return Container.open, (self.path, self.identity)

    def _section(self, kind: str) -> Section:
        if kind not in self._sections:
            raise ArchiveError(f"{self.path}: the archive has no section {kind}; it has {', '.join(self.kinds)}")
        return self._sections[kind]

    def _checksum_matches(self, section: Section) -> bool:
        checksum = 0
        with _as_archive_error(self.path):
            for start in range(0, section.length, _VERIFY_BYTES):
                length = min(_VERIFY_BYTES, section.length - start)
                checksum = crc32(self._pread(section.offset + start, length), checksum)
        return checksum == section.crc32

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
