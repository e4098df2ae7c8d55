"""Ranges of 8-bit activations from samples of them."""

from __future__ import annotations

from collections.abc import Mapping

from torch import Tensor

Range = tuple[float, float]  # lowest and highest of 256 levels

_SHARES_OF_PEAK = (1.0, 0.9, 0.8, 0.7, 0.6, 0.5, 0.4, 0.3)


def ranges_of(samples: Mapping[str, Tensor]) -> dict[str, Range]:
    """By name: lowest and highest value of the 256 levels that answer the sample with the least squared error.

    Zero is always a level, so that padding stays exact.
    """
    return {name: _best_range(values.float()) for name, values in samples.items()}


def _best_range(values: Tensor) -> Range:
    low, high = min(float(values.min()), 0.0), max(float(values.max()), 1e-6)
    candidates = [_levels(low * share, high * share) for share in _SHARES_OF_PEAK]
    candidates += [_levels(low, high * share) for share in _SHARES_OF_PEAK[1:]]
    return min(candidates, key=lambda ends: _squared_error(values, *ends))


def _levels(low: float, high: float) -> Range:
    """The ends of 256 levels that reach at least from low to high, zero among them."""
    if -low > high / 8:  # signed: levels -128 to 127
        step = max(-low / 128, high / 127)
        return -128 * step, 127 * step
    step = (high - low) / 254
    below = -int(low / step - 0.5)
    return -below * step, (255 - below) * step


def _squared_error(values: Tensor, low: float, high: float) -> float:
    step = (high - low) / 255
    kept = ((values - low) / step).round().clamp(0, 255) * step + low
    return float((kept - values).square().mean())
