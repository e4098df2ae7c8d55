"""A network's weights as one section of bytes.

    offset  size     field
    0       1        layout version (high four bits, 2) and bits per symbol (low four bits, 2 to 8)
    1       4        crc32 of names and shapes, u32 little-endian: see `tensors_crc32`
    5       2        spreads (`gaussian.py`) of the two streams of scales (`scales.py`)
    7       tensors  the spread of each tensor's symbols
    ...     to end   payload (`ans.py`): the two streams of scales, then tensor by tensor its symbols

A tensor of two or more dimensions has a scale for each input channel (axis 1), another has one for all. Its symbols
come channel by channel, in C order within one; a channel whose step is 0 has none. What is known of a channel already
says where its symbols gather: weights lie around zero, so their Gaussian is centred on zero's symbol,
`-minimum / step`, and one spread serves the tensor.

Names, shapes and their order are not stored: they follow from the model's configuration, and the crc32 tells
whether it is the right one. Damage is the container's to find, which has a checksum over the section.
"""

import math
import struct
from collections.abc import Mapping
from zlib import crc32

import numpy as np
from numpy.typing import NDArray

from dnerv.bitstream.ans import Decoder, FastDecoder, FrequencyTable, Symbols, code_length_bits, encode_payload
from dnerv.bitstream.gaussian import SPREADS, fitted_spread, gaussian_table
from dnerv.bitstream.quantisation import (
    MAXIMUM_BITS,
    MINIMUM_BITS,
    Float16Array,
    Float32Array,
    QuantisedTensor,
    channel_count,
    check_bits,
    quantisation_axis,
    quantise,
)
from dnerv.bitstream.scales import ALPHABET, CENTRE, STREAMS, decode_scales, encode_scales
from dnerv.errors import ArchiveError

LAYOUT_VERSION = 2
LARGEST_NETWORK = 1 << 30  # weights
# A constant takes no bits and a peaked tensor next to none, so what a network declares is bounded by what is there.
FREE_WEIGHTS = 1 << 20
WEIGHTS_PER_BYTE = 1 << 10

_HEAD = struct.Struct("<BI")

Shapes = Mapping[str, tuple[int, ...]]


def pack_weights(tensors: Mapping[str, Float32Array], bits: int) -> bytes:
    """Quantise float32 tensors of any shapes to `bits` (2 to 8) a weight and code them as laid out above.

    ValueError as from `quantise`, naming the tensor, and for a network that says so little that no reader believes it.
    """
    check_bits(bits)
    quantised = [_quantise_named(name, values, bits) for name, values in tensors.items()]
    scales = encode_scales(quantised)
    spreads = [fitted_spread(np.bincount(stream, minlength=ALPHABET)[None], np.array([CENTRE])) for stream in scales]
    streams = [
        (stream, gaussian_table(ALPHABET, CENTRE, spread)) for stream, spread in zip(scales, spreads, strict=True)
    ]
    for tensor in quantised:
        spread = _fitted(tensor)
        spreads.append(spread)
        streams += [(rows, gaussian_table(2**bits, centre, spread)) for rows, centre in _coded_channels(tensor)]
    shapes = {name: values.shape for name, values in tensors.items()}
    packed = _HEAD.pack(LAYOUT_VERSION << 4 | bits, tensors_crc32(shapes)) + bytes(spreads) + encode_payload(streams)
    try:
        _check_size(packed, shapes)
    except ArchiveError as error:
        raise ValueError(str(error)) from None
    return packed


def unpack_weights(
    data: bytes, shapes: Shapes, *, allowance: float = 1.0, decoder: type[Decoder] = FastDecoder
) -> dict[str, Float32Array]:
    """Return the float32 tensors of a section, by name in the order of `shapes`.

    Args:
        allowance: factor on the limits, of a reader that trusts the data.
        decoder: `ans.PlainDecoder` is the definition, and slow.

    Raises:
        ArchiveError: the data is damaged, of another layout, packed for other names or shapes, or so short that it
            cannot be what the shapes say.
    """
    bits, spreads, payload = _read_head(data, shapes, allowance)
    coder = decoder(payload)
    _, scales = _decode_scales(coder, spreads, shapes)
    tensors = {}
    for (name, shape), spread, (minimum, step) in zip(shapes.items(), spreads[STREAMS:], scales, strict=True):
        axis = quantisation_axis(shape)
        by_channel = (1, *shape) if axis is None else (shape[axis], *shape[:axis], *shape[axis + 1 :])
        rows = np.zeros((by_channel[0], math.prod(by_channel[1:])), np.uint8)
        for channel, centre in enumerate(_centres(minimum, step, bits)):
            if step[channel] > 0:
                rows[channel] = coder.decode(rows.shape[1], gaussian_table(2**bits, centre, spread))
        symbols = rows.reshape(shape) if axis is None else np.moveaxis(rows.reshape(by_channel), 0, axis).copy("C")
        tensors[name] = QuantisedTensor(symbols, minimum, step, bits, axis).dequantise()
    coder.finish()
    return tensors


