"""Packet tables: round trips, ranges, and bytes that lie."""

from zlib import crc32

import numpy as np
import pytest

from dnerv.bitstream import decode_packet_table, encode_packet_table, packet_group_crc32s
from dnerv.errors import ArchiveError

PACKETS = [b"key", b"", b"p" * 200, b"key2", b"x", b"k" * 20_000]
SYNC = [True, False, False, True, False, True]
TABLE = encode_packet_table([len(p) for p in PACKETS], SYNC, packet_group_crc32s(PACKETS, SYNC))


def test_groups_name_their_bytes() -> None:
    table = decode_packet_table(TABLE)
    stream = b"".join(PACKETS)
    assert len(table) == 6
    assert table.byte_length == len(stream)
    assert [(g.first_packet, g.packet_count) for g in table.groups] == [(0, 3), (3, 2), (5, 1)]
    for group in table.groups:
        data = stream[group.byte_offset : group.byte_offset + group.byte_length]
        group.check(data)
        assert crc32(data) == group.crc32
        for damaged in (data[:-1], data + b"\0", bytes([data[0] ^ 1]) + data[1:]):
            with pytest.raises(ArchiveError, match=f"packets {group.first_packet} to"):
                group.check(damaged)
    for packet, content in enumerate(PACKETS):
        offset, length = table.packet_range(packet)
        assert stream[offset : offset + length] == content
        group = table.group_of(packet)
        assert group.first_packet <= packet < group.first_packet + group.packet_count


def test_indices_beyond_the_table() -> None:
    table = decode_packet_table(TABLE)
    for index in (-1, 6):
        with pytest.raises(IndexError):
            table.group_of(index)
        with pytest.raises(IndexError):
            table.packet_range(index)
    for index in (-1, 3):
        with pytest.raises(IndexError):
            table.group(index)


def test_no_packets() -> None:
    data = encode_packet_table([], [], [])
    assert data == b"\0"
    table = decode_packet_table(data)
    assert (len(table), table.byte_length, table.groups) == (0, 0, ())


def test_tens_of_thousands_of_packets() -> None:
    rng = np.random.default_rng(0)
    lengths = rng.integers(0, 5000, 50_000).tolist()
    sync = (rng.random(50_000) < 0.1).tolist()
    sync[0] = True
    checksums = rng.integers(0, 2**32, sum(sync)).tolist()
    data = encode_packet_table(lengths, sync, checksums)
    assert len(data) < 50_000 * 2 + 4 * len(checksums) + 3
    table = decode_packet_table(data)
    assert np.diff(table.offsets).tolist() == lengths
    assert [group.crc32 for group in table.groups] == checksums
    assert sum(group.byte_length for group in table.groups) == sum(lengths)


def test_the_largest_packet() -> None:
    largest = (1 << 34) - 1
    assert decode_packet_table(encode_packet_table([largest], [True], [0])).byte_length == largest
    with pytest.raises(ValueError, match="packet lengths"):
        encode_packet_table([largest + 1], [True], [0])


def test_disagreeing_arguments_are_refused() -> None:
    with pytest.raises(ValueError, match="disagree"):
        encode_packet_table([1, 2], [True], [0])
    with pytest.raises(ValueError, match="disagree"):
        encode_packet_table([1, 2], [True, True], [0])
    with pytest.raises(ValueError, match="sync"):
        encode_packet_table([1, 2], [False, True], [0])


@pytest.mark.parametrize("length", range(len(TABLE)))
def test_every_truncation_is_refused(length: int) -> None:
    with pytest.raises(ArchiveError, match="packet table"):
        decode_packet_table(TABLE[:length])


@pytest.mark.parametrize(
    "data",
    [
        TABLE + b"\0",
        b"\x01\x02",  # first packet no sync packet
        b"\xff\xff\xff\xff\x7f",  # 34 thousand million packets
        b"\xff\xff\xff\xff\xff\x01",  # six bytes of number
        b"\x80\x00",  # zero in two bytes
        b"\x01\x83\x00" + bytes(4),
        b"\x01\xff\xff\xff\xff\xff\x01" + bytes(4),
        b"\x80" * 50,
    ],
)
def test_hostile_tables_are_refused(data: bytes) -> None:
    with pytest.raises(ArchiveError, match="packet table"):
        decode_packet_table(data)


def test_random_bytes_raise_nothing_else() -> None:
    rng = np.random.default_rng(3)
    for _ in range(3000):
        data = rng.integers(0, 256, int(rng.integers(0, 30))).astype(np.uint8).tobytes()
        try:
            table = decode_packet_table(data)
        except ArchiveError:
            continue
        assert table.byte_length >= 0


def test_golden() -> None:
    assert TABLE.hex(" ") == "06 07 00 90 03 09 02 c1 b8 02 20 3b 18 d3 d0 48 b6 cc 41 3b 78 f4"
