"""AV1 temporal units without the bytes that a packet-per-frame archive does not need.

A temporal unit starts with a two-byte temporal delimiter and tells the size of each of its OBUs (open
bitstream units). In an archive every packet is one temporal unit of known size, so the delimiter and the last
OBU's size say nothing new. Leaving them out saves three to four bytes per keyframe, one to three per cent at
low rates, and `unpack_temporal_unit` restores the standard form exactly (AV1 specification, sections 5.3 and
5.6, annex B).
"""

from collections.abc import Iterator
from typing import NamedTuple

from dnerv.errors import ArchiveError

TEMPORAL_DELIMITER = b"\x12\x00"
_SEQUENCE_HEADER = 1  # OBU type
_HAS_EXTENSION = 0b100
_HAS_SIZE = 0b010
_MAX_LEB128_BYTES = 8


def pack_temporal_unit(unit: bytes) -> bytes:
    """Drop the temporal delimiter and the size field of the last OBU.

    Raises ArchiveError if `unit` is not a temporal unit in the low-overhead form with minimal size fields, as
    every encoder writes them.
    """
    if not unit.startswith(TEMPORAL_DELIMITER):
        raise ArchiveError("temporal unit does not start with a temporal delimiter")
    start = _last_obu(unit, len(TEMPORAL_DELIMITER))
    size_at = start + _header_length(unit[start])
    _, payload_at = _read_size(unit, size_at)
    header = bytes([unit[start] & ~_HAS_SIZE]) + unit[start + 1 : size_at]
    packed = unit[len(TEMPORAL_DELIMITER) : start] + header + unit[payload_at:]
    if unpack_temporal_unit(packed) != unit:
        raise ArchiveError("temporal unit is not in the minimal low-overhead form")
    return packed


def unpack_temporal_unit(packed: bytes) -> bytes:
    """Inverse of `pack_temporal_unit`. Raises ArchiveError if the OBU structure is broken."""
    start = _last_obu(packed, 0)
    payload_at = start + _header_length(packed[start])
    if packed[start] & _HAS_SIZE or payload_at > len(packed):
        raise ArchiveError("keyframe packet is damaged: its last OBU is broken or cut")
    header = bytes([packed[start] | _HAS_SIZE]) + packed[start + 1 : payload_at]
    payload = packed[payload_at:]
    return TEMPORAL_DELIMITER + packed[:start] + header + _write_size(len(payload)) + payload


def split_sequence_header(packed: bytes) -> tuple[bytes, bytes]:
    """The sequence header that a packed sync unit begins with, its own OBU, and the rest.

    Raises ArchiveError if `packed` does not begin with one.
    """
    if not packed or (packed[0] >> 3) & 0xF != _SEQUENCE_HEADER or not packed[0] & _HAS_SIZE:
        raise ArchiveError("temporal unit does not begin with a sequence header")
    size, payload_at = _read_size(packed, _header_length(packed[0]))
    if payload_at + size > len(packed):
        raise ArchiveError("the sequence header of a temporal unit is cut")
    return packed[: payload_at + size], packed[payload_at + size :]


class Obu(NamedTuple):
    """One open bitstream unit."""

    kind: int
    header: bytes  # one byte or two, without the size
    payload: bytes


def obus(packed: bytes) -> Iterator[Obu]:
    """The units of a packed temporal unit. Raises ArchiveError where they do not add up to it."""
    position = 0
    while position < len(packed):
        payload_at = position + _header_length(packed[position])
        header, size = packed[position:payload_at], len(packed) - payload_at
        if header[0] & _HAS_SIZE:
            size, payload_at = _read_size(packed, payload_at)
        position = payload_at + size
        if position > len(packed) or size < 0:
            raise ArchiveError("a temporal unit's OBUs do not add up to its size")
        yield Obu((header[0] >> 3) & 0xF, header, packed[payload_at:position])


def sized(header: bytes, payload: bytes) -> bytes:
    """A unit that tells its size: others may follow. `header`: of `Obu`."""
    return bytes([header[0] | _HAS_SIZE]) + header[1:] + _write_size(len(payload)) + payload


def _last_obu(data: bytes, position: int) -> int:
    """Position of the last OBU: the one that ends the data or has no size field."""
    while position < len(data):
        if not data[position] & _HAS_SIZE:
            return position
        size, payload_at = _read_size(data, position + _header_length(data[position]))
        if payload_at + size == len(data):
            return position
        position = payload_at + size
    raise ArchiveError("keyframe packet is damaged: its OBUs do not add up to its size")


def _header_length(first_byte: int) -> int:
    return 2 if first_byte & _HAS_EXTENSION else 1


def _read_size(data: bytes, position: int) -> tuple[int, int]:
    """A leb128 number and the position after it."""
    value = 0
    for index, byte in enumerate(data[position : position + _MAX_LEB128_BYTES]):
        value |= (byte & 0x7F) << (7 * index)
        if byte < 0x80:
            return value, position + index + 1
    raise ArchiveError("keyframe packet is damaged: an OBU size field is cut or too long")


def _write_size(value: int) -> bytes:
    groups = []
    while value >= 0x80:
        groups.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*groups, value])
