"""Where the bytes of a `.dnerv` file are: in a local file, here, or behind a URL (`remote.py`)."""

from __future__ import annotations

import os
import re
import stat
from collections.abc import Callable, Sequence
from functools import partial
from pathlib import Path
from typing import Protocol

from dnerv.errors import ArchiveError

Span = tuple[int, int]  # offset and length, bytes
Opener = Callable[[], "Storage"]  # raises ArchiveError, InputError, OSError
_READ_BYTES = 1 << 30  # the most one system call is asked for
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.\-]*(::|://)")


class Replaced(ArchiveError):
    """The name stands for other bytes than it did."""


class Storage(Protocol):
    """Bytes by offset. Safe to read from several threads and in forked processes.

    Reading raises ArchiveError or OSError where bytes cannot be had, Replaced where they are another file's by now.
    """

    name: str  # for messages
    anew: Opener  # opens what the name stands for now; pickles

    @property
    def is_remote(self) -> bool:
        """Whether a read takes a request, so that few are better, and many at once."""
        ...

    @property
    def size(self) -> int:
        """Bytes there are."""
        ...

    def read(self, offset: int, length: int) -> bytes:
        """`length` bytes from `offset`, which both lie inside."""
        ...

    def prepare(self, spans: Sequence[Span]) -> None:
        """Have these bytes at hand for the reads that follow, in as few requests as can be."""
        ...

    def close(self) -> None:
        """Let go of it; closing twice is allowed."""
        ...


class LocalFile:
    """A file, open: it stays the one that it was, whatever becomes of its name."""

    is_remote = False

    def __init__(self, path: Path) -> None:
        """Raises ArchiveError, OSError."""
        self.path, self.name = path.absolute(), str(path.absolute())
        self.anew: Opener = partial(LocalFile, self.path)
        self._descriptor = -1
        if self.path.is_dir():
            raise ArchiveError("is a folder; give a .dnerv file")
        if not stat.S_ISREG(self.path.stat().st_mode):  # before opening: a named pipe would wait for a writer
            raise ArchiveError("not a regular file")
        self._descriptor = os.open(self.path, os.O_RDONLY | os.O_CLOEXEC)

    @property
    def size(self) -> int:
        """Bytes there are at this moment: the file may grow."""
        return os.fstat(self._descriptor).st_size

    def read(self, offset: int, length: int) -> bytes:
        """See `Storage.read`."""
        pieces, missing = [], length
        while missing:
            piece = os.pread(self._descriptor, min(missing, _READ_BYTES), offset + length - missing)
            if not piece:
                raise ArchiveError("the archive was truncated while it was open")
            pieces.append(piece)
            missing -= len(piece)
        return pieces[0] if len(pieces) == 1 else b"".join(pieces)

    def prepare(self, spans: Sequence[Span]) -> None:
        """Nothing: the system reads ahead."""

    def close(self) -> None:
        """Close the file."""
        descriptor, self._descriptor = self._descriptor, -1
        if descriptor >= 0:
            os.close(descriptor)

    def __del__(self) -> None:
        self.close()


def is_url(path: str | os.PathLike[str]) -> bool:
    """Whether it is the URL of a remote object, "s3://bucket/a.dnerv" for example, and not the path of a file."""
    return isinstance(path, str) and _URL.match(path) is not None


def name_of(path: str | os.PathLike[str]) -> str:
    """What messages call it: the absolute path, or the URL without what may be secret in it."""
    if not is_url(path):
        return str(Path(path).absolute())
    return re.sub(r"(://)[^/@]*@", r"\1", re.sub(r"\?.*", "", str(path)))
