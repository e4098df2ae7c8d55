"""JSON sections: canonical text, deflated. Reading is bounded and accepts nothing but plain JSON."""

import json
import math
import zlib
from typing import Any, NoReturn

from dnerv.errors import ArchiveError

JSON_LIMIT = 1 << 26  # bytes of memory that `decode_json` takes unless told otherwise

# What values take in memory, about: text is there as bytes, as characters and in values; a list or an object is
# announced by its bracket, all other values by a comma.
_BYTES_OF_TEXT, _BYTES_OF_VALUE, _BYTES_OF_CONTAINER = 4, 64, 256

_RAW_DEFLATE = -15  # zlib's name for: no header, 32 KiB window


def encode_json(value: Any) -> bytes:
    """Return raw deflate (level 9) of the ASCII JSON with sorted keys and no spaces.

    ValueError for NaN and infinity, TypeError for what JSON has not. Any str survives, lone surrogates
    included (file names that are not UTF-8).
    """
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False, ensure_ascii=True)
    deflater = zlib.compressobj(9, zlib.DEFLATED, _RAW_DEFLATE, 9)
    return deflater.compress(text.encode("ascii")) + deflater.flush()


def decode_json(data: bytes, limit: int = JSON_LIMIT) -> Any:
    """Return the value; ArchiveError for damage, or where text and values would take more than `limit` bytes."""
    inflater = zlib.decompressobj(_RAW_DEFLATE)
    try:
        text = inflater.decompress(data, limit // _BYTES_OF_TEXT + 1)
    except zlib.error as error:
        raise ArchiveError(f"a JSON section is damaged: {error}") from error
    if _memory(text) > limit:
        raise ArchiveError(f"a JSON section of {len(data)} bytes asks for more than {limit} bytes of memory")
    if not inflater.eof or inflater.unused_data:
        raise ArchiveError("a JSON section is damaged: its end is not where it should be")
    try:
        return json.loads(
            text.decode("ascii"), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_distinct
        )
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"a JSON section is damaged: {error}") from error


def _memory(text: bytes) -> int:
    """Bytes that the values of `text` take, roughly; no less than half of it."""
    containers = text.count(b"{") + text.count(b"[")
    return _BYTES_OF_TEXT * len(text) + _BYTES_OF_VALUE * text.count(b",") + _BYTES_OF_CONTAINER * containers


def _refuse(constant: str) -> NoReturn:
    raise ValueError(f"{constant} is not JSON")


def _finite(digits: str) -> float:
    value = float(digits)
    if not math.isfinite(value):
        raise ValueError(f"the number {digits} is too large")
    return value


def _distinct(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    values = dict(pairs)
    if len(values) != len(pairs):
        raise ValueError("a key occurs twice in an object")
    return values
