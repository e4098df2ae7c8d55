"""What files hold, told apart by content: stored work goes on where that is the same, whatever their names or times.

Reading every byte of a large corpus again would take minutes. So the hash of a file is kept with what its status said
when it was read, and a file of the same status is not read again: status includes the time of the last change of
status, which no copying tool can set.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from dnerv.errors import InputError

_BLOCK = 1 << 20  # bytes


def digest_of(value: Any) -> str:
    """Hash of a JSON value, in hexadecimal digits."""
    return hashlib.blake2b(json.dumps(value, sort_keys=True).encode(), digest_size=16).hexdigest()


def status_of(files: Sequence[Path]) -> str:
    """Hash of the names, sizes, places on disk and times of change of files. Raises InputError."""
    return digest_of([(path.name, *_status(path)) for path in files])


def content_of(files: Iterable[Path]) -> str:
    """Hash of the bytes of files, in this order, in hexadecimal digits. Raises InputError."""
    digest = hashlib.blake2b(digest_size=16)
    for path in files:
        try:
            digest.update(path.stat().st_size.to_bytes(8, "little"))
            with path.open("rb") as file:
                while block := file.read(_BLOCK):
                    digest.update(block)
        except OSError as error:
            raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return digest.hexdigest()


def _status(path: Path) -> tuple[int, ...]:
    try:
        status = path.stat()
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino, status.st_dev
