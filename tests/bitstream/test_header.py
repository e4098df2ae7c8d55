"""The first bytes of a file, and the section table: what is written is read, and what lies is refused by name."""

from __future__ import annotations

import struct
from zlib import crc32

import pytest

from dnerv.bitstream.header import (
    FORMAT_VERSION,
    HEADER_SIZE,
    LAST_GENERATION,
    MAGIC,
    MOST_SECTIONS,
    Section,
    Slot,
    decode_header,
    decode_table,
    encode_header,
    encode_slot,
    encode_table,
    slot_position,
)
from dnerv.errors import ArchiveError

SLOT = Slot(1, 70, 28, 120)


def header_of(*slots: Slot, version: int = FORMAT_VERSION, reserved: int = 0) -> bytes:
    """A header with these slots where they belong, whatever they say."""
    data = bytearray(struct.pack("<8sHH56x", MAGIC, version, reserved))
    for slot in slots:
        place = slot_position(slot.generation)
        data[place : place + 28] = encode_slot(slot)
    return bytes(data)


def test_golden_bytes() -> None:
    assert HEADER_SIZE == 68
    assert encode_header(SLOT).hex(" ") == (
        "89 44 4e 56 0d 0a 1a 0a 02 00 00 00 "
        "01 00 00 00 46 00 00 00 00 00 00 00 1c 00 00 00 78 00 00 00 00 00 00 00 9c b8 98 e5" + " 00" * 28
    )
    assert encode_table([Section("CONF", 70, 5, 0x3610A686)]).hex(" ") == (
        "43 4f 4e 46 46 00 00 00 00 00 00 00 05 00 00 00 00 00 00 00 86 a6 10 36 5b 49 2e 14"
    )


@pytest.mark.parametrize("generation", [1, 2, LAST_GENERATION])
def test_round_trip(generation: int) -> None:
    slot = SLOT._replace(generation=generation)
    assert decode_header(encode_header(slot), 120) == slot
    assert decode_header(encode_header(slot), 10**9) == slot  # what an interrupted change left behind
    assert slot.table_offset == 92


def test_the_newer_whole_slot_counts() -> None:
    old, new = Slot(4, 70, 28, 120), Slot(5, 130, 28, 200)
    data = header_of(old, new)
    assert decode_header(data, 200) == new
    for place in range(slot_position(5), slot_position(5) + 28):
        damaged = bytearray(data)
        damaged[place] ^= 1
        assert decode_header(bytes(damaged), 200) == old
        damaged[slot_position(4)] ^= 1
        with pytest.raises(ArchiveError, match="neither of its two header slots"):
            decode_header(bytes(damaged), 200)


def test_neighbouring_generations_never_share_a_slot() -> None:
    assert {slot_position(n) for n in (1, 3, LAST_GENERATION)} == {12}
    assert {slot_position(n) for n in (2, 4)} == {40}


def test_version_1_is_refused_with_what_to_do() -> None:
    data = MAGIC + struct.pack("<HH", 1, 2) + bytes(100)
    with pytest.raises(ArchiveError, match=r"format version 1.*encode the videos again, or decode"):
        decode_header(data, len(data))
    with pytest.raises(ArchiveError, match="format version 1"):
        decode_header(data[:16], 16)  # its shortest file


