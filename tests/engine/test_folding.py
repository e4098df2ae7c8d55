"""Folded weights: what is rearranged computes the same, and every parameter has its gradient."""

from collections.abc import Callable

import pytest
import torch
from torch.nn import functional as F

from dnerv.engine.folding import _DENSE_UP_TO, fold
from dnerv.families import DNeRV
from dnerv.families.dnerv.decoder import DecoderBlock


@pytest.mark.parametrize("name", ["paper", "wide GTMLP", "temporal convolution", "no GTMLP"])
def test_a_stage_is_its_block(make_model: Callable[[str], DNeRV], name: str) -> None:
    """Modulation with the 1 in gamma's bias, shuffle by order of channels, GTMLP and its residual as one matrix."""
    model = make_model(name)
    block, length = model.blocks[0], model.config.clip_length
    assert isinstance(block, DecoderBlock)
    stage = fold(model, torch.float32).stages[0]
    x, features = torch.randn(length, stage.project.weight.shape[0] // 2, 2, 3), torch.randn(
        length, model.config.fused_channels, 2, 3
    )  # fmt: skip
    style = F.linear(features.permute(0, 2, 3, 1), stage.project.weight, stage.project.bias).permute(0, 3, 1, 2)
    scale, shift = style.chunk(2, dim=1)
    made = F.gelu(F.conv2d(x * scale + shift, stage.convolution.weight, stage.convolution.bias, padding=1))
    square = made.unflatten(1, (stage.stride, stage.stride, -1))  # (T, dy, dx, C, h, w)
    made = square.permute(0, 3, 4, 1, 5, 2).flatten(4).flatten(2, 3)  # (T, C, h * s, w * s)
    if stage.mixing is not None:
        assert stage.out_channels <= _DENSE_UP_TO
        mixed = F.linear(made.permute(2, 3, 0, 1).flatten(2), stage.mixing.weight, stage.mixing.bias)
        made = mixed.unflatten(2, (length, -1)).permute(2, 3, 0, 1)
    elif stage.mixings is not None:
        assert stage.out_channels > _DENSE_UP_TO
        flat = made.permute(1, 0, 2, 3).flatten(2)
        mixed = torch.baddbmm(stage.mixings.bias, stage.mixings.weight, flat)
        made = mixed.view(made.transpose(0, 1).shape).transpose(0, 1)
    else:
        assert block.temporal is None
    torch.testing.assert_close(made, block(x, features), atol=1e-5, rtol=1e-5)


def test_folding_is_differentiable_in_every_parameter_it_reads(make_model: Callable[[str], DNeRV]) -> None:
    model = make_model("paper").requires_grad_(True)
    folded = fold(model, torch.float32)
    total = folded.tail.enter.weight.sum() + folded.tail.head.weight.square().sum() + folded.tail.colour.square().sum()
    for stage in folded.stages:
        total = total + stage.project.bias.sum() + stage.convolution.weight.square().sum()
        if stage.mixing is not None:
            total = total + stage.mixing.weight.square().sum()
    total.backward()  # type: ignore[no-untyped-call]
    for block in model.blocks:
        assert block.upsample.conv.weight.grad.abs().sum() > 0  # type: ignore[union-attr]
        assert block.temporal.weight.grad.abs().sum() > 0  # type: ignore[union-attr]
    assert model.head[0].weight.grad.abs().sum() > 0  # type: ignore[union-attr]
