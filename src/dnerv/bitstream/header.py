"""The first bytes of a `.dnerv` file, and the section table that they point to. Integers are little-endian.

    offset  size  field
    0       8     magic: 89 44 4E 56 0D 0A 1A 0A
    8       2     format version u16, 2
    10      2     0
    12      28    slot A, of odd generations
    40      28    slot B, of even generations: generation u32, start u64, table length u32, end u64, crc32 u32 of these
    68      ...   sections, packets, blocks of the index and section tables, in any order

The slot with the higher generation whose checksum matches counts. Its *tail*, the bytes from start to end, is what
opening needs, back to back, and last in it the section table: two reads open a file. Bytes from the end on are what an
interrupted change left behind, and mean nothing. A change appends, syncs, and writes the other slot: whoever reads at
any moment sees the old file or the new one, whole.

The magic guards as PNG's does: a first byte outside ASCII against text editors and 7-bit channels, CR LF and a lone LF
against newline conversion, 1A against being typed on a terminal.
"""

from __future__ import annotations

import struct
from collections.abc import Sequence
from typing import NamedTuple
from zlib import crc32

from dnerv.errors import ArchiveError

MAGIC = b"\x89DNV\r\n\x1a\n"
FORMAT_VERSION = 2
LAST_GENERATION = 2**32 - 1

_HEAD = struct.Struct("<8sHH")
_SLOT = struct.Struct("<IQIQ")
_ENTRY = struct.Struct("<4sQQI")
_CRC32 = struct.Struct("<I")
_SLOT_SIZE = _SLOT.size + _CRC32.size
HEADER_SIZE = _HEAD.size + 2 * _SLOT_SIZE
MOST_SECTIONS = 64


class Slot(NamedTuple):
    """One state of the file."""

    generation: int  # from 1; rises by one with every change
    start: int  # offset of the tail
    table_length: int  # bytes; the section table ends the tail
    end: int  # bytes of the file that belong to this state

    @property
    def table_offset(self) -> int:
        """Where the section table begins."""
        return self.end - self.table_length


class Section(NamedTuple):
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
    first, second = (encode_slot(slot), bytes(_SLOT_SIZE))
    return _HEAD.pack(MAGIC, FORMAT_VERSION, 0) + (first + second if slot.generation % 2 else second + first)


def slot_position(generation: int) -> int:
    """Where the slot of a generation stands: neighbours apart, so that a change never writes over the state before."""
    return _HEAD.size + (0 if generation % 2 else _SLOT_SIZE)


def encode_slot(slot: Slot) -> bytes:
    """The slot's 28 bytes."""
    body = _SLOT.pack(*slot)
    return body + _CRC32.pack(crc32(body))


def decode_header(data: bytes, file_size: int) -> Slot:
    """The slot that counts, from the file's first `HEADER_SIZE` bytes. Raises ArchiveError where there is none."""
    if not data:
        raise ArchiveError("the file is empty")
    if not data.startswith(MAGIC[: len(data)]):
        raise ArchiveError("not a dnerv archive: the file does not begin with its magic bytes")
    if len(data) < _HEAD.size:
        raise ArchiveError("the archive is truncated within its header")
    _, version, reserved = _HEAD.unpack_from(data)
    if version == 1:
        raise ArchiveError(
            "the archive has format version 1, which dnerv 0.1 and 0.2 wrote; this dnerv reads version 2: "
            "encode the videos again, or decode the archive with a dnerv of that time"
        )
    if version != FORMAT_VERSION:
        raise ArchiveError(f"the archive has format version {version}; this dnerv reads version 2: upgrade dnerv")
    if len(data) < HEADER_SIZE:
        raise ArchiveError("the archive is truncated within its header")
    if reserved:
        raise ArchiveError("the archive is damaged: its header has bytes that must be 0 and are not")
    slots = [slot for parity in (0, 1) if (slot := _decoded(data, parity)) is not None]
    if not slots:
        raise ArchiveError("the archive is damaged: neither of its two header slots is whole")
    slot = max(slots)
    longest = MOST_SECTIONS * _ENTRY.size + _CRC32.size
    if not HEADER_SIZE <= slot.start <= slot.table_offset or not _CRC32.size <= slot.table_length <= longest:
        raise ArchiveError("the archive is damaged: its section table lies outside the file")
    if file_size < slot.end:
        raise ArchiveError(f"the archive is truncated: it has {file_size} bytes of {slot.end}")
    return slot


def encode_table(sections: Sequence[Section]) -> bytes:
    """The section table: 24 bytes a section, and a crc32 of them. ValueError for too many, or two of one kind."""
    kinds = [section.kind for section in sections]
    if len(set(kinds)) < len(kinds) or len(kinds) > MOST_SECTIONS:
        raise ValueError(f"sections are distinct and at most {MOST_SECTIONS}, not {kinds}")
    table = b"".join(_ENTRY.pack(kind.encode("ascii"), *place) for kind, *place in sections)
    return table + _CRC32.pack(crc32(table))


def decode_table(data: bytes, slot: Slot) -> list[Section]:
    """Inverse of `encode_table`. Raises ArchiveError unless all sections are named, distinct and inside the file."""
    count, rest = divmod(len(data) - _CRC32.size, _ENTRY.size)
    if rest or not 0 <= count <= MOST_SECTIONS:
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
        if not HEADER_SIZE <= section.offset <= section.offset + section.length <= slot.table_offset:
            raise ArchiveError(f"the archive is damaged: section {section.kind} lies outside the file")
    return sections


def is_kind(kind: str) -> bool:
    """Whether a string can name a section: 4 ASCII letters."""
    return len(kind) == 4 and kind.isascii() and kind.isalpha()


def _decoded(data: bytes, parity: int) -> Slot | None:
    """The slot of even or odd generations, where it is whole."""
    at = slot_position(parity)
    body = data[at : at + _SLOT.size]
    if _CRC32.unpack_from(data, at + _SLOT.size)[0] != crc32(body):
        return None
    slot = Slot(*_SLOT.unpack(body))
    return slot if slot.generation and slot.generation % 2 == parity else None
