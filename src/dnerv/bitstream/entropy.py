"""Symbols to bytes and back: a frequency model for each stream, all streams under one coder state.

    streams (symbols uint8, alphabet) -> [ models, one after another | ANS payload, to the end ]

A stream without symbols has no model and takes nothing. How many streams there are, their counts and their
alphabets are known to whoever decodes; models say the rest. `encode_symbols` is the same for a single stream.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from dnerv.bitstream import frequency_models as kinds
from dnerv.bitstream.ans import (
    FrequencyTable,
    UInt8Array,
    code_length_bits,
    decode_streams_payload,
    encode_streams_payload,
)
from dnerv.bitstream.frequency_models import Bell, Constant, Uniform
from dnerv.bitstream.histogram import decode_histogram
from dnerv.bitstream.model_choice import Model, choose_model
from dnerv.errors import ArchiveError


@dataclass(frozen=True)
class CodedStream:
    """How one stream was coded, for reports."""

    count: int  # symbols
    model: Model | None  # None: the stream is empty
    model_bytes: int
    payload_bits: float  # the information content of its symbols under the model


def encode_symbols(symbols: UInt8Array, alphabet: int) -> bytes:
    """Code symbols [count] in [0, alphabet - 1], alphabet 1 to 256; b"" for none. Else ValueError."""
    return encode_streams([(symbols, alphabet)])


def decode_symbols(data: bytes, count: int, alphabet: int) -> UInt8Array:
    """Decode the `count` symbols that `encode_symbols` coded; ArchiveError for damaged data."""
    return decode_streams(data, [(count, alphabet)])[0]


def encode_streams(streams: Sequence[tuple[UInt8Array, int]]) -> bytes:
    """Code (symbols [count], alphabet) streams, in order, as one string of bytes."""
    head = bytearray()
    payload: list[tuple[UInt8Array, FrequencyTable]] = []
    recent: list[tuple[Model, int]] = []
    for symbols, alphabet in streams:
        _check_stream(symbols, alphabet)
        if symbols.size == 0:
            continue
        model, model_bytes = choose_model(np.bincount(symbols, minlength=alphabet), recent)
        head += model_bytes
        payload.append((symbols, model.table(alphabet)))
        recent.append((model, alphabet))
    return bytes(head) + encode_streams_payload(payload)


def decode_streams(data: bytes, streams: Sequence[tuple[int, int]]) -> list[UInt8Array]:
    """Decode what `encode_streams` coded; `streams` are (count, alphabet). ArchiveError for damaged data.

    Nothing in the data bounds a count (a constant takes no bits): whoever takes counts from a file bounds
    them.
    """
    models, ends = _decode_models(data, streams)
    payload = data[ends[-1] :] if ends else data
    return decode_streams_payload(payload, _with_tables(models, streams))


def describe_streams(data: bytes, streams: Sequence[tuple[int, int]]) -> list[CodedStream]:
    """Tell how each of the (count, alphabet) streams in `data` is coded; decodes them all."""
    models, ends = _decode_models(data, streams)
    sizes = np.diff(ends, prepend=0).tolist()
    described = []
    for symbols, model, size, (count, table) in zip(
        decode_streams(data, streams), models, sizes, _with_tables(models, streams), strict=True
    ):
        counts = np.bincount(symbols, minlength=table.size)
        described.append(CodedStream(count, model, size, code_length_bits(counts, table)))
    return described


def _check_stream(symbols: UInt8Array, alphabet: int) -> None:
    if symbols.dtype != np.uint8 or symbols.ndim != 1:
        raise ValueError(f"symbols must be one-dimensional uint8, not {symbols.dtype} of shape {symbols.shape}")
    if not 1 <= alphabet <= 256:
        raise ValueError(f"alphabet must be from 1 to 256, not {alphabet}")
    if symbols.size and int(symbols.max()) >= alphabet:
        raise ValueError(f"symbols must lie in [0, {alphabet - 1}]; found {int(symbols.max())}")


def _with_tables(
    models: Sequence[Model | None], streams: Sequence[tuple[int, int]]
) -> list[tuple[int, FrequencyTable]]:
    return [
        (count, (model or Uniform()).table(alphabet)) for model, (count, alphabet) in zip(models, streams, strict=True)
    ]


def _decode_models(data: bytes, streams: Sequence[tuple[int, int]]) -> tuple[list[Model | None], list[int]]:
    """Return each stream's model and the offset where its bytes end."""
    models: list[Model | None] = []
    ends: list[int] = []
    recent: list[tuple[Model, int]] = []
    offset = 0
    for count, alphabet in streams:
        model = None
        if count > 0:
            model, offset = _decode_model(data, offset, alphabet, recent)
            recent.append((model, alphabet))
        models.append(model)
        ends.append(offset)
    return models, ends


def _decode_model(data: bytes, offset: int, alphabet: int, recent: Sequence[tuple[Model, int]]) -> tuple[Model, int]:
    if offset >= len(data):
        raise ArchiveError("the entropy-coded data is truncated: a model is missing")
    kind, offset = data[offset], offset + 1
    if kind == kinds.UNIFORM:
        return Uniform(), offset
    if kind == kinds.HISTOGRAM:
        return decode_histogram(data, offset, alphabet)
    if kinds.REPEAT <= kind < kinds.REPEAT + kinds.REPEAT_REACH:
        return _repeated(kind - kinds.REPEAT + 1, alphabet, recent), offset
    size = 1 if kind == kinds.CONSTANT else 2 if kind >= kinds.GAUSSIAN else 0
    parameters = data[offset : offset + size]
    if len(parameters) < size:
        raise ArchiveError("the entropy-coded data is truncated: a model ends early")
    if kind == kinds.CONSTANT and parameters[0] < alphabet:
        return Constant(parameters[0]), offset + size
    if kind >= kinds.CENTRED_GAUSSIAN:
        return Bell(kind & ~(kinds.SCALES - 1), kind % kinds.SCALES, *parameters), offset + size
    raise ArchiveError(f"the entropy-coded data is damaged: {kind} is no model for {alphabet} symbols")


def _repeated(back: int, alphabet: int, recent: Sequence[tuple[Model, int]]) -> Model:
    if back > len(recent) or recent[-back][1] != alphabet:
        raise ArchiveError("the entropy-coded data is damaged: it repeats a model that is not there")
    return recent[-back][0]
