"""Write a `.dnerv` file so that it is there whole or not at all, and change one so that it is the old or the new.

A new file streams into a temporary one beside the target and is renamed over it. A change appends behind the end, is
flushed to disk, and switches the header slot last.
"""

from __future__ import annotations

import fcntl
import os
import secrets
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from dnerv.bitstream.header import (
    HEADER_SIZE,
    Section,
    Slot,
    decode_header,
    encode_header,
    encode_slot,
    encode_table,
    is_kind,
    slot_position,
)
from dnerv.errors import OutputError

_BUFFER_BYTES = 1 << 20


class Appender:
    """Takes bytes to the end of a file that is being made or changed; `commit` makes them count."""

    def __init__(self, file: BinaryIO, target: Path, end: int, generation: int) -> None:
        self._file, self._target, self._generation = file, target, generation
        self.end = end  # where the next bytes go

    def append(self, content: bytes | Iterable[bytes]) -> tuple[int, int, int]:
        """Write bytes, or chunks one by one; offset, length and crc32 of them. Raises OutputError."""
        offset, checksum = self.end, 0
        for chunk in (content,) if isinstance(content, bytes) else content:
            checksum = crc32(chunk, checksum)
            with _as_output_error(self._target):  # around the write alone: the iterable's errors are its own
                self._file.write(chunk)
            self.end += len(chunk)
        return offset, self.end - offset, checksum

    def section(self, kind: str, content: bytes | Iterable[bytes]) -> Section:
        """Write a section. ValueError for a kind that is not 4 letters."""
        if not is_kind(kind):
            raise ValueError(f"section kinds are 4 ASCII letters, not {kind!r}")
        return Section(kind, *self.append(content))

    def commit(self, sections: Sequence[Section]) -> None:
        """Write the section table; from now on the file consists of `sections` and what they speak of."""
        offset, length, _ = self.append(encode_table(sections))
        slot = Slot(self._generation, offset, length, self.end)
        with _as_output_error(self._target):
            if self._generation == 1:
                self._put(0, encode_header(slot))
            else:
                self._sync()
                self._put(slot_position(self._generation), encode_slot(slot))

    def _put(self, position: int, data: bytes) -> None:
        self._file.seek(position)
        self._file.write(data)
        self._sync()
        self._file.seek(self.end)

    def _sync(self) -> None:
        self._file.flush()
        os.fsync(self._file.fileno())


@contextmanager
def new_container(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Appender]:
    """A file to be filled and committed inside; it appears under its name when the block ends well.

    OutputError if the target exists (unless `force`), is not a file, or cannot be written. Upon any exception, an
    interrupt included, nothing is left behind and an existing target is as it was.
    """
    target = Path(path)
    with _as_output_error(target):
        target = target.resolve()  # a link keeps pointing at what is replaced
        check_target(target, force=force)
        temporary = target.with_name(f".dnerv-{secrets.token_hex(8)}.tmp")
    try:
        with _as_output_error(target):
            file = temporary.open("xb", buffering=_BUFFER_BYTES)
            file.write(bytes(HEADER_SIZE))
        try:
            yield Appender(file, target, HEADER_SIZE, 1)
        finally:
            with suppress(OSError):  # what matters was flushed and synced, or is thrown away
                file.close()
        with _as_output_error(target):
            check_target(target, force=force)
            temporary.replace(target)
    except BaseException:
        with suppress(OSError):
            temporary.unlink()
        raise
    _flush_directory(target.parent)


@contextmanager
def changed_container(path: str | os.PathLike[str]) -> Iterator[Appender]:
    """An existing file to append to; without a commit inside it stays what it was.

    One change at a time: OutputError where another process is at it, or the file cannot be written. ArchiveError for
    what is no archive. What an interrupted change left behind the end is taken away first.
    """
    target = Path(path)
    with _as_output_error(target):
        file = target.open("r+b", buffering=_BUFFER_BYTES)
    try:
        with _as_output_error(target):
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                raise OutputError(f"{target}: another process is changing it: wait for it to end") from None
            slot = decode_header(file.read(HEADER_SIZE), os.fstat(file.fileno()).st_size)
            file.truncate(slot.end)
            file.seek(slot.end)
        appender = Appender(file, target, slot.end, slot.generation + 1)
        try:
            yield appender
        except BaseException:
            with suppress(OSError):
                file.flush()
                if not _is_committed(file, slot):
                    file.truncate(slot.end)
            raise
    finally:
        with suppress(OSError):
            file.close()


def check_target(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Raise OutputError if `new_container` would refuse this target; to be asked before a long encoding."""
    target = Path(path)
    with _as_output_error(target):
        if target.is_dir():
            raise OutputError(f"{target}: is a directory; give the name of a file")
        if not target.parent.is_dir():
            raise OutputError(f"{target}: the directory {target.parent} does not exist; create it first")
        if target.exists() and not target.is_file():
            raise OutputError(f"{target}: exists and is not a regular file")
        if target.exists() and not force:
            raise OutputError(f"{target}: exists already; --force (force=True) replaces it")


def _is_committed(file: BinaryIO, before: Slot) -> bool:
    file.seek(0)
    return decode_header(file.read(HEADER_SIZE), os.fstat(file.fileno()).st_size).generation != before.generation


def _flush_directory(directory: Path) -> None:
    """Make the rename lasting where the system can; the file itself is complete without."""
    with suppress(OSError):
        descriptor = os.open(directory, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


@contextmanager
def _as_output_error(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error
    except RuntimeError as error:  # Path.resolve on a loop of links
        raise OutputError(f"{target}: cannot be written: {error}") from error
