"""Networks for training: fused where they can be, with other weights in place of their own."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from dnerv.engine import Differentiable
from dnerv.families import DNeRV, NeRV, NeRVConfig


@pytest.fixture
def nerv() -> NeRV:
    torch.manual_seed(0)
    return NeRV(NeRVConfig(4, grid=(2, 3), strides=(2, 2), min_channels=8, stem_channels=16, encoding_levels=12))


@pytest.mark.parametrize("precision", ["reference", "fp32", "bf16"])
def test_weights_stand_in_for_the_models_own(
    make_model: Callable[[str], DNeRV], nerv: NeRV, plain: SimpleNamespace, precision: str
) -> None:
    for model in (make_model("paper"), nerv):
        network = Differentiable(model, precision)  # type: ignore[arg-type]
        inputs = plain.inputs(model.config, 16, [0, 1])
        own = network(inputs)
        assert own.shape == (2, model.config.clip_length, 3, *model.config.canvas)
        weights = {name: value.detach().clone().requires_grad_() for name, value in model.named_parameters()}
        made = network(inputs, weights)
        torch.testing.assert_close(made, own)
        gradients = torch.autograd.grad(made.float().sum(), list(weights.values()), allow_unused=True)
        assert any(gradient is not None and gradient.any() for gradient in gradients)
        with torch.no_grad():
            for value in weights.values():
                value.mul_(1.5)
        assert not torch.equal(network(inputs, weights), own)
        torch.testing.assert_close(network(inputs), own)


def test_a_network_without_keyframes_computes_in_half_precision_too(nerv: NeRV, plain: SimpleNamespace) -> None:
    inputs = plain.inputs(nerv.config, 16, [0])
    exact, made = Differentiable(nerv, "fp32")(inputs), Differentiable(nerv, "bf16")(inputs)
    assert 0 < (exact - made.float()).abs().max().item() < 0.05
