"""The entropy coder: asymmetric numeral systems (ANS) over integer frequency tables that sum to 2**24.

A payload holds any number of streams of symbols under one coder state, so a file pays for one state and not for one a
tensor. Coding is constriction's `AnsCoder`. A table of frequencies `f` (each >= 1, sum 2**24) reaches it as the float
array `f - 1`: it gives every symbol one count and spreads the other 2**24 - n in proportion, here by a factor of
exactly 1.0, so the table is used as it stands and no rounding takes part.

`PlainDecoder` says the same in a dozen lines of Python integers. It is the definition; docs/format.md spells it out.
"""

from bisect import bisect_right
from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import ArchiveError

PRECISION_BITS = 24
TOTAL = 1 << PRECISION_BITS  # what the frequencies of one table sum to

Symbols = NDArray[np.int32]  # [count], in [0, alphabet - 1]
FrequencyTable = NDArray[np.uint32]  # [alphabet], each >= 1, sum TOTAL

_LOW_STATE = 1 << 32  # below this the decoder takes one more word
# The encoder's state before the first symbol, hence the decoder's after the last. Data that ends too early
# decays to a small state that decodes to itself for ever; this one is large enough not to be met by chance
# and small enough to be free: the first symbol raises the state to 2**24 anyway.
_FIRST_STATE = 0xFFFF


class Decoder(Protocol):
    """Takes streams out of a payload, in the order in which they were coded."""

    def __init__(self, data: bytes) -> None:
        """Begin; `data` is the whole payload. ArchiveError where it can be none."""

    def decode(self, count: int, table: FrequencyTable) -> Symbols:
        """The next `count` symbols, coded under `table`."""

    def finish(self) -> None:
        """Raise ArchiveError unless the payload ends with the last symbol."""


def encode_payload(streams: Sequence[tuple[Symbols, FrequencyTable]]) -> bytes:
    """Code streams of symbols, each under its table, so that they decode in the order given; b"" for no symbols."""
    import constriction  # here: the training rooms run on machines without it

    if not any(symbols.size for symbols, _ in streams):
        return b""
    coder = constriction.stream.stack.AnsCoder(np.array([_FIRST_STATE], np.uint32))
    for symbols, table in reversed(streams):
        if symbols.size:
            coder.encode_reverse(symbols.astype(np.int32), _categorical(constriction, table))
    words: NDArray[np.uint32] = coder.get_compressed()
    return words.astype("<u4").tobytes().rstrip(b"\0")


class FastDecoder:
    """constriction's coder."""

    def __init__(self, data: bytes) -> None:
        """As `Decoder` says."""
        import constriction

        self._library = constriction
        self._coder = constriction.stream.stack.AnsCoder(_words(data))

    def decode(self, count: int, table: FrequencyTable) -> Symbols:
        """As `Decoder` says."""
        if count == 0:
            return np.zeros(0, np.int32)
        symbols: Symbols = self._coder.decode(_categorical(self._library, table), count)
        return symbols

    def finish(self) -> None:
        """As `Decoder` says."""
        _check_end(self._coder.num_words() == 1 and int(self._coder.get_compressed()[0]) == _FIRST_STATE)


class PlainDecoder:
    """The definition, in integers."""

    def __init__(self, data: bytes) -> None:
        """As `Decoder` says."""
        self._words = [int(word) for word in _words(data)]
        self._state = self._words.pop()
        if self._words:
            self._state = self._state << 32 | self._words.pop()

    def decode(self, count: int, table: FrequencyTable) -> Symbols:
        """As `Decoder` says."""
        starts = [0, *np.cumsum(table.astype(np.int64)).tolist()]
        symbols = np.zeros(count, np.int32)
        for index in range(count):
            position = self._state % TOTAL
            symbol = bisect_right(starts, position) - 1
            self._state = (self._state >> PRECISION_BITS) * int(table[symbol]) + position - starts[symbol]
            if self._state < _LOW_STATE and self._words:
                self._state = self._state << 32 | self._words.pop()
            symbols[index] = symbol
        return symbols

    def finish(self) -> None:
        """As `Decoder` says."""
        _check_end(self._state == _FIRST_STATE and not self._words)


def code_length_bits(counts: NDArray[np.int64], table: FrequencyTable) -> float:
    """Return the bits that `counts` [alphabet] of each symbol take under a table."""
    used = counts > 0
    return float((counts[used] * (PRECISION_BITS - np.log2(table[used].astype(np.float64)))).sum())


def _check_end(is_at_end: bool) -> None:
    if not is_at_end:
        raise ArchiveError("the entropy-coded payload is damaged: it does not end with its last symbol")


def _words(data: bytes) -> NDArray[np.uint32]:
    """Return the payload as 32-bit words; the last word's zero high bytes are not stored."""
    if not data:
        return np.array([_FIRST_STATE], np.uint32)
    if data.endswith(b"\0") or data == _FIRST_STATE.to_bytes(2, "little"):
        raise ArchiveError("the entropy-coded payload is damaged: it ends with a zero byte, or holds nothing")
    return np.frombuffer(data + bytes(-len(data) % 4), "<u4").astype(np.uint32)


def _categorical(constriction: Any, table: FrequencyTable) -> Any:
    weights = table.astype(np.float32) - np.float32(1)  # integers below 2**24: exact in float32
    return constriction.stream.model.Categorical(weights, perfect=False)
