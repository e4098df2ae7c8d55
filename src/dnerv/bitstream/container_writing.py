"""Write a `.dnerv` file so that it is there whole or not at all, and change one so that it is the old or the new.

A new file streams into a temporary one beside the target (`dnerv.files`) and is renamed over it. A change appends
behind the end, is flushed to disk, and switches the header's slot last. Neither ever writes over a byte that counts.
"""

from __future__ import annotations

import fcntl
import os
import stat
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from zlib import crc32

from dnerv.bitstream.header import (
    HEADER_SIZE,
    LAST_GENERATION,
    Section,
    Slot,
    decode_header,
    encode_header,
    encode_slot,
    encode_table,
    is_kind,
    slot_position,
)
from dnerv.errors import ArchiveError, OutputError
from dnerv.files import flush_folder, temporary_beside

_BUFFER_BYTES = 1 << 20


class Appender:
    """Takes bytes to the end of a file that is being made or changed; `commit` makes them count."""

    def __init__(self, descriptor: int, target: Path, end: int, generation: int) -> None:
        self._descriptor, self._target, self._generation = descriptor, target, generation
        self._pending = bytearray()  # the last ones, not written yet
        self.end = end  # where the next bytes go
        self.is_committed = False

    def append(self, content: bytes | Iterable[bytes]) -> tuple[int, int, int]:
        """Write bytes, or chunks one by one; offset, length and crc32 of them.

        Raises OutputError, and ValueError after `commit`.
        """
        if self.is_committed:
            raise ValueError(f"{self._target}: the change is committed")
        offset, checksum = self.end, 0
        for chunk in (content,) if isinstance(content, bytes) else content:
            checksum = crc32(chunk, checksum)
            self._pending += chunk
            self.end += len(chunk)
            if len(self._pending) >= _BUFFER_BYTES:
                self._flush()
        return offset, self.end - offset, checksum

    def section(self, kind: str, content: bytes | Iterable[bytes]) -> Section:
        """Write a section. ValueError for a kind that is not 4 letters."""
        if not is_kind(kind):
            raise ValueError(f"section kinds are 4 ASCII letters, not {kind!r}")
        return Section(kind, *self.append(content))

    def commit(self, sections: Sequence[Section]) -> None:
        """Write the section table; from now on the file consists of `sections` and what they speak of.

        Those written last, with nothing in between, are the tail, which opening reads at once. ValueError for a kind
        that stands twice.
        """
        start = self.end
        for section in sorted(sections, key=lambda each: (each.offset, each.length), reverse=True):
            if section.offset + section.length == start:
                start = section.offset
        _, length, _ = self.append(encode_table(sections))
        slot = Slot(self._generation, start, length, self.end)
        self._flush()
        with _as_output_error(self._target):
            os.fsync(self._descriptor)
            if self._generation == 1:
                _write_at(self._descriptor, 0, encode_header(slot))
            else:
                _write_at(self._descriptor, slot_position(self._generation), encode_slot(slot))
            os.fsync(self._descriptor)
        self.is_committed = True

    def _flush(self) -> None:
        with _as_output_error(self._target):
            _write_at(self._descriptor, self.end - len(self._pending), self._pending)
        self._pending = bytearray()


@contextmanager
def new_container(path: str | os.PathLike[str], *, force: bool = False) -> Iterator[Appender]:
    """A file to be filled and committed inside; it appears under its name when the block ends well.

    OutputError if the target exists (unless `force`), is not a file, or cannot be written. Upon any exception, an
    interrupt included, nothing is left behind and an existing target is as it was. ValueError without a commit.
    """
    target = Path(path)
    with _as_output_error(target):
        target = target.resolve()  # a link keeps pointing at what is replaced
        check_target(target, force=force)
    with ExitStack() as stack:
        with _as_output_error(target):
            temporary = stack.enter_context(temporary_beside(target))
            file = stack.enter_context(temporary.open("r+b", buffering=0))
            if target.exists():
                os.fchmod(file.fileno(), stat.S_IMODE(target.stat().st_mode))  # for whom the old file was
        appender = Appender(file.fileno(), target, HEADER_SIZE, 1)  # until the commit the file begins with zeros
        yield appender
        if not appender.is_committed:
            raise ValueError(f"{target}: nothing was committed")
        with _as_output_error(target):
            check_target(target, force=force)
            temporary.replace(target)
    flush_folder(target.parent)


@contextmanager
def changed_container(path: str | os.PathLike[str]) -> Iterator[Appender]:
    """An existing file to append to; without a commit inside it stays what it was.

    One change at a time: OutputError where another process is at it, or the file cannot be written. ArchiveError for
    what is no archive. What an interrupted change left behind the end is taken away first.
    """
    target = Path(path)
    with ExitStack() as stack:
        with _as_output_error(target):
            descriptor = stack.enter_context(_locked(target))
            try:
                slot = _newest_slot(descriptor)
            except ArchiveError as error:
                raise ArchiveError(f"{target}: {error}") from error
            if slot.generation == LAST_GENERATION:
                raise OutputError(f"{target}: it has been changed too often; compact it, which writes it anew")
            _cut(descriptor, slot.end)
        appender = Appender(descriptor, target, slot.end, slot.generation + 1)
        try:
            yield appender
        finally:
            if not appender.is_committed:
                with suppress(OSError):
                    if _newest_slot(descriptor) == slot:  # else it was switched before something failed
                        _cut(descriptor, slot.end)


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


@contextmanager
def _locked(target: Path) -> Iterator[int]:
    """Descriptor of the file at `target`, open to be changed and locked against others who would."""
    if not target.exists():
        raise ArchiveError(f"{target}: no such file")
    if target.is_dir():
        raise ArchiveError(f"{target}: is a folder; give a .dnerv file")
    if not target.is_file():  # before opening: a named pipe would wait for its other end
        raise ArchiveError(f"{target}: not a regular file")
    with target.open("r+b", buffering=0) as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise OutputError(f"{target}: another process is changing it: wait for it to end") from None
        if not os.path.samestat(os.fstat(file.fileno()), target.stat()):
            raise OutputError(f"{target}: it was replaced at this moment: try again")
        yield file.fileno()


def _newest_slot(descriptor: int) -> Slot:
    return decode_header(os.pread(descriptor, HEADER_SIZE, 0), os.fstat(descriptor).st_size)


def _cut(descriptor: int, end: int) -> None:
    """Take away what lies behind the end; a file that has nothing there is not touched."""
    if os.fstat(descriptor).st_size > end:
        os.ftruncate(descriptor, end)


def _write_at(descriptor: int, offset: int, data: bytes | bytearray) -> None:
    written = 0
    while written < len(data):
        written += os.pwrite(descriptor, memoryview(data)[written:], offset + written)


@contextmanager
def _as_output_error(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error
    except RuntimeError as error:  # Path.resolve on a loop of links
        raise OutputError(f"{target}: cannot be written: {error}") from error
