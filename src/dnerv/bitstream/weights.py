"""A network's weights as one section of bytes.

    offset  size               field
    0       1                  layout version (high four bits, 1) and bits per symbol (low four bits, 2 to 8)
    1       4                  crc32 of names and shapes, u32 little-endian: see `tensors_crc32`
    5       ceil(tensors / 8)  one bit a tensor, from bit 0 of the first byte: 1 if it has one scale for the
                               whole tensor, 0 if one for each input channel (axis 1); unused bits are 0
    ...     to the end         entropy-coded streams (`entropy.py`): 4 of scales (`scales.py`), alphabet 256;
                               then each tensor's symbols in C order, alphabet 2**bits

Names, shapes and their order are not stored: they follow from the model's configuration, and the crc32 tells
whether it is the right one. Damage is the container's to find, which has a checksum over the section.
"""

import math
import struct
from collections.abc import Collection, Mapping
from zlib import crc32

import numpy as np

from dnerv.bitstream.entropy import decode_streams, describe_streams, encode_streams
from dnerv.bitstream.quantisation import (
    MAXIMUM_BITS,
    MINIMUM_BITS,
    Float32Array,
    QuantisedTensor,
    channel_count,
    check_bits,
    quantisation_axis,
    quantise,
)
from dnerv.bitstream.scales import STREAMS, decode_scales, encode_scales
from dnerv.errors import ArchiveError

LAYOUT_VERSION = 1
MAXIMUM_VALUES = 1 << 30  # in one section; a constant takes no bits, so the data itself sets no bound

_HEAD = struct.Struct("<BI")

Shapes = Mapping[str, tuple[int, ...]]


def pack_weights(tensors: Mapping[str, Float32Array], bits: int, *, whole: Collection[str] = ()) -> bytes:
    """Quantise float32 tensors of any shapes to `bits` (2 to 8) a weight and code them as laid out above.

    `whole` names tensors of two or more dimensions that get one scale instead of one an input channel: where
    a channel has few weights, its scale (about 3 bytes) costs more than it saves. ValueError as from
    `quantise`, naming the tensor.
    """
    check_bits(bits)
    if unknown := set(whole) - set(tensors):
        raise ValueError(f"no such tensors: {', '.join(sorted(unknown))}")
    quantised = [_quantise_named(name, values, bits, name in whole) for name, values in tensors.items()]
    shapes = {name: values.shape for name, values in tensors.items()}
    head = _HEAD.pack(LAYOUT_VERSION << 4 | bits, tensors_crc32(shapes))
    flags = np.packbits(np.array([t.axis is None for t in quantised], bool), bitorder="little").tobytes()
    scales = [(stream, 256) for stream in encode_scales(quantised)]
    symbols = [(tensor.symbols.reshape(-1), 2**bits) for tensor in quantised]
    return head + flags + encode_streams([*scales, *symbols])


def unpack_weights(data: bytes, shapes: Shapes) -> dict[str, Float32Array]:
    """Return the float32 tensors of a section, by name in the order of `shapes`.

    ArchiveError where the data is damaged, of another layout, or packed for other names or shapes.
    """
    bits, axes, coded = _read_head(data, shapes)
    channels = [channel_count(shape, axis) for shape, axis in zip(shapes.values(), axes, strict=True)]
    streams = decode_streams(coded, _streams(shapes, sum(channels), bits))
    scales = decode_scales(streams[:STREAMS], channels, [axis is None for axis in axes])
    tensors = {}
    for (name, shape), axis, (minimum, step), symbols in zip(
        shapes.items(), axes, scales, streams[STREAMS:], strict=True
    ):
        tensors[name] = QuantisedTensor(symbols.reshape(shape), minimum, step, bits, axis).dequantise()
    return tensors


def describe_weights(data: bytes, shapes: Shapes) -> dict[str, int]:
    """Return the bytes of: "header", "scales", "tables" and "payload"; they sum to its length.

    Scales and symbols share one coder state, so the scales' part of it is their information content, rounded
    up.
    """
    bits, axes, coded = _read_head(data, shapes)
    channels = sum(channel_count(shape, axis) for shape, axis in zip(shapes.values(), axes, strict=True))
    streams = describe_streams(coded, _streams(shapes, channels, bits))
    scale_payload = math.ceil(sum(stream.payload_bits for stream in streams[:STREAMS]) / 8)
    scales = sum(stream.model_bytes for stream in streams[:STREAMS]) + scale_payload
    tables = sum(stream.model_bytes for stream in streams[STREAMS:])
    header = len(data) - len(coded)
    return {"header": header, "scales": scales, "tables": tables, "payload": len(coded) - scales - tables}


def tensors_crc32(shapes: Shapes) -> int:
    """Return the crc32 of a UTF-8 text with a line `name:2x3x4` and LF for each tensor, in order."""
    lines = (f"{name}:{'x'.join(str(extent) for extent in shape)}\n" for name, shape in shapes.items())
    return crc32("".join(lines).encode())


def _quantise_named(name: str, values: Float32Array, bits: int, is_whole: bool) -> QuantisedTensor:
    axis = None if is_whole else quantisation_axis(values.shape)
    try:
        return quantise(values, bits, axis)
    except ValueError as error:
        raise ValueError(f"{name}: {error}") from error


def _read_head(data: bytes, shapes: Shapes) -> tuple[int, list[int | None], bytes]:
    """Check the fixed fields; return bits, each tensor's axis, and the entropy-coded rest."""
    start = _HEAD.size + -(-len(shapes) // 8)
    if len(data) < start:
        raise ArchiveError(f"the weights are truncated: {len(data)} bytes, of which the header takes {start}")
    version_and_bits, stored_crc32 = _HEAD.unpack_from(data)
    version, bits = divmod(version_and_bits, 16)
    if version != LAYOUT_VERSION or not MINIMUM_BITS <= bits <= MAXIMUM_BITS:
        raise ArchiveError(
            f"the weights have layout {version} with {bits} bits; this dnerv reads layout 1, 2 to 8 bits"
        )
    if stored_crc32 != tensors_crc32(shapes):
        raise ArchiveError("the weights belong to another network: names or shapes of tensors differ")
    if sum(math.prod(shape) for shape in shapes.values()) > MAXIMUM_VALUES:
        raise ArchiveError(f"the network has more than {MAXIMUM_VALUES} weights")
    flags = np.unpackbits(np.frombuffer(data[_HEAD.size : start], np.uint8), bitorder="little").tolist()
    if any(flags[len(shapes) :]) or any(
        not whole and len(shape) < 2 for whole, shape in zip(flags, shapes.values(), strict=False)
    ):
        raise ArchiveError("the weights are damaged: a tensor without channels is marked as having them")
    return bits, [None if whole else 1 for whole in flags[: len(shapes)]], data[start:]


def _streams(shapes: Shapes, channels: int, bits: int) -> list[tuple[int, int]]:
    symbols = [(math.prod(shape), 2**bits) for shape in shapes.values()]
    return [(channels, 256)] * STREAMS + symbols
