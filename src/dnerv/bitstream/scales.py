"""Minimum and step of every channel of every tensor, as two streams of small integers.

Channels of one tensor have similar ranges, and a minimum is about -127 steps. So each float16, taken as a
16-bit integer, is replaced by its difference from the mean of those before it:

    step code    u = bits(step)                                   bits(): the float16's 16 bits as an integer
    offset code  o = (bits(minimum) xor 0x8000) - u               modulo 2**16
    prediction   floor(mean of the codes of the tensor's channels so far); for the first channel, the one that
                 would have come next in the nearest earlier tensor of the same sort (with channels, or as a
                 whole), 0 if there is none; a tensor with zero channels counts as absent
    residual     r = code - prediction, modulo 2**16 into [-32768, 32767]; its symbol is r + 32768

The streams are the steps' residuals and the offsets'.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray

from dnerv.bitstream.ans import Symbols
from dnerv.bitstream.quantisation import Float16Array, QuantisedTensor
from dnerv.errors import ArchiveError

STREAMS = 2  # each as long as there are channels in all tensors
ALPHABET = 1 << 16
CENTRE = 1 << 15  # the symbol of a residual of 0

UInt16Array = NDArray[np.uint16]


def encode_scales(tensors: Sequence[QuantisedTensor]) -> list[Symbols]:
    """Return the two streams, int32 [channels of all tensors] each."""
    is_whole = [tensor.axis is None for tensor in tensors]
    steps = [tensor.step.view(np.uint16) for tensor in tensors]
    minima = [tensor.minimum.view(np.uint16) ^ np.uint16(0x8000) for tensor in tensors]
    offsets: list[UInt16Array] = [minimum - step for minimum, step in zip(minima, steps, strict=True)]
    return [_encode_codes(steps, is_whole), _encode_codes(offsets, is_whole)]


def decode_scales(
    streams: Sequence[Symbols], channels: Sequence[int], is_whole: Sequence[bool]
) -> list[tuple[Float16Array, Float16Array]]:
    """Return (minimum, step), float16 [channels] each, of every tensor; ArchiveError if one cannot be."""
    steps, offsets = (_decode_codes(stream, channels, is_whole) for stream in streams)
    scales = []
    for step_code, offset_code in zip(steps, offsets, strict=True):
        minimum = ((offset_code + step_code) ^ 0x8000).view(np.float16)
        step = step_code.view(np.float16)
        if np.signbit(step).any() or not (np.isfinite(step).all() and np.isfinite(minimum).all()):
            raise ArchiveError("the weights are damaged: a scale is negative or not finite")
        scales.append((minimum, step))
    return scales


def _encode_codes(codes: Sequence[UInt16Array], is_whole: Sequence[bool]) -> Symbols:
    residuals = [np.zeros(0, np.int64)]
    carried = {True: 0, False: 0}
    for code, whole in zip(codes, is_whole, strict=True):
        if code.size:
            sums = np.cumsum(code, dtype=np.int64)
            means = sums // np.arange(1, code.size + 1)
            residuals.append(code.astype(np.int64) - np.concatenate([[carried[whole]], means[:-1]]))
            carried[whole] = int(means[-1])
    return ((np.concatenate(residuals) + CENTRE) % ALPHABET).astype(np.int32)


def _decode_codes(symbols: Symbols, channels: Sequence[int], is_whole: Sequence[bool]) -> list[UInt16Array]:
    residuals = (symbols.astype(np.int64) - CENTRE).tolist()
    carried = {True: 0, False: 0}
    codes, position = [], 0
    for count, whole in zip(channels, is_whole, strict=True):
        code, total, prediction = [], 0, carried[whole]
        for index in range(count):
            code.append((residuals[position + index] + prediction) % ALPHABET)
            total += code[-1]
            prediction = total // (index + 1)
        carried[whole] = prediction
        position += count
        codes.append(np.array(code, np.uint16))
    return codes
