"""The fused path against the plain modules: values and gradients."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from dnerv.engine import FusedDNeRV
from dnerv.engine import fused as fused_module
from dnerv.families import DNeRV, load_published_state


def test_fused_network_makes_the_frames_of_the_reference(model: DNeRV, plain: SimpleNamespace) -> None:
    inputs = plain.inputs(model.config, 29, [0, 2])
    with torch.no_grad():
        expected, made = model(inputs), FusedDNeRV(model)(inputs)
    assert made.shape == expected.shape
    torch.testing.assert_close(made, expected, atol=2e-6, rtol=0)


def test_fused_network_has_the_gradients_of_the_reference(model: DNeRV, plain: SimpleNamespace) -> None:
    inputs = plain.inputs(model.config, 29, [0, 2])
    parameters = list(model.parameters())
    expected, made = model(inputs), FusedDNeRV(model)(inputs)
    torch.testing.assert_close(made, expected, atol=2e-6, rtol=0)
    towards = torch.randn(expected.shape, generator=torch.Generator().manual_seed(0))
    wanted = torch.autograd.grad(expected, parameters, towards)
    found = torch.autograd.grad(made, parameters, towards)
    for name, theirs, ours in zip(dict(model.named_parameters()), wanted, found, strict=True):
        # The gradient of a bilinear sample jumps where a coordinate is a whole number, and rounding decides the side:
        # a pixel or two may differ in what they ask of the flow.
        assert (ours - theirs).norm() <= 0.04 * theirs.norm() + 1e-9, name
    theirs, ours = (torch.cat([g.flatten() for g in gradients]) for gradients in (wanted, found))
    assert (ours - theirs).norm() <= 1e-3 * theirs.norm()


def test_fused_network_agrees_with_the_transcription_of_the_paper(
    make_model: Callable[[str], DNeRV], plain: SimpleNamespace
) -> None:
    config = make_model("paper").config
    state = plain.authors_state(config)
    frames = 4 * 3 + 1
    keyframes = plain.keyframes(4, config.canvas).float() / 255
    pairs = torch.stack([torch.stack([keyframes[k], keyframes[k + 1]], dim=1) for k in (0, 2)])
    expected = plain.dnerv(state, config, pairs, [0, 2], frames).transpose(1, 2)
    with torch.no_grad():
        model = DNeRV(config)
        load_published_state(model, state, config)
        made = FusedDNeRV(model)(plain.inputs(config, frames, [0, 2]))
    torch.testing.assert_close(made, expected, atol=1e-4, rtol=0)


@pytest.mark.parametrize("band", [1, 700, 10**9])
def test_frames_do_not_depend_on_the_bands(
    make_model: Callable[[str], DNeRV], plain: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, band: int
) -> None:
    model = make_model("paper")
    inputs = plain.inputs(model.config, 9, [1])
    with torch.no_grad():
        expected = model(inputs)
        monkeypatch.setattr(fused_module, "_BAND_ELEMENTS", band)
        torch.testing.assert_close(FusedDNeRV(model)(inputs), expected, atol=2e-6, rtol=0)


@pytest.mark.parametrize("dtype", [torch.bfloat16, torch.float16])
def test_half_precision_stays_close(
    make_model: Callable[[str], DNeRV], plain: SimpleNamespace, dtype: torch.dtype
) -> None:
    model = make_model("compact")
    inputs = plain.inputs(model.config, 29, [0, 2])
    with torch.no_grad():
        expected, made = model(inputs), FusedDNeRV(model, dtype)(inputs)
    assert made.dtype == torch.float32
    error = (made - expected).square().mean().sqrt().item()
    assert 0 < error < 0.01


def test_bf16_gradients_point_the_same_way(make_model: Callable[[str], DNeRV], plain: SimpleNamespace) -> None:
    model = make_model("compact")
    inputs = plain.inputs(model.config, 29, [0, 2])
    wanted = torch.rand(2, 8, 3, *model.config.canvas, generator=torch.Generator().manual_seed(0))
    directions = []
    for dtype in (torch.float32, torch.bfloat16):
        loss = (FusedDNeRV(model, dtype)(inputs) - wanted).square().mean()
        gradients = torch.autograd.grad(loss, list(model.parameters()))
        directions.append(torch.cat([gradient.flatten() for gradient in gradients]))
    assert torch.nn.functional.cosine_similarity(*directions, dim=0).item() > 0.98
