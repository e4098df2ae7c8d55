"""Files and folders that are there whole or not at all.

What is written gathers under a temporary name beside its destination and takes the destination's name at the end. The
writer holds a lock on the temporary for as long as it lives. So a killed process leaves one that nobody locks, and the
next that writes into that folder takes it away: by the lock, since process numbers come again and differ between
containers that share a disk.
"""

from __future__ import annotations

import fcntl
import os
import secrets
import shutil
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

from dnerv.errors import OutputError

_PREFIX, _SUFFIX = ".dnerv-", ".tmp"  # short: a name at the file system's limit has none to spare
_swept: set[Path] = set()  # folders in which this process has looked for leftovers


@contextmanager
def temporary_beside(path: Path, *, is_folder: bool = False) -> Iterator[Path]:
    """An empty file or folder beside `path`, gone at the end unless it was renamed. Raises OSError."""
    sweep(path.parent)
    temporary, descriptor = _locked(path.parent, is_folder)
    try:
        yield temporary
    finally:
        remove(temporary)
        os.close(descriptor)


def write_atomically(path: Path, data: bytes) -> None:
    """Replace the file at `path` as a whole, durably. Raises OutputError, leaving what was there."""
    try:
        with temporary_beside(path) as temporary:
            with temporary.open("wb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())
            temporary.replace(path)
    except OSError as error:
        raise OutputError(f"{path}: cannot be written ({error.strerror or error})") from error


def sweep(folder: Path) -> None:
    """Take away what killed processes have left in `folder`; once in the life of this process."""
    folder = Path(os.path.realpath(folder))
    if folder in _swept:
        return
    _swept.add(folder)
    with suppress(OSError):
        for entry in os.scandir(folder):
            if entry.name.startswith(_PREFIX) and entry.name.endswith(_SUFFIX):
                _remove_if_abandoned(Path(entry.path))


def remove(path: Path) -> None:
    """Delete a file or folder where that is possible."""
    with suppress(OSError):
        if path.is_dir() and not path.is_symlink():
            shutil.rmtree(path)
        else:
            path.unlink(missing_ok=True)


def flush_folder(folder: Path) -> None:
    """Make the names in it lasting where the system can; what they name is complete without."""
    with suppress(OSError):
        descriptor = os.open(folder, os.O_RDONLY)
        try:
            os.fsync(descriptor)
        finally:
            os.close(descriptor)


def _locked(folder: Path, is_folder: bool) -> tuple[Path, int]:
    """A new temporary and the descriptor that locks it."""
    while True:
        temporary = folder / f"{_PREFIX}{secrets.token_hex(8)}{_SUFFIX}"
        if is_folder:
            temporary.mkdir()
        else:
            temporary.touch(exist_ok=False)
        # Until it is locked another process may take it for abandoned: then it makes another.
        with suppress(FileNotFoundError, BlockingIOError):
            return temporary, _lock(temporary, os.O_RDONLY if is_folder else os.O_RDWR)


def _lock(path: Path, access: int) -> int:
    """A descriptor that locks it. FileNotFoundError and BlockingIOError: a process has swept it, or is about to."""
    descriptor = os.open(path, access)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            raise
        except OSError:
            pass  # where a file system has no locks, nothing is ever taken for abandoned
        path.stat()
    except BaseException:
        os.close(descriptor)
        raise
    return descriptor


def _remove_if_abandoned(path: Path) -> None:
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except OSError:
        return
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        remove(path)
    except OSError:
        return  # its writer lives
    finally:
        os.close(descriptor)
