"""Entropy coding: round trips, every model, the integer tables, overheads, and hostile bytes."""

import math
import subprocess
import sys
import time
from zlib import crc32

import numpy as np
import pytest

from dnerv.bitstream import decode_symbols, encode_symbols
from dnerv.bitstream.ans import TOTAL, decode_streams_payload, decode_streams_plainly, encode_streams_payload
from dnerv.bitstream.entropy import decode_streams, describe_streams, encode_streams
from dnerv.bitstream.frequency_models import (
    CENTRED_GAUSSIAN,
    GAUSSIAN,
    LAPLACE,
    SCALES,
    Bell,
    Constant,
    Uniform,
    exp2_negative,
)
from dnerv.bitstream.histogram import Histogram, decode_histogram, fit_histogram
from dnerv.errors import ArchiveError

SOURCES = ("gaussian", "laplace", "uniform")


def draw(source: str, count: int, seed: int = 0) -> tuple[np.ndarray, float]:
    """Return symbols of a 256-letter source and the bits that its true distribution gives them."""
    rng = np.random.default_rng(seed)
    centred = np.arange(256) - 127.3
    density = {
        "gaussian": np.exp(-(centred**2) / (2 * 35**2)),
        "laplace": np.exp(-np.abs(centred) / 16),
        "uniform": np.ones(256),
    }[source]
    density = density / density.sum()
    symbols = rng.choice(256, count, p=density).astype(np.uint8)
    return symbols, float(-np.log2(density[symbols]).sum())


def fixed_symbols(count: int, alphabet: int) -> np.ndarray:
    """Symbols with a peak in the middle, the same from every numpy."""
    state = np.arange(1, 3 * count + 1, dtype=np.uint64) * np.uint64(6364136223846793005) >> np.uint64(40)
    return (state.reshape(3, count) % np.uint64(alphabet)).sum(axis=0).astype(np.int64).__floordiv__(3).astype(np.uint8)


@pytest.mark.parametrize("source", SOURCES)
@pytest.mark.parametrize("count", [50, 500, 5_000, 500_000])
def test_overhead_over_the_true_source_is_a_few_bytes(source: str, count: int) -> None:
    symbols, bits = draw(source, count)
    data = encode_symbols(symbols, 256)
    assert np.array_equal(decode_symbols(data, count, 256), symbols)
    assert len(data) <= bits / 8 + 9 + count / 4_000  # 8 bytes, and at length 0.03 %


@pytest.mark.parametrize("alphabet", [1, 2, 3, 4, 16, 100, 256])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 17, 1000])
def test_round_trip(alphabet: int, count: int) -> None:
    for seed in range(5):
        symbols = np.random.default_rng(seed).integers(0, alphabet, count).astype(np.uint8)
        assert np.array_equal(decode_symbols(encode_symbols(symbols, alphabet), count, alphabet), symbols)


def test_nothing_takes_nothing() -> None:
    assert encode_symbols(np.zeros(0, np.uint8), 256) == b""
    assert decode_symbols(b"", 0, 256).size == 0


def test_a_constant_run_takes_two_bytes() -> None:
    data = encode_symbols(np.full(1_000_000, 77, np.uint8), 256)
    assert data == bytes([1, 77])
    assert np.array_equal(decode_symbols(data, 5, 256), np.full(5, 77))


def test_peaks_at_the_edges_are_modelled() -> None:
    symbols, bits = draw("gaussian", 4000)
    symbols[:200], symbols[200:400] = 0, 255
    edges = 400 * math.log2(4000 / 200) + 3600 * math.log2(4000 / 3600)
    assert len(encode_symbols(symbols, 256)) < (bits * 0.9 + edges) / 8 + 12


def test_streams_share_models_and_one_state() -> None:
    streams = [(draw("laplace", 300, seed)[0], 256) for seed in range(20)]
    together = encode_streams(streams)
    apart = sum(len(encode_symbols(*stream)) for stream in streams)
    assert apart - len(together) > 20 * 2
    for (symbols, _), decoded in zip(streams, decode_streams(together, [(300, 256)] * 20), strict=True):
        assert np.array_equal(symbols, decoded)


def test_streams_of_different_alphabets_and_empty_ones() -> None:
    streams = [(fixed_symbols(40 * k, alphabet), alphabet) for k, alphabet in enumerate((4, 256, 256, 16, 1, 2, 256))]
    data = encode_streams(streams)
    assert data == encode_streams(streams)
    decoded = decode_streams(data, [(symbols.size, alphabet) for symbols, alphabet in streams])
    assert all(np.array_equal(a, b) for (a, _), b in zip(streams, decoded, strict=True))
    described = describe_streams(data, [(symbols.size, alphabet) for symbols, alphabet in streams])
    estimate = sum(8 * stream.model_bytes + stream.payload_bits for stream in described) / 8
    assert estimate - 1 <= len(data) <= estimate + 4


