import numpy as np
import pytest

from dnerv.codecs.obu import TEMPORAL_DELIMITER, obus, pack_temporal_unit, sized, unpack_temporal_unit
from dnerv.errors import ArchiveError

FRAME_HEADER = 0x32  # OBU_FRAME with a size field
SEQUENCE = bytes([0x0A, 3, 1, 2, 3])


def test_known_bytes():
    assert pack_temporal_unit(TEMPORAL_DELIMITER + SEQUENCE + bytes([0x32, 2, 9, 9])) == SEQUENCE + b"\x30\x09\x09"
    assert pack_temporal_unit(bytes.fromhex("12001a01f8")) == bytes.fromhex("18f8")


@pytest.mark.parametrize("size", [0, 1, 127, 128, 16383, 16384, 70000])
@pytest.mark.parametrize("extension", [False, True])
def test_roundtrip(size, extension):
    payload = np.random.default_rng(size).bytes(size)
    leb128 = bytes([size & 127 | 128, size >> 7 & 127 | 128, size >> 14]) if size >= 16384 else (
        bytes([size & 127 | 128, size >> 7]) if size >= 128 else bytes([size])
    )  # fmt: skip
    header = bytes([FRAME_HEADER | 4, 0x20]) if extension else bytes([FRAME_HEADER])
    unit = TEMPORAL_DELIMITER + SEQUENCE + header + leb128 + payload
    packed = pack_temporal_unit(unit)
    assert len(packed) == len(unit) - 2 - len(leb128)
    assert unpack_temporal_unit(packed) == unit


@pytest.mark.parametrize(
    "unit",
    [
        b"",
        TEMPORAL_DELIMITER,
        SEQUENCE,
        TEMPORAL_DELIMITER + SEQUENCE[:-1],
        TEMPORAL_DELIMITER + b"\x32\x81\x00\x07",
    ],
)
def test_units_that_cannot_be_restored_are_refused(unit):
    with pytest.raises(ArchiveError):
        pack_temporal_unit(unit)


def test_broken_packets_are_refused():
    for packed in (b"", b"\x0a", b"\x0a\x05\x01", b"\x0a" + b"\xff" * 12, SEQUENCE, b"\x34"):
        with pytest.raises(ArchiveError):
            unpack_temporal_unit(packed)


def test_units_one_by_one():
    packed = SEQUENCE + b"\x36\x20\x01\x07" + b"\x30\x09\x09"
    units = list(obus(packed))
    assert units == [(1, b"\x0a", b"\x01\x02\x03"), (6, b"\x36\x20", b"\x07"), (6, b"\x30", b"\x09\x09")]
    whole = b"".join(sized(unit.header, unit.payload) for unit in units)
    assert whole == packed[:-3] + b"\x32\x02\x09\x09"
    for broken in (packed[:7], b"\x36", b"\x0a\x7f"):
        with pytest.raises(ArchiveError):
            list(obus(broken))
