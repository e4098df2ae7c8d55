"""Quantisation: exactly 2**bits levels, the stated arithmetic, and its edges."""

from fractions import Fraction
from zlib import crc32

import numpy as np
import pytest

from dnerv.bitstream import quantisation_axis, quantise


def weights(shape: tuple[int, ...], seed: int = 0) -> np.ndarray:
    """Multiples of 2**-12, the same from every numpy: nothing but integers is drawn."""
    state = np.arange(1, int(np.prod(shape)) + 1, dtype=np.uint64) + np.uint64(seed * 7919)
    mixed = (state * np.uint64(6364136223846793005) >> np.uint64(33)) % np.uint64(8192)
    return ((mixed.astype(np.float32) - 4096) / 4096).reshape(shape)


@pytest.mark.parametrize("bits", range(2, 9))
def test_there_are_exactly_two_to_the_bits_levels(bits: int) -> None:
    tensor = quantise(np.linspace(-1, 1, 100_001, dtype=np.float32), bits)
    assert np.unique(tensor.symbols).tolist() == list(range(2**bits))
    assert np.unique(tensor.dequantise()).size == 2**bits


@pytest.mark.parametrize("bits", [2, 5, 8])
@pytest.mark.parametrize("shape", [(7,), (5, 3), (4, 6, 3, 3), (4, 6, 1, 3, 3), (1, 1), ()])
def test_no_value_is_off_by_more_than_half_a_step(bits: int, shape: tuple[int, ...]) -> None:
    values = weights(shape)
    axis = quantisation_axis(shape)
    tensor = quantise(values, bits, axis)
    assert tensor.symbols.shape == shape
    assert tensor.minimum.shape == tensor.step.shape == ((shape[1],) if axis == 1 else (1,))
    step = tensor.step.astype(np.float32)
    half = (step.reshape(-1, *[1] * (len(shape) - 2)) if axis == 1 else step[0]) / 2
    assert (np.abs(tensor.dequantise() - values) <= half + 2e-7).all()


def test_stated_arithmetic_holds_in_exact_fractions() -> None:
    values = weights((64, 3))
    tensor = quantise(values, 8, 1)
    for channel in range(3):
        column = [Fraction(float(value)) for value in values[:, channel]]
        minimum, step = Fraction(float(tensor.minimum[channel])), Fraction(float(tensor.step[channel]))
        above = Fraction(float(np.nextafter(tensor.minimum[channel], np.float16(np.inf))))
        below = Fraction(float(np.nextafter(tensor.step[channel], np.float16(0))))
        assert minimum <= min(column) < above
        assert below * 255 < max(column) - minimum <= step * 255 * (1 + Fraction(1, 2**22))
        for value, symbol in zip(column, tensor.symbols[:, channel].tolist(), strict=True):
            assert abs((value - minimum) / step - symbol) <= Fraction(1, 2) + Fraction(1, 2**14)


def test_a_fused_multiply_add_gives_the_same_value() -> None:
    tensor = quantise(weights((64, 9), seed=3), 8, 1)
    exact = tensor.minimum.astype(np.float64) + tensor.symbols * tensor.step.astype(np.float64)
    assert np.array_equal(exact.astype(np.float32), tensor.dequantise())


def test_channels_have_their_own_scales() -> None:
    values = np.stack([np.linspace(-1, 1, 50), np.linspace(10, 10.5, 50)], axis=1).astype(np.float32)
    tensor = quantise(values, 8, 1)
    assert tensor.step[1] < tensor.step[0] / 3
    assert quantise(values, 8, None).minimum.shape == (1,)


@pytest.mark.parametrize("value", [0.0, 1.0, -3.5, 0.1234567, -0.1234567, 1e-6, -1e-9, 65504.0])
def test_a_constant_comes_back_nearly_exactly(value: float) -> None:
    values = np.full((4, 2), value, np.float32)
    back = quantise(values, 8, 1).dequantise()
    assert np.abs(back - values).max() <= max(abs(value) * 2**-17, 2.0**-25)


def test_zeros_have_no_step_and_no_negative_zero() -> None:
    tensor = quantise(np.array([-0.0, 0.0], np.float32))
    assert tensor.step[0] == 0
    assert not tensor.symbols.any()
    assert tensor.minimum.tobytes() == b"\0\0"


def test_ranges_below_float16_have_the_smallest_step() -> None:
    values = np.array([0, 1e-9, 3e-8, 1e-40], np.float32)
    tensor = quantise(values)
    assert tensor.step[0] == np.float16(2.0**-24)
    assert np.abs(tensor.dequantise() - values).max() <= 2.0**-25


@pytest.mark.parametrize(("shape", "axis", "channels"), [((0,), None, 1), ((0, 3), 1, 3), ((3, 0), 1, 0)])
def test_empty_tensors(shape: tuple[int, ...], axis: int | None, channels: int) -> None:
    tensor = quantise(np.zeros(shape, np.float32), 8, axis)
    assert tensor.minimum.shape == (channels,)
    assert tensor.dequantise().shape == shape


@pytest.mark.parametrize("bad", [np.nan, np.inf, -np.inf])
def test_what_is_not_finite_is_refused(bad: float) -> None:
    with pytest.raises(ValueError, match="NaN or infinity"):
        quantise(np.array([0, bad], np.float32))


@pytest.mark.parametrize("values", [[-70000, 0], [-65510, 0], [0, 3e38], [-3e38, 3e38]])
def test_what_float16_cannot_scale_is_refused(values: list[float]) -> None:
    with pytest.raises(ValueError, match="float16"):
        quantise(np.array(values, np.float32))


def test_other_misuse_is_refused() -> None:
    with pytest.raises(ValueError, match="float32"):
        quantise(np.zeros(3))  # type: ignore[arg-type]
    with pytest.raises(ValueError, match="from 2 to 8"):
        quantise(np.zeros(3, np.float32), 9)
    with pytest.raises(ValueError, match="axis 1"):
        quantise(np.zeros(3, np.float32), 8, 1)


def test_golden() -> None:
    tensor = quantise(weights((16, 8, 3, 3)), 8, 1)
    parts = (tensor.symbols, tensor.minimum.astype("<f2"), tensor.step.astype("<f2"), tensor.dequantise())
    assert [crc32(part.tobytes()) for part in parts] == GOLDEN


GOLDEN = [3028294886, 3313336385, 3420775186, 2236293385]
