"""The entropy coder: asymmetric numeral systems (ANS) over integer frequency tables that sum to 2**24.

A payload holds any number of symbol streams under one coder state, so a file pays for one state and not for
one a tensor. Coding is constriction's `AnsCoder`. A table of frequencies `f` (each >= 1, sum 2**24) reaches
it as the float array `f - 1`: it gives every symbol one count and spreads the other 2**24 - n in proportion,
here by a factor of exactly 1.0, so the table is used as it stands and no rounding takes part.

`decode_streams_plainly` says the same in a dozen lines of Python integers. It is the definition;
docs/format.md spells it out.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import ArchiveError

PRECISION_BITS = 24
TOTAL = 1 << PRECISION_BITS  # what the frequencies of one table sum to

UInt8Array = NDArray[np.uint8]
FrequencyTable = NDArray[np.uint32]  # [alphabet], sum TOTAL; each >= 1, or one symbol has it all

_LOW_STATE = 1 << 32  # below this the decoder takes one more word
# The encoder's state before the first symbol, hence the decoder's after the last. Data that ends too early
# decays to a small state that decodes to itself for ever; this one is large enough not to be met by chance
# and small enough to be free: the first symbol raises the state to 2**24 anyway.
_FIRST_STATE = 0xFFFF
_NOT_AT_ITS_END = "the entropy-coded payload is damaged: it does not end with its last symbol"


def encode_streams_payload(streams: Sequence[tuple[UInt8Array, FrequencyTable]]) -> bytes:
    """Code streams of uint8 symbols, each under its table, so that they decode in the order given.

    Every symbol must have a non-zero frequency; else ValueError. b"" if nothing needs a bit.
    """
    import constriction  # here: the training rooms run on machines without it

    coder = constriction.stream.stack.AnsCoder(np.array([_FIRST_STATE], np.uint32))
    for symbols, table in reversed(streams):
        if not table[symbols].all():
            raise ValueError("a symbol has no frequency in its table")
        if takes_bits(symbols.size, table):
            coder.encode_reverse(symbols.astype(np.int32), _categorical(constriction, table))
    if not any(takes_bits(symbols.size, table) for symbols, table in streams):
        return b""
    words: NDArray[np.uint32] = coder.get_compressed()
    return words.astype("<u4").tobytes().rstrip(b"\0")


def decode_streams_payload(data: bytes, streams: Sequence[tuple[int, FrequencyTable]]) -> list[UInt8Array]:
    """Decode (count, table) streams from the whole of `data`; else ArchiveError."""
    import constriction

    coder = constriction.stream.stack.AnsCoder(_words(data, streams))
    decoded: list[UInt8Array] = []
    for count, table in streams:
        if takes_bits(count, table):
            decoded.append(coder.decode(_categorical(constriction, table), count).astype(np.uint8))
        else:
            decoded.append(np.full(count, int(table.argmax()), np.uint8))
    if coder.num_words() != 1 or coder.get_compressed()[0] != _FIRST_STATE:
        raise ArchiveError(_NOT_AT_ITS_END)
    return decoded


def decode_streams_plainly(data: bytes, streams: Sequence[tuple[int, FrequencyTable]]) -> list[UInt8Array]:
    """Do what `decode_streams_payload` does, slowly and in integers: the definition of the decoder."""
    words = [int(word) for word in _words(data, streams)]
    state = words.pop()
    if words:
        state = state << 32 | words.pop()
    decoded: list[UInt8Array] = []
    for count, table in streams:
        starts = [0, *np.cumsum(table.astype(np.int64)).tolist()]
        symbols = np.full(count, int(table.argmax()), np.uint8)
        for index in range(count if takes_bits(count, table) else 0):
            position = state % TOTAL
            symbol = bisect_right(starts, position) - 1
            state = (state >> PRECISION_BITS) * int(table[symbol]) + position - starts[symbol]
            if state < _LOW_STATE and words:
                state = state << 32 | words.pop()
            symbols[index] = symbol
        decoded.append(symbols)
    if state != _FIRST_STATE or words:
        raise ArchiveError(_NOT_AT_ITS_END)
    return decoded


def takes_bits(count: int, table: FrequencyTable) -> bool:
    """Tell whether `count` symbols take bits: not if there are none, nor if one symbol has it all."""
    return count > 0 and int(table.max()) < TOTAL


def code_length_bits(counts: NDArray[np.int64], table: FrequencyTable) -> float:
    """Return the bits that `counts` [alphabet] of each symbol take under a table."""
    used = counts > 0
    with np.errstate(divide="ignore"):
        bits = PRECISION_BITS - np.log2(table[used].astype(np.float64))
    return float((counts[used] * bits).sum())


def _words(data: bytes, streams: Sequence[tuple[int, FrequencyTable]]) -> NDArray[np.uint32]:
    """Return the payload as 32-bit words; the last word's zero high bytes are not stored."""
    if not any(takes_bits(count, table) for count, table in streams):
        if data:
            raise ArchiveError(_NOT_AT_ITS_END)
        return np.array([_FIRST_STATE], np.uint32)
    if not data or data.endswith(b"\0"):
        raise ArchiveError("the entropy-coded payload is damaged: it is empty or ends with a zero byte")
    padded = data + bytes(-len(data) % 4)
    return np.frombuffer(padded, "<u4").astype(np.uint32)


def _categorical(constriction: Any, table: FrequencyTable) -> Any:
    weights = table.astype(np.float32) - np.float32(1)  # integers below 2**24: exact in float32
    return constriction.stream.model.Categorical(weights, perfect=False)
