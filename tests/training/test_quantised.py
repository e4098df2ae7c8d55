"""The quantiser of training is the bitstream's, bit for bit."""

import pytest
import torch
from torch import nn

from dnerv.bitstream import quantisation_axis, quantise
from dnerv.training.quantised import quantise_like_archive, straight_through

SHAPES = [(1,), (7,), (5, 1), (12, 4), (6, 3, 3, 3), (1, 8, 1, 1), (8, 1, 2, 2), (4, 5, 1, 3, 3)]


@pytest.mark.parametrize("bits", [4, 5, 6, 7, 8])
@pytest.mark.parametrize("shape", SHAPES)
def test_same_bits_as_the_bitstream(bits: int, shape: tuple[int, ...]) -> None:
    generator = torch.Generator().manual_seed(bits)
    for scale in (1e-4, 0.03, 1.0, 40.0):
        weight = torch.randn(shape, generator=generator) * scale + scale / 3
        stored = quantise(weight.numpy(), bits, quantisation_axis(shape)).dequantise()
        assert torch.equal(quantise_like_archive(weight, bits), torch.from_numpy(stored))


@pytest.mark.parametrize("value", [0.0, -0.0, 0.1, -3.3, 65000.0, 1e-9])
def test_constant_tensors(value: float) -> None:
    weight = torch.full((3, 4), value)
    stored = quantise(weight.numpy(), 6, 1).dequantise()
    assert torch.equal(quantise_like_archive(weight, 6), torch.from_numpy(stored))


def test_values_are_stored_and_gradients_pass() -> None:
    torch.manual_seed(0)
    model = nn.Sequential(nn.Conv2d(2, 3, 3), nn.Conv2d(3, 1, 1))
    quantised = straight_through(model, 4)
    assert set(quantised) == {name for name, _ in model.named_parameters()}
    sum((i + 1) * w.sum() for i, w in enumerate(quantised.values())).backward()
    for i, (name, parameter) in enumerate(model.named_parameters()):
        torch.testing.assert_close(quantised[name], quantise_like_archive(parameter.detach(), 4), atol=1e-7, rtol=1e-6)
        assert parameter.grad is not None
        assert torch.equal(parameter.grad, torch.full_like(parameter, i + 1))
    assert not torch.equal(quantised["0.weight"], model[0].weight)
