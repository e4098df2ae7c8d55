"""JSON sections: canonical, bounded, strict."""

import json
import tracemalloc
import zlib
from typing import Any

import pytest

from dnerv.bitstream import decode_json, encode_json
from dnerv.errors import ArchiveError


def deflated(text: bytes) -> bytes:
    deflater = zlib.compressobj(9, zlib.DEFLATED, -15)
    return deflater.compress(text) + deflater.flush()


@pytest.mark.parametrize(
    "value", [None, 0, -1.5, 2**70, "", "Zürich 🎥", "\udcff.mp4", [], {}, {"b": [1, {"a": None}], "a": True}]
)
def test_round_trip(value: Any) -> None:
    assert decode_json(encode_json(value)) == value


def test_text_is_canonical() -> None:
    text = zlib.decompress(encode_json({"b": [1, 2.5], "a": "é"}), -15)
    assert text == b'{"a":"\\u00e9","b":[1,2.5]}'
    assert encode_json({"x": 1, "y": 2}) == encode_json({"y": 2, "x": 1})


@pytest.mark.parametrize("value", [float("nan"), float("inf"), [-float("inf")]])
def test_what_json_has_not_is_refused(value: Any) -> None:
    with pytest.raises(ValueError, match="JSON compliant"):
        encode_json(value)


@pytest.mark.parametrize(
    "text",
    [b"", b"{", b"NaN", b"[Infinity]", b"1e999", b'{"a":1,"a":2}', b"1 2", b"\xff", "é".encode(), b'"\x00"',
     json.dumps("x").encode("utf-16"), b"[" * 100_000, b"9" * 100_000],
)  # fmt: skip
def test_other_text_is_refused(text: bytes) -> None:
    with pytest.raises(ArchiveError, match="JSON section"):
        decode_json(deflated(text))


def test_damage_is_refused() -> None:
    data = encode_json({"name": "clip", "frames": list(range(50))})
    for length in range(len(data)):
        with pytest.raises(ArchiveError, match="JSON section"):
            decode_json(data[:length])
    for extra in (data + b"\0", b"\xff" + data, b"plain text"):
        with pytest.raises(ArchiveError, match="JSON section"):
            decode_json(extra)


def test_a_bomb_is_refused() -> None:
    bomb = deflated(b'"' + b"a" * 50_000_000 + b'"')
    assert len(bomb) < 60_000
    with pytest.raises(ArchiveError, match="more than 1000000 bytes"):
        decode_json(bomb, limit=1_000_000)
    exact = encode_json("a" * 98)
    assert decode_json(exact, limit=400) == "a" * 98
    with pytest.raises(ArchiveError, match="more than 399 bytes"):
        decode_json(exact, limit=399)


@pytest.mark.parametrize("value", ["[]", "{}", '{"a":1}', "1", "1000000", "null", "1.5", '"ab"', '["a"]', "[[[[]]]]"])
def test_values_are_bounded_and_not_the_text_alone(value: str) -> None:
    """Memory that is really taken stays within what was allowed; what is refused is refused before it is taken."""
    count, limit = 200_000, 1 << 26
    many = deflated(b"[" + b",".join([value.encode()] * count) + b"]")
    assert len(many) < 10_000
    tracemalloc.start()
    try:
        decode_json(many, limit=limit)
    except ArchiveError:
        assert tracemalloc.get_traced_memory()[1] < limit / 4
        few = deflated(b"[" + b",".join([value.encode()] * (count // 10)) + b"]")
        assert len(decode_json(few, limit=limit)) == count // 10
    else:
        assert tracemalloc.get_traced_memory()[1] < limit
    finally:
        tracemalloc.stop()
