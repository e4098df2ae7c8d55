"""The coder: what is coded comes back, from the library as from the definition; nothing else is accepted."""

import subprocess
import sys
import time
from zlib import crc32

import numpy as np
import pytest

from dnerv.bitstream.ans import TOTAL, Decoder, FastDecoder, PlainDecoder, encode_payload
from dnerv.bitstream.gaussian import gaussian_table
from dnerv.errors import ArchiveError

Stream = tuple[np.ndarray, np.ndarray]
BOTH = pytest.mark.parametrize("decoder", [FastDecoder, PlainDecoder])


def fixed_symbols(count: int, alphabet: int) -> np.ndarray:
    """Symbols with a peak in the middle, the same from every numpy."""
    state = np.arange(1, 3 * count + 1, dtype=np.uint64) * np.uint64(6364136223846793005) >> np.uint64(40)
    return ((state.reshape(3, count) % np.uint64(alphabet)).sum(axis=0) // np.uint64(3)).astype(np.int32)


def fixed_stream(count: int, alphabet: int) -> Stream:
    return fixed_symbols(count, alphabet), gaussian_table(alphabet, alphabet // 2, 40 if alphabet > 64 else 20)


def decoded(decoder: type[Decoder], data: bytes, streams: list[Stream]) -> list[list[int]]:
    coder = decoder(data)
    made = [coder.decode(symbols.size, table).tolist() for symbols, table in streams]
    coder.finish()
    return made


@BOTH
def test_streams_come_back(decoder: type[Decoder]) -> None:
    shapes = [(1, 64), (0, 4), (2, 2), (500, 65536), (3, 16), (700, 256)]
    streams = [fixed_stream(count, alphabet) for count, alphabet in shapes]
    data = encode_payload(streams)
    assert decoded(decoder, data, streams) == [symbols.tolist() for symbols, _ in streams]


@BOTH
def test_nothing_takes_nothing(decoder: type[Decoder]) -> None:
    streams = [fixed_stream(0, 256)]
    assert encode_payload(streams) == encode_payload([]) == b""
    assert decoded(decoder, b"", streams) == [[]]
    for something in (b"\xff\xff", b"\x01"):
        with pytest.raises(ArchiveError):
            decoded(decoder, something, streams)


def test_skewed_tables_are_used_exactly() -> None:
    rng = np.random.default_rng(5)
    for alphabet in (2, 7, 256):
        weights = rng.pareto(0.3, alphabet)
        table = (1 + np.floor(weights / weights.sum() * (TOTAL - alphabet))).astype(np.uint32)
        table[0] += np.uint32(TOTAL - int(table.sum(dtype=np.int64)))
        symbols = rng.integers(0, alphabet, 400).astype(np.int32)
        assert decoded(PlainDecoder, encode_payload([(symbols, table)]), [(symbols, table)]) == [symbols.tolist()]


def test_the_payload_is_as_long_as_its_information() -> None:
    symbols, table = fixed_stream(5000, 256)
    bits = float((24 - np.log2(table[symbols])).sum())
    assert bits / 8 - 1 <= len(encode_payload([(symbols, table)])) <= bits / 8 + 4


@BOTH
def test_every_truncation_and_a_longer_payload_are_noticed(decoder: type[Decoder]) -> None:
    streams = [fixed_stream(200, 256)]
    data = encode_payload(streams)
    for wrong in (*(data[:length] for length in range(len(data))), data + b"\0", data + b"\x01", b"\x01" * 4 + data):
        with pytest.raises(ArchiveError):
            decoded(decoder, wrong, streams)


def test_hostile_bytes_raise_nothing_else_and_never_hang() -> None:
    rng, started, refused = np.random.default_rng(1), time.monotonic(), 0
    for _ in range(2000):
        data = rng.integers(0, 256, int(rng.integers(0, 40))).astype(np.uint8).tobytes()
        try:
            decoded(FastDecoder, data, [fixed_stream(30, int(rng.choice([2, 4, 256])))])
        except ArchiveError:
            refused += 1
    assert refused > 1900
    assert time.monotonic() - started < 20


def test_golden() -> None:
    assert [crc32(encode_payload([fixed_stream(*case)])) for case in CASES] == GOLDEN


CASES = [(7, 256), (300, 256), (40_000, 256), (300, 16), (9, 4), (90, 65536)]
GOLDEN = [2929727989, 435612786, 353216063, 3112991118, 1037871889, 3397049804]


def test_the_room_imports_without_the_entropy_coder() -> None:
    """Machines that only train have numpy and torch; constriction is needed where bytes are."""
    script = "import dnerv.bitstream, sys; sys.exit('constriction' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
