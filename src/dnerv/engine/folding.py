"""The network's weights rearranged for the fused path: what is linear and follows what is linear becomes one matrix.

    fusion       gamma's bias takes the 1 of `1 + gamma`, so that modulation is one multiply-add
    convolution  output channels ordered (dy, dx, c): PixelShuffle then moves whole runs of channels
    GTMLP        with its residual, one matrix over (time, channel) for narrow stages; after the last stage also the two
                 pointwise layers that read it, those of the flow head and of the output head; a temporal convolution
                 is written as one
    output       the data set's mean and std, so that colours are warped and answered as they are, in [0, 1]

Every function is differentiable in the network's own parameters: training uses the same arrangement.
"""

from __future__ import annotations

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from dnerv.families import DNeRV
from dnerv.families.dnerv.decoder import DecoderBlock
from dnerv.families.dnerv.fusion import SpatiallyAdaptiveFusion
from dnerv.families.dnerv.temporal import GlobalTemporalMLP, TemporalConvolution

_DENSE_UP_TO = 64  # channels: beyond, a matrix over (time, channel) wastes more on zeros than a change of layout costs

Mixer = GlobalTemporalMLP | TemporalConvolution  # what is a matrix over time for each channel


@dataclass(frozen=True)
class Convolution:
    """Weights of a convolution."""

    weight: Tensor  # [Cout, Cin, k, k]
    bias: Tensor  # [Cout]
    stride: int = 1  # above 1 there is no padding


@dataclass(frozen=True)
class Pointwise:
    """Weights of a linear map over the last dimension."""

    weight: Tensor  # [Cout, Cin]
    bias: Tensor  # [Cout]


@dataclass(frozen=True)
class FlowHead:
    """1x1, GELU, 3x3."""

    enter: Pointwise
    leave: Convolution


@dataclass(frozen=True)
class Stage:
    """One decoder block, and the flow head before it."""

    flow: FlowHead | None
    project: Pointwise  # keyframe features to (1 + gamma, beta)
    convolution: Convolution  # output channels in the order (dy, dx, c)
    stride: int
    out_channels: int
    mixing: Pointwise | None  # GTMLP and residual of a narrow stage: [T * C, T * C], over (time, channel)
    mixings: Pointwise | None  # the same of a wide stage, channel by channel: [C, T, T] and [C, T, 1]


@dataclass(frozen=True)
class Tail:
    """From the last block's output to the frame."""

    enter: Pointwise  # hidden layers of the last flow head and of the output head; over (time, channel) after GTMLP
    hidden: tuple[int, int]  # channels of the two; the first is 0 without flow
    colour: Tensor  # [k, output head's hidden], of the warped keyframes, the difference of the two included
    flow: Convolution | None
    head: Convolution  # to 3 * output_stride^2


@dataclass(frozen=True)
class Folded:
    """Everything but the stem and the instance norm."""

    encoder: tuple[Convolution, ...]  # the 3x3 one first, on RGB in [0, 1]
    stages: tuple[Stage, ...]
    tail: Tail


def fold(model: DNeRV, dtype: torch.dtype) -> Folded:
    """`model`'s weights, rearranged and converted to `dtype`. The fused path serves the model (`is_fused`)."""
    assert model.encoder is not None
    heads = [*model.flow_heads] or [None] * len(model.blocks)
    stages = tuple(
        _stage(block, heads[i], dtype, is_last=i == len(model.blocks) - 1)
        for i, block in enumerate(model.blocks)
        if isinstance(block, DecoderBlock)
    )
    layers = [model.encoder.head, *model.encoder.body]
    encoder = tuple(_convolution(layer, dtype) for layer in layers if isinstance(layer, nn.Conv2d))
    return Folded(encoder, stages, _tail(model, dtype))


def _convolution(layer: nn.Conv2d, dtype: torch.dtype) -> Convolution:
    return _arranged(layer.weight, _bias(layer), dtype, layer.stride[0])


def _arranged(weight: Tensor, bias: Tensor, dtype: torch.dtype, stride: int = 1) -> Convolution:
    return Convolution(weight.to(dtype).contiguous(memory_format=torch.channels_last), bias.to(dtype), stride)


def _flow_head(head: nn.Module | None, dtype: torch.dtype) -> FlowHead | None:
    if head is None:
        return None
    enter, leave = _layers(head)
    return FlowHead(_pointwise(enter.weight[:, :, 0, 0], _bias(enter), dtype), _convolution(leave, dtype))


def _layers(head: nn.Module) -> tuple[nn.Conv2d, nn.Conv2d]:
    enter, _, leave = head.children()
    assert isinstance(enter, nn.Conv2d)
    assert isinstance(leave, nn.Conv2d)
    return enter, leave


def _bias(layer: nn.Conv2d) -> Tensor:
    assert layer.bias is not None
    return layer.bias