def wrong_place(slot: Slot) -> bytes:
    """A slot of an odd generation where even ones belong."""
    return header_of()[:40] + encode_slot(slot)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"", "empty"),
        (b"plain text, and rather more of it than a header has, so that it could be one", "not a dnerv archive"),
        (b"\x89DNV\n\x1a\n" + bytes(80), "not a dnerv archive"),  # newlines converted
        (MAGIC[:5], "truncated within its header"),
        (MAGIC + b"\x02\x00", "truncated within its header"),
        (header_of(SLOT)[:-1], "truncated within its header"),
        (header_of(SLOT, version=0), "version 0"),
        (header_of(SLOT, version=3), "version 3; this dnerv reads version 2: upgrade"),
        (header_of(SLOT, reserved=1), "must be 0"),
        (header_of(), "neither"),
        (header_of(Slot(0, 70, 28, 120)), "neither"),
        (wrong_place(SLOT), "neither"),
        (header_of(Slot(1, 67, 28, 120)), "section table lies outside"),
        (header_of(Slot(1, 93, 28, 120)), "section table lies outside"),
        (header_of(Slot(1, 70, 3, 120)), "section table lies outside"),
        (header_of(Slot(1, 70, 5 + 24 * MOST_SECTIONS, 10_000)), "section table lies outside"),
        (header_of(Slot(1, 70, 28, 2**64 - 1)), "truncated: it has 20000 bytes of"),
        (header_of(Slot(1, 2**64 - 1, 28, 120)), "section table lies outside"),
        (header_of(Slot(1, 70, 28, 20)), "section table lies outside"),
    ],
)
def test_hostile_headers_are_refused(data: bytes, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        decode_header(data, 20_000)


def test_a_section_table_returns() -> None:
    sections = [Section("CONF", 70, 5, 1), Section("made", 75, 0, 0), Section("NETW", 68, 2, 2**32 - 1)]
    slot = Slot(1, 70, len(encode_table(sections)), 400)
    assert decode_table(encode_table(sections), slot) == sections
    assert decode_table(encode_table([]), Slot(1, 70, 4, 74)) == []
    assert [section.is_essential for section in sections] == [True, False, True]


@pytest.mark.parametrize(
    ("sections", "message"),
    [
        ([("CO\nF", 70, 1)], "names"),
        ([("CO1F", 70, 1)], "names"),
        ([("CONF", 67, 1)], "CONF lies outside"),
        ([("CONF", 70, 123)], "CONF lies outside"),
        ([("CONF", 2**64 - 1, 1)], "CONF lies outside"),
        ([("CONF", 70, 2**64 - 1)], "CONF lies outside"),
    ],
)
def test_hostile_tables_are_refused(sections: list[tuple[str, int, int]], message: str) -> None:
    table = encode_table([Section(*section, 0) for section in sections])
    with pytest.raises(ArchiveError, match=message):
        decode_table(table, Slot(1, 70, len(table), 192 + len(table)))


def test_a_kind_that_stands_twice_is_refused() -> None:
    with pytest.raises(ValueError, match="distinct"):
        encode_table([Section("CONF", 70, 1, 0)] * 2)
    entry = encode_table([Section("CONF", 70, 1, 0)])[:-4]
    table = 2 * entry + struct.pack("<I", crc32(2 * entry))
    with pytest.raises(ArchiveError, match=r"section names are \['CONF', 'CONF'\]"):
        decode_table(table, Slot(1, 70, len(table), 400))


def test_no_more_sections_than_a_reader_takes() -> None:
    kinds = [f"A{chr(97 + i // 26)}{chr(97 + i % 26)}a" for i in range(MOST_SECTIONS + 1)]
    sections = [Section(kind, 70, 0, 0) for kind in kinds]
    table = encode_table(sections[:-1])
    assert decode_header(header_of(Slot(1, 70, len(table), 10_000)), 10_000).table_length == len(table)
    assert len(decode_table(table, Slot(1, 70, len(table), 10_000))) == MOST_SECTIONS
    with pytest.raises(ValueError, match="at most 64"):
        encode_table(sections)


def test_every_flipped_bit_of_a_table_is_detected() -> None:
    table = encode_table([Section("CONF", 70, 5, 1), Section("INDX", 75, 5, 2)])
    for bit in range(8 * len(table)):
        damaged = bytearray(table)
        damaged[bit // 8] ^= 1 << bit % 8
        with pytest.raises(ArchiveError, match="checksum of its section table"):
            decode_table(bytes(damaged), Slot(1, 70, len(table), 400))
    for length in range(len(table)):
        with pytest.raises(ArchiveError):
            decode_table(table[:length], Slot(1, 70, length, 400))
