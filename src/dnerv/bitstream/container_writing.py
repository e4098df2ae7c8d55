"""Write a `.dnerv` file so that it is there whole or not at all.

Sections stream into a temporary file beside the target (`dnerv.files`); the section table, known only then, goes
to its front; the file is flushed to disk and renamed over the target.
"""

import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import BinaryIO
from zlib import crc32

from dnerv.bitstream.section_table import Section, encode_table, is_kind, table_size
from dnerv.errors import OutputError
from dnerv.files import flush_folder, temporary_beside

_BUFFER_BYTES = 1 << 20
_MAXIMUM_SECTIONS = 0xFFFF


def write_container(
    path: str | os.PathLike[str],
    sections: Sequence[tuple[str, bytes | Iterable[bytes]]],
    *,
    force: bool = False,
) -> None:
    """Write (kind, content) sections, in this order, as one file; a content may be an iterable of chunks.

    Chunks are written as they come and not kept. OutputError if the target exists (unless `force`), is a
    directory or another thing that is not a file, or cannot be written. Upon any exception, one from an
    iterable or an interrupt included, nothing is left behind and an existing target is as it was. ValueError
    for kinds that are not 4 printable ASCII characters or that occur twice.
    """
    target = Path(path)
    _check_kinds([kind for kind, _ in sections])
    with _as_output_error(target):
        target = target.resolve()  # a link keeps pointing at what is replaced
        check_target(target, force=force)
    with ExitStack() as stack:
        with _as_output_error(target):
            temporary = stack.enter_context(temporary_beside(target))
            file = temporary.open("r+b", buffering=_BUFFER_BYTES)
        try:
            _write(file, target, sections)
        finally:
            with suppress(OSError):  # what matters was flushed and synced, or is thrown away
                file.close()
        with _as_output_error(target):
            check_target(target, force=force)
            temporary.replace(target)
    flush_folder(target.parent)


def check_target(path: str | os.PathLike[str], *, force: bool = False) -> None:
    """Raise OutputError if `write_container` would refuse this target; to be asked before a long encoding."""
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


def _check_kinds(kinds: Sequence[str]) -> None:
    if not all(map(is_kind, kinds)):
        raise ValueError(f"section kinds must be 4 printable ASCII characters, not {kinds}")
    if len(set(kinds)) != len(kinds) or len(kinds) > _MAXIMUM_SECTIONS:
        raise ValueError(f"section kinds must be distinct and at most {_MAXIMUM_SECTIONS}, not {kinds}")


def _write(file: BinaryIO, target: Path, sections: Sequence[tuple[str, bytes | Iterable[bytes]]]) -> None:
    offset = table_size(len(sections))
    written: list[Section] = []
    with _as_output_error(target):
        file.write(bytes(offset))
    for kind, content in sections:
        length, checksum = 0, 0
        for chunk in (content,) if isinstance(content, bytes) else content:
            length, checksum = length + len(chunk), crc32(chunk, checksum)
            with _as_output_error(target):  # around the write alone: the iterable's errors are its own
                file.write(chunk)
        written.append(Section(kind, offset, length, checksum))
        offset += length
    with _as_output_error(target):
        file.seek(0)
        file.write(encode_table(written))
        file.flush()
        os.fsync(file.fileno())


@contextmanager
def _as_output_error(target: Path) -> Iterator[None]:
    try:
        yield
    except OSError as error:
        raise OutputError(f"{target}: cannot be written: {error.strerror or error}") from error
    except RuntimeError as error:  # Path.resolve on a loop of links
        raise OutputError(f"{target}: cannot be written: {error}") from error
