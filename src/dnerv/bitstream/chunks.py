"""A packet table: lengths and checksums of the many small byte strings that make up one video's keyframes.

Packets lie back to back. A sync packet can be decoded without earlier ones; it and the packets up to the next
sync packet are a group, the unit of random access, with a crc32. The table's bytes:

    LEB128   n, the number of packets
    LEB128   for each packet: 2 * length + (1 if sync else 0)
    u32      for each group, little-endian: crc32 of its bytes

LEB128 is seven bits a byte, least significant first, the top bit set on all bytes but the last; the shortest
form is the only one, and at most 5 bytes long.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import ArchiveError

MAXIMUM_PACKET_BYTES = (1 << 34) - 1
_LONGEST_VARINT = 5

Int64Array = NDArray[np.int64]


@dataclass(frozen=True)
class PacketGroup:
    """A sync packet and those that need it. Offsets are in bytes from the video's first packet."""

    first_packet: int
    packet_count: int
    byte_offset: int
    byte_length: int
    crc32: int

    def check(self, data: bytes) -> None:
        """Raise ArchiveError unless `data` are this group's bytes."""
        if len(data) != self.byte_length or crc32(data) != self.crc32:
            raise ArchiveError(
                f"packets {self.first_packet} to {self.first_packet + self.packet_count - 1} are damaged: "
                "their checksum does not match"
            )


@dataclass(frozen=True, eq=False)
class PacketTable:
    """Where each packet and each group of one video lies."""

    offsets: Int64Array  # [packets + 1], bytes from the video's first packet; the last is the total
    first_packets: Int64Array  # [groups], increasing, the first is 0
    crc32s: NDArray[np.uint32]  # [groups]

    def __len__(self) -> int:
        """Return the number of packets."""
        return self.offsets.size - 1

    @property
    def byte_length(self) -> int:
        """The length of all packets together."""
        return int(self.offsets[-1])

    @cached_property
    def groups(self) -> tuple[PacketGroup, ...]:
        """Every group, in order."""
        return tuple(self.group(index) for index in range(self.first_packets.size))

    def group(self, index: int) -> PacketGroup:
        """Return the group of this index, from 0; IndexError beyond."""
        if not 0 <= index < self.first_packets.size:
            raise IndexError(f"group {index} is not one of {self.first_packets.size}")
        first = int(self.first_packets[index])
        is_last = index + 1 == self.first_packets.size
        end = len(self) if is_last else int(self.first_packets[index + 1])
        start, stop = int(self.offsets[first]), int(self.offsets[end])
        return PacketGroup(first, end - first, start, stop - start, int(self.crc32s[index]))

    def group_of(self, packet: int) -> PacketGroup:
        """Return the group that holds a packet, from 0; IndexError beyond."""
        if not 0 <= packet < len(self):
            raise IndexError(f"packet {packet} is not one of {len(self)}")
        return self.group(int(np.searchsorted(self.first_packets, packet, side="right")) - 1)

    def packet_range(self, packet: int) -> tuple[int, int]:
        """Return (byte offset, byte length) of a packet, from 0; IndexError beyond."""
        if not 0 <= packet < len(self):
            raise IndexError(f"packet {packet} is not one of {len(self)}")
        start, stop = int(self.offsets[packet]), int(self.offsets[packet + 1])
        return start, stop - start


def packet_group_crc32s(packets: Sequence[bytes], sync: Sequence[bool]) -> list[int]:
    """Return the crc32 of each group of packets, for `encode_packet_table`."""
    checksums: list[int] = []
    for packet, starts_group in zip(packets, sync, strict=True):
        if starts_group or not checksums:
            checksums.append(0)
        checksums[-1] = crc32(packet, checksums[-1])
    return checksums


def encode_packet_table(lengths: Sequence[int], sync: Sequence[bool], crc32s: Sequence[int]) -> bytes:
    """Return the table of packets with these lengths in bytes, sync flags, and one crc32 a sync packet.

    ValueError where the three disagree, where the first packet is no sync packet, or for a length beyond 16
    GiB.
    """
    if len(lengths) != len(sync) or sum(sync) != len(crc32s):
        raise ValueError(f"{len(lengths)} lengths, {len(sync)} flags and {len(crc32s)} checksums disagree")
    if lengths and not sync[0]:
        raise ValueError("the first packet of a video must be a sync packet")
    if lengths and not 0 <= min(lengths) <= max(lengths) <= MAXIMUM_PACKET_BYTES:
        raise ValueError(f"packet lengths must be from 0 to {MAXIMUM_PACKET_BYTES} bytes")
    entries = (2 * length + bool(flag) for length, flag in zip(lengths, sync, strict=True))
    numbers = b"".join(map(_varint, (len(lengths), *entries)))
    return numbers + np.array(crc32s, np.uint32).astype("<u4").tobytes()


def decode_packet_table(data: bytes) -> PacketTable:
    """Return the table that takes the whole of `data`; ArchiveError for anything else."""
    count, start = _leading_varint(data)
    if count > len(data) - start:
        raise ArchiveError(f"a packet table is truncated: {count} packets in {len(data)} bytes")
    entries, used = _varints(data[start:], count)
    sync = (entries & 1).astype(bool)
    first_packets = np.flatnonzero(sync).astype(np.int64)
    if count and not sync[0]:
        raise ArchiveError("a packet table is damaged: its first packet is no sync packet")
    checksums = data[start + used :]
    if len(checksums) != 4 * first_packets.size:
        raise ArchiveError("a packet table is damaged: its checksums and its groups differ in number")
    offsets = np.concatenate([np.zeros(1, np.int64), np.cumsum(entries >> 1)])
    return PacketTable(offsets, first_packets, np.frombuffer(checksums, "<u4").astype(np.uint32))


def _varint(number: int) -> bytes:
    encoded = bytearray()
    while number >= 128:
        encoded.append(number & 127 | 128)
        number >>= 7
    encoded.append(number)
    return bytes(encoded)


def _leading_varint(data: bytes) -> tuple[int, int]:
    """Return the first number and its size in bytes."""
    numbers, size = _varints(data[:_LONGEST_VARINT], 1)
    return int(numbers[0]), size


def _varints(data: bytes, count: int) -> tuple[Int64Array, int]:
    """Return `count` numbers, int64, from the front of `data`, and the bytes they take."""
    if count == 0:
        return np.zeros(0, np.int64), 0
    octets = np.frombuffer(data, np.uint8).astype(np.int64)
    ends = np.flatnonzero(octets < 128)[:count] + 1
    if ends.size < count:
        raise ArchiveError("a packet table is truncated")
    starts = np.concatenate([[0], ends[:-1]])
    sizes = ends - starts
    if sizes.max() > _LONGEST_VARINT or ((octets[ends - 1] == 0) & (sizes > 1)).any():
        raise ArchiveError("a packet table is damaged: a number is too long")
    size = int(ends[-1])
    places = np.arange(size) - np.repeat(starts, sizes)
    return np.add.reduceat((octets[:size] & 127) << 7 * places, starts).astype(np.int64), size
