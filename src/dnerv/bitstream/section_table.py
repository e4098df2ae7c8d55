"""The first bytes of a `.dnerv` file: what it is, and which section lies where. Integers are little-endian.

    offset   size  field
    0        8     magic: 89 44 4E 56 0D 0A 1A 0A
    8        2     format version u16
    10       2     number of sections u16, n
    12       24 n  for each section: kind (4 ASCII bytes), offset u64, length u64, crc32 u32
    12+24n   4     crc32 u32 of everything before it

The magic guards as PNG's does: a first byte outside ASCII against text editors and 7-bit channels, CR LF and
a lone LF against newline conversion, 1A against being typed on a terminal.
"""

import struct
from collections.abc import Sequence
from dataclasses import dataclass
from zlib import crc32

from dnerv.errors import ArchiveError

MAGIC = b"\x89DNV\r\n\x1a\n"
FORMAT_VERSION = 1

_HEAD = struct.Struct("<8sHH")
_ENTRY = struct.Struct("<4sQQI")
_CRC32 = struct.Struct("<I")
PREFIX_SIZE = _HEAD.size


@dataclass(frozen=True)
class Section:
    """Where one section lies in the file."""

    kind: str  # 4 printable ASCII characters
    offset: int  # from the start of the file, in bytes
    length: int  # in bytes
    crc32: int  # of the section's bytes


def table_size(section_count: int) -> int:
    """Return the size in bytes of everything before the first section."""
    return _HEAD.size + section_count * _ENTRY.size + _CRC32.size


def is_kind(kind: str) -> bool:
    """Tell whether a string can name a section: 4 printable ASCII characters."""
    return len(kind) == 4 and kind.isascii() and kind.isprintable()


def encode_table(sections: Sequence[Section]) -> bytes:
    """Return the file's first bytes."""
    entries = (
        _ENTRY.pack(section.kind.encode("ascii"), section.offset, section.length, section.crc32) for section in sections
    )
    table = _HEAD.pack(MAGIC, FORMAT_VERSION, len(sections)) + b"".join(entries)
    return table + _CRC32.pack(crc32(table))


def decode_prefix(data: bytes) -> int:
    """Return the number of sections from a file's first 12 bytes; else ArchiveError."""
    if not data:
        raise ArchiveError("the file is empty")
    if not data.startswith(MAGIC[: len(data)]):
        raise ArchiveError("not a dnerv archive: the file does not begin with its magic bytes")
    if len(data) < _HEAD.size:
        raise ArchiveError("the archive is truncated within its header")
    _, version, count = _HEAD.unpack_from(data)
    if version != FORMAT_VERSION:
        advice = ": upgrade dnerv" if version > FORMAT_VERSION else ""
        raise ArchiveError(
            f"the archive has format version {version}; this dnerv reads version {FORMAT_VERSION}{advice}"
        )
    return int(count)


def decode_table(data: bytes, file_size: int) -> list[Section]:
    """Return the sections from a file's first `table_size(count)` bytes; ArchiveError unless they fit.

    Sections must have distinct kinds and lie back to back from the end of the table to the end of the file.
    """
    count = decode_prefix(data)
    if len(data) < table_size(count):
        raise ArchiveError("the archive is truncated within its section table")
    table_end = table_size(count) - _CRC32.size
    if _CRC32.unpack_from(data, table_end)[0] != crc32(data[:table_end]):
        raise ArchiveError("the archive is damaged: the checksum of its section table does not match")
    sections = []
    for kind, offset, length, checksum in _ENTRY.iter_unpack(data[_HEAD.size : table_end]):
        sections.append(Section(kind.decode("latin-1"), offset, length, checksum))
    _check_layout(sections, file_size)
    return sections


def _check_layout(sections: Sequence[Section], file_size: int) -> None:
    kinds = [section.kind for section in sections]
    if not all(map(is_kind, kinds)) or len(set(kinds)) != len(kinds):
        raise ArchiveError(f"the archive is damaged: its section names are {kinds}")
    end = table_size(len(sections))
    for section in sections:
        if section.offset != end:
            raise ArchiveError(f"the archive is damaged: section {section.kind} is not where the last one ends")
        end += section.length
    if file_size < end:
        raise ArchiveError(f"the archive is truncated: it has {file_size} bytes of {end}")
    if file_size > end:
        raise ArchiveError(f"the archive is damaged: {file_size - end} bytes follow its last section")