MODELS = [
    Uniform(),
    *(Bell(kind, scale, centre, edge)
      for kind in (CENTRED_GAUSSIAN, GAUSSIAN, LAPLACE)
      for scale in (0, 20, 40, SCALES - 1)
      for centre, edge in ((0, 0), (77, 3), (255, 255))),
]  # fmt: skip


@pytest.mark.parametrize("alphabet", [2, 3, 16, 255, 256])
def test_tables_sum_to_the_total_and_give_every_symbol_a_count(alphabet: int) -> None:
    for model in MODELS:
        table = model.table(alphabet)
        assert table.shape == (alphabet,)
        assert int(table.sum(dtype=np.int64)) == TOTAL
        assert table.min() >= 1
        assert table.max() < TOTAL


def bell_table_in_python_integers(bell: Bell, alphabet: int) -> list[int]:
    """The recurrences as docs/format.md states them."""
    powers, power = [], 1 << 31
    for _ in range(16):
        power = math.isqrt(power << 32)
        powers.append(power)

    def exp2(x: int) -> int:
        y = 1 << 32
        for bit in range(16):
            if x >> (15 - bit) & 1:
                y = y * powers[bit] >> 32
        return y >> min(x >> 16, 40)

    centred = bell.kind == CENTRED_GAUSSIAN
    centre = (alphabet - 1) * 128 if centred else (alphabet - 1) * bell.centre * 256 // 255
    distances = [abs(256 * k - centre) for k in range(alphabet)]
    if bell.kind == LAPLACE:
        weights = [exp2(d * exp2(bell.scale * 65536 // 6) >> 21) for d in distances]
    else:
        weights = [exp2(d * d * exp2(bell.scale * 65536 // 3) >> 28) for d in distances]
    extra = 0 if centred else sum(weights) * bell.edge >> 9
    weights[0] += extra
    weights[-1] += extra
    table = [1 + w * (TOTAL - alphabet) // sum(weights) for w in weights]
    table[weights.index(max(weights))] += TOTAL - sum(table)
    return table


@pytest.mark.parametrize("alphabet", [2, 4, 64, 256])
def test_tables_are_the_documented_integers(alphabet: int) -> None:
    for model in MODELS[1:]:
        assert isinstance(model, Bell)
        assert model.table(alphabet).tolist() == bell_table_in_python_integers(model, alphabet)


def test_tables_follow_their_densities() -> None:
    k = np.arange(256)
    for scale in (20, 35, 45):
        sigma, b = 0.2123 * 2 ** (scale / 6), 0.1803 * 2 ** (scale / 6)
        for kind, density in (
            (GAUSSIAN, np.exp(-((k - 128) ** 2) / (2 * sigma**2))),
            (LAPLACE, np.exp(-np.abs(k - 128) / b)),
        ):
            table = Bell(kind, scale, 128).table(256) / TOTAL
            assert np.abs(table - density / density.sum()).max() < 2e-3 * table.max() + 2e-7


def test_exp2_negative_is_exact_to_26_bits() -> None:
    x = np.arange(0, 50 * 65536, 997, dtype=np.uint64)
    exact = 2.0 ** (32 - x / 65536)
    computed = exp2_negative(x).astype(np.float64)
    assert (np.abs(computed - exact) <= 1 + exact * 2**-26).all()
    assert exp2_negative(np.array([0, 41 << 16, 1 << 60], np.uint64)).tolist() == [1 << 32, 0, 0]


@pytest.mark.parametrize("seed", range(20))
def test_histograms_come_back_as_written(seed: int) -> None:
    rng = np.random.default_rng(seed)
    alphabet = int(rng.choice([2, 5, 64, 256]))
    counts = (rng.pareto(0.4, alphabet) * rng.integers(0, 2, alphabet)).clip(0, 1e9).astype(np.int64)
    counts[rng.integers(alphabet)] += 1
    model = fit_histogram(counts)
    encoded = model.encode()
    assert decode_histogram(encoded + b"\xff" * 9, 1, alphabet) == (model, len(encoded))
    assert int(model.table(alphabet).sum(dtype=np.int64)) == TOTAL


def test_fast_coder_agrees_with_the_plain_definition() -> None:
    streams = [(fixed_symbols(count, 64), Bell(GAUSSIAN, 34, 120, 2).table(64)) for count in (1, 0, 2, 500, 3)]
    streams += [
        (fixed_symbols(700, 256), Uniform().table(256)),
        (np.full(9, 3, np.uint8), Constant(3).table(4)),
    ]
    data = encode_streams_payload(streams)
    expected = [symbols.tolist() for symbols, _ in streams]
    wanted = [(symbols.size, table) for symbols, table in streams]
    assert [s.tolist() for s in decode_streams_plainly(data, wanted)] == expected
    assert [s.tolist() for s in decode_streams_payload(data, wanted)] == expected


def test_fast_coder_uses_skewed_tables_exactly() -> None:
    rng = np.random.default_rng(5)
    for alphabet in (2, 7, 256):
        weights = rng.pareto(0.3, alphabet)
        table = (1 + np.floor(weights / weights.sum() * (TOTAL - alphabet))).astype(np.uint32)
        table[0] += np.uint32(TOTAL - int(table.sum(dtype=np.int64)))
        symbols = rng.integers(0, alphabet, 400).astype(np.uint8)
        data = encode_streams_payload([(symbols, table)])
        assert np.array_equal(decode_streams_plainly(data, [(400, table)])[0], symbols)


def test_golden() -> None:
    fixed = [encode_symbols(fixed_symbols(count, alphabet), alphabet) for count, alphabet in CASES]
    assert [crc32(data) for data in fixed] == GOLDEN
    for data, (count, alphabet) in zip(fixed, CASES, strict=True):
        assert np.array_equal(decode_symbols(data, count, alphabet), fixed_symbols(count, alphabet))


CASES = [(7, 256), (300, 256), (40_000, 256), (300, 16), (9, 4)]
GOLDEN = [4052886166, 4223117327, 1468417080, 3727356292, 439964935]


def test_every_truncation_is_noticed() -> None:
    symbols, _ = draw("gaussian", 200)
    data = encode_symbols(symbols, 256)
    for length in range(len(data)):
        with pytest.raises(ArchiveError):
            decode_symbols(data[:length], 200, 256)


def test_hostile_bytes_raise_nothing_else_and_never_hang() -> None:
    rng = np.random.default_rng(1)
    started = time.monotonic()
    refused = 0
    for _ in range(3000):
        data = rng.integers(0, 256, int(rng.integers(0, 40))).astype(np.uint8).tobytes()
        first = int(rng.choice([0, 1, 2, 3, 18, 19, 63, 64, 127, 128, 200, 255]))
        alphabet = int(rng.choice([1, 2, 4, 256]))
        try:
            decode_streams(bytes([first]) + data, [(30, alphabet), (0, alphabet), (5, alphabet)])
        except ArchiveError:
            refused += 1
    assert refused > 2500
    assert time.monotonic() - started < 20


@pytest.mark.parametrize(
    ("data", "alphabet"),
    [
        (b"", 256),
        (b"\x01", 256),
        (b"\x01\x04", 4),  # a constant outside its alphabet
        (b"\x02", 256),
        (b"\x02\x07\x00\x01\xff", 256),  # precision 7
        (b"\x02\x40\x00\x01\xff", 256),  # order 8
        (b"\x02\x00\x05\x04\xff", 256),  # last before first
        (b"\x02\x00\x00\x04\xff", 4),  # last outside the alphabet
        (b"\x02\x00\x00\x01\xe0", 256),  # every level 0
        (b"\x02\x00\x00\xff" + bytes(2000), 256),  # an endless run of zeros
        (b"\x02\x00\x00\x00\x41", 256),  # padding that is not zero
        (b"\x03", 256),  # repeats what is not there
        (b"\x13", 256),  # reserved
        (b"\x3f", 256),
        (b"\x80\x01", 256),  # a centre and no edge
        (b"\x00\x01\x00", 256),  # a zero byte at the end
        (b"\x00" + b"\xff" * 100, 256),  # more than the symbols need
    ],
)
def test_each_kind_of_damage_is_named(data: bytes, alphabet: int) -> None:
    with pytest.raises(ArchiveError, match=r"damaged|truncated"):
        decode_symbols(data, 3, alphabet)


def test_symbols_that_cannot_be_coded_are_refused() -> None:
    with pytest.raises(ValueError, match=r"\[0, 3\]"):
        encode_symbols(np.array([4], np.uint8), 4)
    with pytest.raises(ValueError, match="alphabet"):
        encode_symbols(np.array([4], np.uint8), 257)
    with pytest.raises(ValueError, match="uint8"):
        encode_symbols(np.array([4]), 256)
    with pytest.raises(ValueError, match="no frequency"):
        encode_streams_payload([(np.array([1], np.uint8), Constant(0).table(2))])
    assert Histogram((1, 1), 3, 0).table(8).argmax() == 3


def test_the_room_imports_without_the_entropy_coder() -> None:
    """Machines that only train have numpy and torch; constriction is needed where bytes are."""
    script = "import dnerv.bitstream, sys; sys.exit('constriction' in sys.modules or 'torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], check=False).returncode == 0
