"""References: stored once, named by their bytes, and refused where they lie elsewhere."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

import pytest

from dnerv.archive.limits import Bounds, Limits
from dnerv.archive.references import Reference, decode_references, digest_of, encode_references
from dnerv.errors import ArchiveError

ONE = Reference(
    digest=digest_of(b"one"),
    height=120,
    width=160,
    format=0,
    crf=40.25,
    preset=4,
    offset=68,
    length=900,
    seed_offset=968,
    seed_length=1500,
)
SEALED = replace(ONE, digest=digest_of(b"two"), seed_offset=0, seed_length=0, crf=0.0)


def bounds(count: int) -> Bounds:
    return Bounds(Limits(10_000), num_formats=1, num_references=count, network_frames=0)


def test_round_trip() -> None:
    assert decode_references(encode_references([ONE, SEALED]), bounds(2)) == (ONE, SEALED)
    assert decode_references(encode_references([]), bounds(0)) == ()


def test_golden_bytes() -> None:
    assert digest_of(b"one").hex() == "34f2ddaa8b7615c9"
    assert encode_references([ONE]).hex(" ") == "34 f2 dd aa 8b 76 15 c9 01 78 a0 01 00 04 44 84 07 c8 07 dc 0b a1 01"


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"height": 0}, "is a picture of 0x160"),
        ({"width": 65_537}, "is a picture of"),
        ({"height": 65_536, "width": 65_536}, "is a picture of"),
        ({"height": 8000, "width": 8000}, "asks for 64,000,000 pixels in a frame as coded"),
        ({"format": 1}, "format that the archive does not describe"),
        ({"preset": 256}, "format that the archive does not describe"),
        ({"crf": 256.0}, "crf is above"),
        ({"offset": 67}, "reference 1 lies outside the file"),
        ({"length": 0, "offset": 10_000}, "reference 1 lies outside the file"),
        ({"length": 9933}, "reference 1 lies outside the file"),
        ({"seed_offset": 9999}, "the seed of reference 1 lies outside the file"),
        ({"seed_length": 2**62}, "the seed of reference 1 lies outside the file"),
        ({"digest": SEALED.digest}, "stands twice"),
    ],
)
def test_what_no_archive_may_hold(changes: dict[str, Any], message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        decode_references(encode_references([SEALED, replace(ONE, **changes)]), bounds(2))


def test_other_numbers_of_them() -> None:
    data = encode_references([ONE, SEALED])
    for count in (0, 1, 3, 2**22):
        with pytest.raises(ArchiveError, match="damaged"):
            decode_references(data, bounds(count))


def test_cut_anywhere_they_are_refused() -> None:
    data = encode_references([ONE, SEALED])
    for length in range(len(data)):
        with pytest.raises(ArchiveError, match="damaged"):
            decode_references(data[:length], bounds(2))
    with pytest.raises(ArchiveError, match="damaged"):
        decode_references(data + b"\0", bounds(2))
