"""Lists of integers as bytes: round trips, the shortest form only, and lists that lie."""

from __future__ import annotations

import random

import numpy as np
import pytest

from dnerv.bitstream import Cursor, decode_integers, encode_integers, split_integers, unzigzag, zigzag
from dnerv.bitstream.integers import _AT_ONCE
from dnerv.errors import ArchiveError

EDGES = [0, 1, 127, 128, 16_383, 16_384, 2**32 - 1, 2**32, 2**56 - 1, 2**56, 2**62, 2**63 - 1]


def plain(value: int) -> bytes:
    """LEB128 of one integer, digit by digit."""
    digits = []
    while value >= 0x80:
        digits.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*digits, value])


@pytest.mark.parametrize("values", [[], [0], EDGES, EDGES[::-1], [300] * 1000])
def test_round_trip(values: list[int]) -> None:
    data = encode_integers(values)
    assert data == b"".join(map(plain, values))
    assert decode_integers(data).tolist() == values
    assert encode_integers(np.array(values, np.int64)) == data


def test_lists_longer_than_a_step_return() -> None:
    dice = random.Random(0)
    values = [dice.getrandbits(dice.choice((3, 9, 20, 62))) for _ in range(2 * _AT_ONCE + 5)]
    data = encode_integers(values)
    assert len(data) > 4 * _AT_ONCE
    assert decode_integers(data).tolist() == values


@pytest.mark.parametrize("values", [[-1], [3, -(2**40)], [2**63], [2**64]])
def test_what_cannot_be_stored(values: list[int]) -> None:
    with pytest.raises((ValueError, OverflowError)):
        encode_integers(values)


@pytest.mark.parametrize(
    ("data", "message"),
    [
        (b"\x80", "cut"),
        (b"\x05\xff", "cut"),
        (b"\x80\x00", "longer than it may be"),
        (b"\x85\x00\x01", "longer than it may be"),
        (b"\xff" * 9 + b"\x01", "longer than it may be"),
        (b"\xff" * (_AT_ONCE + 5) + b"\x01", "longer than it may be"),
    ],
)
def test_what_no_encoder_writes(data: bytes, message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        decode_integers(data)


def test_signed_integers() -> None:
    assert zigzag(np.array([0, -1, 1, -2, 2])).tolist() == [0, 1, 2, 3, 4]
    signed = np.array([0, -1, 5, -(2**61), 2**61, -(2**62), 2**62 - 1])
    assert unzigzag(zigzag(signed)).tolist() == signed.tolist()


def test_the_integers_that_bytes_begin_with() -> None:
    data = encode_integers([5, 70_000]) + b"\xff\xff"
    assert split_integers(data, 2) == ([5, 70_000], 4)
    assert split_integers(data, 1) == ([5], 1)
    for short in (b"", b"\x05", b"\x05\x80", b"\x80" * 40):
        with pytest.raises(ArchiveError, match="cut"):
            split_integers(short, 2)
    with pytest.raises(ArchiveError, match="longer than it may be"):
        split_integers(b"\x80" * 10 + b"\x01\x01", 2)


def test_a_cursor_takes_what_there_is() -> None:
    cursor = Cursor(np.array([1, 2, 3, 4]))
    assert cursor.one() == 1
    assert cursor.take(0).tolist() == []
    assert cursor.take(2).tolist() == [2, 3]
    with pytest.raises(ArchiveError, match="longer than it says"):
        cursor.check_end()
    for count in (2, 2**62):
        with pytest.raises(ArchiveError, match="shorter than it says"):
            cursor.take(count)
    cursor.take(1)
    cursor.check_end()
