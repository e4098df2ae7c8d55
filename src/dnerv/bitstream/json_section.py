"""JSON sections: canonical text, deflated. Reading is bounded and accepts nothing but plain JSON."""

import json
import math
import zlib
from typing import Any, NoReturn

from dnerv.errors import ArchiveError

JSON_LIMIT = 1 << 26  # bytes of text that `decode_json` accepts unless told otherwise

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
    """Return the value; ArchiveError for damage, or for more than `limit` bytes of text when inflated."""
    inflater = zlib.decompressobj(_RAW_DEFLATE)
    try:
        text = inflater.decompress(data, limit + 1)
    except zlib.error as error:
        raise ArchiveError(f"a JSON section is damaged: {error}") from error
    if len(text) > limit:
        raise ArchiveError(f"a JSON section is damaged: it inflates to more than {limit} bytes")
    if not inflater.eof or inflater.unused_data:
        raise ArchiveError("a JSON section is damaged: its end is not where it should be")
    try:
        return json.loads(
            text.decode("ascii"), parse_constant=_refuse, parse_float=_finite, object_pairs_hook=_distinct
        )
    except (ValueError, RecursionError) as error:
        raise ArchiveError(f"a JSON section is damaged: {error}") from error


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
