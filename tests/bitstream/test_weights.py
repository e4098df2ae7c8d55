"""The weight section: round trips, what is stored, its overhead, mismatch and damage."""

import math
import time
import tracemalloc
from pathlib import Path
from zlib import crc32

import numpy as np
import pytest

from dnerv.bitstream import describe_weights, pack_weights, quantisation_axis, quantise, unpack_weights
from dnerv.bitstream.ans import Decoder, FastDecoder, PlainDecoder
from dnerv.bitstream.scales import ALPHABET, CENTRE, decode_scales, encode_scales
from dnerv.bitstream.weights import FREE_WEIGHTS, WEIGHTS_PER_BYTE, tensors_crc32
from dnerv.errors import ArchiveError


def small_network(width: int = 12) -> dict[str, tuple[int, ...]]:
    shapes: dict[str, tuple[int, ...]] = {}
    channels = width
    for block in range(4):
        following = max(channels // 2, 8)
        layers = {
            "style": (2 * channels, 8, 1, 1),
            "conv": (4 * following, channels, 3, 3),
            "tfc": (following * 8, 8),
        }
        for layer, shape in layers.items():
            shapes[f"{block}.{layer}.weight"], shapes[f"{block}.{layer}.bias"] = shape, shape[:1]
        channels = following
    return shapes | {"head.weight": (3, channels, 3, 3), "head.bias": (3,), "gain": (1,), "scalar": ()}


def random_tensors(shapes: dict[str, tuple[int, ...]], seed: int = 0) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    tensors = {}
    for name, shape in shapes.items():
        gain = np.exp(rng.normal(0, 0.2, shape[1:2])).reshape(-1, *[1] * (len(shape) - 2)) if len(shape) > 1 else 1
        tensors[name] = (rng.normal(0, 0.1, shape) * gain).astype(np.float32)
    return tensors


def fixed_tensors() -> dict[str, np.ndarray]:
    """The same from every numpy: sums of integers, scaled by a power of two."""
    tensors = {}
    for index, (name, shape) in enumerate(small_network(8).items()):
        count = int(np.prod(shape))
        state = np.arange(1, 4 * count + 1, dtype=np.uint64) * np.uint64(6364136223846793005 + 2 * index)
        total = (state >> np.uint64(50)).astype(np.int64).reshape(4, count).sum(axis=0) - 32768
        tensors[name] = (total.astype(np.float32) / 65536).reshape(shape)
    return tensors


@pytest.mark.parametrize("bits", [2, 5, 8])
@pytest.mark.parametrize("decoder", [FastDecoder, PlainDecoder])
def test_what_comes_back_is_what_quantisation_gives(bits: int, decoder: type[Decoder]) -> None:
    shapes = small_network()
    tensors = random_tensors(shapes)
    data = pack_weights(tensors, bits)
    unpacked = unpack_weights(data, shapes, decoder=decoder)
    assert list(unpacked) == list(shapes)
    for name, values in tensors.items():
        axis = quantisation_axis(values.shape)
        assert unpacked[name].dtype == np.float32
        assert np.array_equal(unpacked[name], quantise(values, bits, axis).dequantise()), name
    assert data == pack_weights(tensors, bits)


def test_the_parts_sum_to_the_whole() -> None:
    shapes = small_network()
    data = pack_weights(random_tensors(shapes), 8)
    parts = describe_weights(data, shapes)
    assert set(parts) == {"header", "scales", "spreads", "payload"}
    assert sum(parts.values()) == len(data)
    assert min(parts.values()) > 0


def test_overhead_of_a_small_network_is_small() -> None:
    shapes = small_network()
    tensors = random_tensors(shapes)
    data = pack_weights(tensors, 8)
    parts = describe_weights(data, shapes)
    channels = sum(shape[1] if len(shape) > 1 else 1 for shape in shapes.values())
    assert parts["header"] + parts["spreads"] == 5 + 2 + len(shapes)
    assert parts["scales"] < 4 * channels
    entropy = 0.0
    for values in tensors.values():
        symbols = quantise(values, 8, quantisation_axis(values.shape)).symbols
        counts = np.bincount(symbols.reshape(-1), minlength=256)
        shares = counts[counts > 0] / symbols.size
        entropy -= float((np.log2(shares) * counts[counts > 0]).sum()) / 8
    large = {name: shape for name, shape in shapes.items() if np.prod(shape) > 1000}
    assert large
    assert parts["payload"] < entropy * 1.08


def test_scales_come_back_whatever_they_are() -> None:
    rng = np.random.default_rng(2)
    tensors = []
    for index, channels in enumerate((5, 1, 0, 40, 1, 3)):
        values = (rng.normal(0, 1, (6, channels)) * 10.0 ** rng.integers(-9, 4, channels)).astype(np.float32)
        tensors.append(quantise(values, 8, None if channels == 1 else 1))
        assert tensors[index].step.size == channels
    streams = encode_scales(tensors)
    is_whole = [tensor.axis is None for tensor in tensors]
    scales = decode_scales(streams, [tensor.step.size for tensor in tensors], is_whole)
    for tensor, (minimum, step) in zip(tensors, scales, strict=True):
        assert minimum.tobytes() == tensor.minimum.tobytes()
        assert step.tobytes() == tensor.step.tobytes()


@pytest.mark.parametrize("code", [0x7C00, 0x7E00, 0x8001, 0xBC00])
def test_a_step_that_is_no_step_is_refused(code: int) -> None:
    streams = [np.array([(code + CENTRE) % ALPHABET], np.int32), np.array([CENTRE], np.int32)]
    with pytest.raises(ArchiveError, match="scale"):
        decode_scales(streams, [1], [True])


@pytest.mark.parametrize("tensors", [{}, {"a": np.zeros(0, np.float32)}, {"a": np.full(1, 0.3, np.float32)}])
def test_almost_nothing(tensors: dict[str, np.ndarray]) -> None:
    shapes = {name: values.shape for name, values in tensors.items()}
    data = pack_weights(tensors, 8)
    assert len(data) < 24
    unpacked = unpack_weights(data, shapes)
    assert all(np.abs(unpacked[name] - values).sum() < 1e-5 for name, values in tensors.items())
    assert sum(describe_weights(data, shapes).values()) == len(data)


def test_another_network_is_refused() -> None:
    shapes = small_network()
    data = pack_weights(random_tensors(shapes), 8)
    renamed = {name.replace("head", "tail"): shape for name, shape in shapes.items()}
    for other in (renamed, shapes | {"gain": (2,)}, dict(reversed(shapes.items()))):
        with pytest.raises(ArchiveError, match="another network"):
            unpack_weights(data, other)
    with pytest.raises(ArchiveError):
        unpack_weights(data, {})
    assert tensors_crc32({"a": (2, 3), "b": ()}) == crc32(b"a:2x3\nb:\n")


def test_an_absurd_network_is_refused_before_memory_is_taken() -> None:
    shapes = {"a": (1 << 40,)}
    head = bytes([0x28]) + tensors_crc32(shapes).to_bytes(4, "little")
    with pytest.raises(ArchiveError, match=r"1,099,511,627,776 weights; in 8 bytes it may have 1,056,768"):
        unpack_weights(head + bytes(3), shapes)


def test_a_reader_says_what_it_allows() -> None:
    shapes = small_network()
    data, count = pack_weights(random_tensors(shapes), 4), sum(map(math.prod, shapes.values()))
    usual = FREE_WEIGHTS + WEIGHTS_PER_BYTE * len(data)
    assert list(unpack_weights(data, shapes, allowance=(count + 1) / usual)) == list(shapes)
    for read in (unpack_weights, describe_weights):
        with pytest.raises(ArchiveError, match=f"it may have {count - 1:,}"):
            read(data, shapes, allowance=(count - 0.5) / usual)


def test_constants_are_bounded_by_the_bytes_that_declare_them() -> None:
    """A billion constant weights fit a hundred bytes, and would fill the memory."""
    shapes = {"a": (1 << 15, 1 << 15)}
    small = {"a": np.zeros((4, 1 << 15), np.float32)}
    data = bytearray(pack_weights(small, 8))
    data[1:5] = tensors_crc32(shapes).to_bytes(4, "little")
    tracemalloc.start()
    started = time.monotonic()
    for read in (unpack_weights, describe_weights):
        with pytest.raises(ArchiveError, match="it may have"):
            read(bytes(data), shapes)
    assert time.monotonic() - started < 1
    assert tracemalloc.get_traced_memory()[1] < 1 << 20
    tracemalloc.stop()


def test_what_no_reader_would_believe_is_not_written() -> None:
    with pytest.raises(ValueError, match="it may have"):
        pack_weights({"a": np.zeros((FREE_WEIGHTS + WEIGHTS_PER_BYTE, 8), np.float32)}, 8)


def test_archives_of_the_first_layout_are_refused_by_name() -> None:
    with pytest.raises(ArchiveError, match=r"layout 1, of dnerv 0\.1: read .* with dnerv 0\.1, or encode"):
        unpack_weights(bytes([0x15]) + bytes(40), {})


def test_damage_raises_archive_errors_only() -> None:
    shapes = {"w": (6, 5), "b": (6,), "s": ()}
    data = pack_weights(random_tensors(shapes), 8)
    for length in range(len(data)):
        with pytest.raises(ArchiveError):
            unpack_weights(data[:length], shapes)
    for position in range(6):  # version and bits, crc32, a spread
        with pytest.raises(ArchiveError):
            unpack_weights(data[:position] + bytes([data[position] ^ 0xF8]) + data[position + 1 :], shapes)
    survived = 0
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            try:
                unpack_weights(bytes(damaged), shapes)
                survived += 1
            except ArchiveError:
                pass
    assert 0 < survived < 6 * len(data)  # the container has a checksum


def test_errors_name_the_tensor() -> None:
    with pytest.raises(ValueError, match=r"conv\.weight: .*NaN"):
        pack_weights({"conv.weight": np.array([np.nan], np.float32)}, 8)
    with pytest.raises(ValueError, match="from 2 to 8"):
        pack_weights({}, 1)


def test_golden() -> None:
    sections = [pack_weights(fixed_tensors(), bits) for bits in (8, 6, 2)]
    assert [(len(section), crc32(section)) for section in sections] == GOLDEN


GOLDEN = [(12722, 2434771668), (9603, 1333861875), (3281, 4275251134)]


def test_the_example_of_the_format_description() -> None:
    tensors = {"w": np.array([[0, 1], [0.5, -1]], np.float32), "b": np.array([0.25], np.float32)}
    data = bytes.fromhex("22 f27936c9 5b7f 7f00 ff0034008b3e8030e010f11c280a8f01")
    assert pack_weights(tensors, 2) == data
    unpacked = unpack_weights(data, {name: values.shape for name, values in tensors.items()})
    assert unpacked["w"].tolist() == [[0.0, 1.0009765625], [0.500244140625, -1.0]]
    assert unpacked["b"].tolist() == [0.25]
    text = (Path(__file__).parents[2] / "docs" / "format.md").read_text(encoding="utf-8")
    assert data[-15:].hex(" ") in text