def describe_weights(data: bytes, shapes: Shapes, *, allowance: float = 1.0) -> dict[str, int]:
    """Return the bytes of: "header", "scales", "spreads" and "payload"; they sum to its length.

    Scales and symbols share one coder state, so the scales' part of it is their information content, rounded
    up.
    """
    _, spreads, payload = _read_head(data, shapes, allowance)
    streams, _ = _decode_scales(FastDecoder(payload), spreads, shapes)
    used = sum(
        code_length_bits(np.bincount(stream, minlength=ALPHABET), gaussian_table(ALPHABET, CENTRE, spread))
        for stream, spread in zip(streams, spreads, strict=False)
    )
    scales = min(len(payload), math.ceil(used / 8))
    return {"header": _HEAD.size, "scales": scales, "spreads": len(spreads), "payload": len(payload) - scales}


def tensors_crc32(shapes: Shapes) -> int:
    """Return the crc32 of a UTF-8 text with a line `name:2x3x4` and LF for each tensor, in order."""
    lines = (f"{name}:{'x'.join(str(extent) for extent in shape)}\n" for name, shape in shapes.items())
    return crc32("".join(lines).encode())


def _quantise_named(name: str, values: Float32Array, bits: int) -> QuantisedTensor:
    try:
        return quantise(values, bits, quantisation_axis(values.shape))
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _centres(minimum: Float16Array, step: Float16Array, bits: int) -> list[int]:
    """The symbol of zero in each channel, or the nearest there is; in float64, where the division is exact enough."""
    wide = np.where(step > 0, step, 1).astype(np.float64)
    nearest = np.rint(-minimum.astype(np.float64) / wide).clip(0, 2**bits - 1)
    return [int(symbol) for symbol in nearest]


def _coded_channels(tensor: QuantisedTensor) -> list[tuple[Symbols, int]]:
    """Symbols and centre of every channel that has a step."""
    rows = tensor.symbols[None] if tensor.axis is None else np.moveaxis(tensor.symbols, tensor.axis, 0)
    centres = _centres(tensor.minimum, tensor.step, tensor.bits)
    return [
        (row.reshape(-1).astype(np.int32), centre)
        for row, centre, step in zip(rows, centres, tensor.step, strict=True)
        if step > 0
    ]


def _fitted(tensor: QuantisedTensor) -> int:
    alphabet = 2**tensor.bits
    counts: NDArray[np.int64] = np.zeros((alphabet, alphabet), np.int64)  # by centre
    for symbols, centre in _coded_channels(tensor):
        counts[centre] += np.bincount(symbols, minlength=alphabet)
    centres = np.flatnonzero(counts.any(axis=1))
    return fitted_spread(counts[centres], centres)


def _decode_scales(
    coder: Decoder, spreads: bytes, shapes: Shapes
) -> tuple[list[Symbols], list[tuple[Float16Array, Float16Array]]]:
    axes = [quantisation_axis(shape) for shape in shapes.values()]
    channels = [channel_count(shape, axis) for shape, axis in zip(shapes.values(), axes, strict=True)]
    tables: list[FrequencyTable] = [gaussian_table(ALPHABET, CENTRE, spread) for spread in spreads[:STREAMS]]
    streams = [coder.decode(sum(channels), table) for table in tables]
    return streams, decode_scales(streams, channels, [axis is None for axis in axes])


def _read_head(data: bytes, shapes: Shapes, allowance: float) -> tuple[int, bytes, bytes]:
    """Check everything that can be before anything is allocated; return bits, spreads, payload."""
    start = _HEAD.size + STREAMS + len(shapes)
    if len(data) < _HEAD.size:
        raise ArchiveError(f"the weights are truncated: {len(data)} bytes")
    version_and_bits, stored_crc32 = _HEAD.unpack_from(data)
    version, bits = divmod(version_and_bits, 16)
    if version == 1:
        raise ArchiveError("the weights have layout 1, of dnerv 0.1: read the archive with dnerv 0.1, or encode again")
    if version != LAYOUT_VERSION or not MINIMUM_BITS <= bits <= MAXIMUM_BITS:
        raise ArchiveError(
            f"the weights have layout {version} with {bits} bits; this dnerv reads layout {LAYOUT_VERSION}, 2 to 8 bits"
        )
    if stored_crc32 != tensors_crc32(shapes):
        raise ArchiveError("the weights belong to another network: names or shapes of tensors differ")
    _check_size(data, shapes, allowance)
    spreads = data[_HEAD.size : start]
    if len(data) < start or max(spreads) >= SPREADS:
        raise ArchiveError("the weights are truncated or damaged: a spread is missing or out of range")
    return bits, spreads, data[start:]


def _check_size(data: bytes, shapes: Shapes, allowance: float = 1.0) -> None:
    count = sum(math.prod(shape) for shape in shapes.values())
    allowed = int(allowance * min(LARGEST_NETWORK, FREE_WEIGHTS + WEIGHTS_PER_BYTE * len(data)))
    if count > allowed:
        raise ArchiveError(f"the network has {count:,} weights; in {len(data):,} bytes it may have {allowed:,}")