def _pointwise(weight: Tensor, bias: Tensor, dtype: torch.dtype) -> Pointwise:
    return Pointwise(weight.to(dtype).contiguous(), bias.to(dtype))


def _stage(block: DecoderBlock, flow_head: nn.Module | None, dtype: torch.dtype, *, is_last: bool) -> Stage:
    assert isinstance(block.fusion, SpatiallyAdaptiveFusion)
    project, convolution, stride = block.fusion.project, block.upsample.conv, block.upsample.stride
    channels = project.weight.shape[0] // 2
    style = torch.cat((_bias(project)[:channels] + 1, _bias(project)[channels:]))
    outputs = convolution.weight.shape[0] // stride**2
    weight = torch.unflatten(convolution.weight, 0, (outputs, -1)).transpose(0, 1).flatten(0, 1)
    bias = _bias(convolution).view(outputs, -1).t().flatten()
    temporal, is_narrow = None if is_last else _temporal(block), outputs <= _DENSE_UP_TO
    return Stage(
        _flow_head(flow_head, dtype),
        _pointwise(project.weight[:, :, 0, 0], style, dtype),
        _arranged(weight, bias, dtype),
        stride,
        outputs,
        _pointwise(*_mixing(temporal), dtype) if temporal is not None and is_narrow else None,
        _pointwise(*_mixings(temporal), dtype) if temporal is not None and not is_narrow else None,
    )


def _temporal(block: DecoderBlock) -> Mixer | None:
    assert isinstance(block.temporal, Mixer | None)
    return block.temporal


def _mixings(temporal: Mixer) -> tuple[Tensor, Tensor]:
    """`x + GTMLP(x)`: per channel a matrix [C, t_out, t_in] and a bias [C, t_out, 1]."""
    matrices, bias = temporal.matrices()
    return matrices + torch.eye(temporal.clip_length, device=matrices.device), bias


def _mixing(temporal: Mixer) -> tuple[Tensor, Tensor]:
    """The same as one matrix [(t_out, c), (t_in, c)] and its bias."""
    matrices, bias = _mixings(temporal)
    side = temporal.channels * temporal.clip_length
    dense = torch.diag_embed(matrices.permute(1, 2, 0))  # (t_out, t_in, c, c)
    return dense.transpose(1, 2).reshape(side, side), bias[..., 0].t().flatten()


def _tail(model: DNeRV, dtype: torch.dtype) -> Tail:
    config, last = model.config, model.blocks[-1]
    assert isinstance(last, DecoderBlock)
    flow = _flow_head(model.flow_heads[-1] if config.flow != "none" else None, torch.float32)
    hidden, leave = _layers(model.head)
    width = last.upsample.conv.weight.shape[0] // last.upsample.stride**2
    square = config.output_stride**2
    weights = hidden.weight[:, :, 0, 0]
    # Colours come as RGB in [0, 1]: normalised, as the network was trained to see them, they are (c - mean) / std.
    per_channel = model.std.flatten().repeat_interleave(square)
    shift = (model.mean / model.std).flatten().repeat_interleave(square)
    colours = torch.unflatten(weights[:, width:], 1, (-1, 3 * square))  # blend, and the difference of the two
    bias = _bias(hidden) - colours[:, 0] @ shift
    enter, enter_bias, flow_hidden = weights[:, :width], bias, 0
    if flow is not None:
        enter, enter_bias = torch.cat((flow.enter.weight, enter)), torch.cat((flow.enter.bias, bias))
        flow_hidden = len(flow.enter.bias)
    temporal = _temporal(last)
    if temporal is not None:
        enter, enter_bias = _after_mixing(enter, enter_bias, temporal)
    leaving_bias = _bias(leave) * per_channel
    if config.head == "paper":
        leaving_bias = leaving_bias + model.mean.flatten().repeat_interleave(square)
    return Tail(
        _pointwise(enter, enter_bias, dtype),
        (flow_hidden, len(bias)),
        (colours / per_channel).flatten(1).t().to(dtype),
        None if flow is None else _arranged(flow.leave.weight, flow.leave.bias, dtype),
        _arranged(leave.weight * per_channel[:, None, None, None], leaving_bias, dtype),
    )


def _after_mixing(weight: Tensor, bias: Tensor, temporal: Mixer) -> tuple[Tensor, Tensor]:
    """The same layer for every frame, after the last GTMLP: one matrix [(t, out), (t_in, c)]."""
    mixing, mixing_bias = _mixing(temporal)
    length = temporal.clip_length
    mixing = mixing.view(length, -1, mixing.shape[1])  # (t_out, c, t_in * c)
    composed = torch.einsum("oc,tck->tok", weight, mixing).flatten(0, 1)
    shifted = mixing_bias.view(length, -1) @ weight.t() + bias
    return composed, shifted.flatten()
