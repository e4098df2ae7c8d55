"""The first bytes of a `.dnerv` file, and the section table that they point to. Integers are little-endian.

    offset  size  field
    0       8     magic: 89 44 4E 56 0D 0A 1A 0A
    8       2     format version u16, 2
    10      2     0
    12      28    slot A     generation u32, table offset u64, table length u32, end u64, crc32 u32 of the 24 bytes before
    40      28    slot B     the same
    68      ...   sections, packets and section tables, in any order

The slot with the higher generation whose checksum matches counts. It names a section table and the *end*: bytes from
there on are what an interrupted change left behind, and mean nothing. A change appends, syncs, and writes the other slot:
whoever reads at any moment sees the old file or the new one, whole.

The magic guards as PNG's does: a first byte outside ASCII against text editors and 7-bit channels, CR LF and a lone LF
against newline conversion, 1A against being typed on a terminal.
"""

from __future__ import annotations

import struct
from collections.abc import Iterable
from dataclasses import dataclass
from zlib import crc32

from dnerv.errors import ArchiveError

MAGIC = b"\x89DNV\r\n\x1a\n"
FORMAT_VERSION = 2

_HEAD = struct.Struct("<8sHH")
_SLOT = struct.Struct("<IQIQ")
_ENTRY = struct.Struct("<4sQQI")
_CRC32 = struct.Struct("<I")
_SLOT_SIZE = _SLOT.size + _CRC32.size
HEADER_SIZE = _HEAD.size + 2 * _SLOT_SIZE
_MOST_SECTIONS = 64


@dataclass(frozen=True)
class Slot:
    """One state of the file."""

    generation: int  # rises by one with every change
    table_offset: int
    table_length: int  # bytes
    end: int  # bytes of the file that belong to this state


@dataclass(frozen=True)
class Section:
    """Where one section lies in the file."""

    kind: str  # 4 ASCII letters; a capital first: whoever does not know the section must refuse the file
    offset: int  # from the start of the file, in bytes
    length: int  # in bytes
    crc32: int  # of the section's bytes

    @property
    def is_essential(self) -> bool:
        """Whether frames depend on it."""
        return self.kind[0].isupper()


def encode_header(slot: Slot) -> bytes:
    """The header of a new file: `slot`, and an empty one."""
    first, second = (_coded(slot), bytes(_SLOT_SIZE))
    return _HEAD.pack(MAGIC, FORMAT_VERSION, 0) + (first + second if slot.generation % 2 else second + first)


def slot_position(generation: int) -> int:
    """Where the slot of a generation stands: odd ones first, so that a change never writes over the state before."""
    return _HEAD.size + (0 if generation % 2 else _SLOT_SIZE)


def encode_slot(slot: Slot) -> bytes:
    """The slot's 28 bytes."""
    return _coded(slot)


def decode_header(data: bytes, file_size: int) -> Slot:
    """The slot that counts, from the file's first `HEADER_SIZE` bytes. Raises ArchiveError where there is none."""
    if not data:
        raise ArchiveError("the file is empty")
    if not data.startswith(MAGIC[: len(data)]):
        raise ArchiveError("not a dnerv archive: the file does not begin with its magic bytes")
    if len(data) < _HEAD.size:
        raise ArchiveError("the archive is truncated within its header")
    version = _HEAD.unpack_from(data)[1]
    if version == 1:
        raise ArchiveError("the archive has format version 1, of dnerv 0.1 and 0.2: decode it with one of these, or encode again")
    if version != FORMAT_VERSION:
        raise ArchiveError(f"the archive has format version {version}; this dnerv reads version 2: upgrade dnerv")
    if len(data) < HEADER_SIZE:
        raise ArchiveError("the archive is truncated within its header")
    slots = [slot for at in (0, 1) if (slot := _decoded(data, _HEAD.size + at * _SLOT_SIZE)) is not None]
    if not slots:
        raise ArchiveError("the archive is damaged: neither of its two header slots is whole")
    slot = max(slots, key=lambda one: one.generation)
    if not HEADER_SIZE <= slot.table_offset <= slot.table_offset + slot.table_length <= slot.end:
        raise ArchiveError("the archive is damaged: its section table lies outside the file")
    if file_size < slot.end:
        raise ArchiveError(f"the archive is truncated: it has {file_size} bytes of {slot.end}")
    return slot


def encode_table(sections: Iterable[Section]) -> bytes:
    """The section table: 24 bytes a section, and a crc32 of them."""
    table = b"".join(_ENTRY.pack(s.kind.encode("ascii"), s.offset, s.length, s.crc32) for s in sections)
    return table + _CRC32.pack(crc32(table))


def decode_table(data: bytes, slot: Slot) -> list[Section]:
    """Inverse of `encode_table`. Raises ArchiveError unless all sections are named, distinct and inside the file."""
    count, rest = divmod(len(data) - _CRC32.size, _ENTRY.size)
    if rest or not 0 <= count <= _MOST_SECTIONS:
        raise ArchiveError("the archive is damaged: its section table has an impossible length")
    if _CRC32.unpack_from(data, len(data) - _CRC32.size)[0] != crc32(data[: -_CRC32.size]):
        raise ArchiveError("the archive is damaged: the checksum of its section table does not match")
    sections = [
        Section(kind.decode("latin-1"), offset, length, checksum)
        for kind, offset, length, checksum in _ENTRY.iter_unpack(data[: -_CRC32.size])
    ]
    kinds = [section.kind for section in sections]
    if not all(map(is_kind, kinds)) or len(set(kinds)) != len(kinds):
        raise ArchiveError(f"the archive is damaged: its section names are {kinds}")
    for section in sections:
        if not HEADER_SIZE <= section.offset <= section.offset + section.length <= slot.end:
            raise ArchiveError(f"the archive is damaged: section {section.kind} lies outside the file")
    return sections


def is_kind(kind: str) -> bool:
    """Whether a string can name a section: 4 ASCII letters."""
    return len(kind) == 4 and kind.isascii() and kind.isalpha()


def _coded(slot: Slot) -> bytes:
    body = _SLOT.pack(slot.generation, slot.table_offset, slot.table_length, slot.end)
    return body + _CRC32.pack(crc32(body))


def _decoded(data: bytes, at: int) -> Slot | None:
    body = data[at : at + _SLOT.size]
    if _CRC32.unpack_from(data, at + _SLOT.size)[0] != crc32(body):
        return None
    slot = Slot(*_SLOT.unpack(body))
    return slot if slot.generation else None  # an empty slot has a checksum of zeros only by chance of design: 0 is none
