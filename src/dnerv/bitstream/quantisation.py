"""Uniform min/max quantisation with exactly `2**bits` levels (paper, section 4.1; NeRV, section 3.3).

    values float32 --(per channel: float16 minimum, float16 step)--> symbols uint8 in [0, 2**bits - 1]
    symbols        --(minimum + symbol * step, in float32)---------> values float32

Each input channel (axis 1) of a tensor with two or more dimensions has its own minimum and step; a 1-D tensor
has one pair. Both are rounded to float16 *before* the symbols are computed, so what is stored is what was
used.

The exact arithmetic, for whoever repeats it elsewhere (fake quantisation while training). Every operation is
float32, rounded to nearest even, and one at a time:

    minimum = the largest float16 <= min(values)                     (rounded towards minus infinity)
    span    = max(values) - float32(minimum)
    step    = the smallest float16 >= span / float32(2**bits - 1)    (rounded up; 0 only where span is 0)
    symbol  = clip(rint((values - float32(minimum)) / float32(step)), 0, 2**bits - 1), 0 where step is 0
    value   = float32(minimum) + float32(symbol) * float32(step)

`float32(symbol) * float32(step)` is exact (8 + 11 significant bits), hence a fused multiply-add gives the
same value. Rounding the minimum down and the step up keeps min(values) and max(values) inside the grid: no
value is off by more than half a step and a rounding of float32. A constant channel that float16 cannot hold
is approached by the last symbol to one part in `2**bits` of a float16 rounding.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

MINIMUM_BITS = 2
MAXIMUM_BITS = 8

Float16Array = NDArray[np.float16]
Float32Array = NDArray[np.float32]
UInt8Array = NDArray[np.uint8]


@dataclass(frozen=True)
class QuantisedTensor:
    """One quantised tensor: everything that is needed to get its float32 values back."""

    symbols: UInt8Array  # the tensor's shape, values in [0, 2**bits - 1]
    minimum: Float16Array  # [channels], the value of symbol 0
    step: Float16Array  # [channels], >= 0, the distance between neighbouring levels
    bits: int  # 2 to 8
    axis: int | None  # the axis that channels run along; None: the whole tensor is one channel

    def dequantise(self) -> Float32Array:
        """Return the float32 values, in the tensor's shape."""
        minimum = _along_axis(self.minimum.astype(np.float32), self.symbols.ndim, self.axis)
        step = _along_axis(self.step.astype(np.float32), self.symbols.ndim, self.axis)
        values = self.symbols.astype(np.float32)
        values *= step  # in place: fresh memory costs more than the arithmetic
        values += minimum
        return values


def quantisation_axis(shape: tuple[int, ...]) -> int | None:
    """Return the axis that has its own scales: 1 (input channels) from two dimensions up, else None."""
    return 1 if len(shape) >= 2 else None


def channel_count(shape: tuple[int, ...], axis: int | None) -> int:
    """Return how many (minimum, step) pairs a tensor of this shape has."""
    return 1 if axis is None else shape[axis]


def quantise(values: Float32Array, bits: int = 8, axis: int | None = None) -> QuantisedTensor:
    """Quantise a float32 tensor of any shape, per channel of `axis` or (None) as a whole.

    Raises ValueError for another dtype, for bits outside 2 to 8, for an axis that the tensor has not, for NaN
    or infinity, and for values whose minimum or step lies outside float16 (beyond +-65504).
    """
    check_bits(bits)
    if values.dtype != np.float32:
        raise ValueError(f"values must be float32, not {values.dtype}")
    if axis is not None and not 0 <= axis < values.ndim:
        raise ValueError(f"axis {axis} is not an axis of a tensor of shape {values.shape}")
    if not np.isfinite(values).all():
        raise ValueError("values must be finite; found NaN or infinity: the training has diverged")
    minimum, step = _scales(values, bits, axis)
    offset = _along_axis(minimum.astype(np.float32), values.ndim, axis)
    width = _along_axis(step.astype(np.float32), values.ndim, axis)
    divisor = np.where(width > 0, width, np.float32(1))
    levels = np.rint((values - offset) / divisor).clip(0, 2**bits - 1)
    symbols = np.where(width > 0, levels, np.float32(0)).astype(np.uint8)
    return QuantisedTensor(symbols, minimum, step, bits, axis)


def check_bits(bits: int) -> None:
    """Raise ValueError unless `bits` is an integer from 2 to 8."""
    if bits not in range(MINIMUM_BITS, MAXIMUM_BITS + 1):
        raise ValueError(f"bits must be an integer from {MINIMUM_BITS} to {MAXIMUM_BITS}, not {bits}")


def _scales(values: Float32Array, bits: int, axis: int | None) -> tuple[Float16Array, Float16Array]:
    channels = channel_count(values.shape, axis)
    if values.size == 0:
        return np.zeros(channels, np.float16), np.zeros(channels, np.float16)
    rows = values.reshape(1, -1) if axis is None else np.moveaxis(values, axis, 0).reshape(channels, -1)
    with np.errstate(over="ignore"):  # beyond float16 is reported below, in words
        minimum = _float16_towards(rows.min(axis=1), -np.inf)
        span = rows.max(axis=1) - minimum.astype(np.float32)
        step = _float16_towards(span / np.float32(2**bits - 1), np.inf)
    if not (np.isfinite(minimum).all() and np.isfinite(step).all()):
        raise ValueError(
            f"values from {values.min():g} to {values.max():g} do not fit scales in float16, at most 65504"
        )
    return minimum, step


def _float16_towards(values: Float32Array, direction: float) -> Float16Array:
    """Round float32 to float16 towards minus or plus infinity."""
    nearest = values.astype(np.float16)
    back = nearest.astype(np.float32)
    wrong = back > values if direction < 0 else back < values
    rounded: Float16Array = np.where(wrong, np.nextafter(nearest, np.float16(direction)), nearest)
    return rounded + np.float16(0)  # no negative zero: which of two zeros is the least differs between machines


def _along_axis(per_channel: Float32Array, ndim: int, axis: int | None) -> Float32Array:
    """Reshape [channels] so that it broadcasts against a tensor of `ndim` dimensions."""
    shape = [1] * ndim
    if axis is not None:
        shape[axis] = -1
    return per_channel.reshape(shape)
