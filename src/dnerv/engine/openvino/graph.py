"""Layers of an OpenVINO graph over rows of channels, [N, h, w, C], with activations in 8 bits where asked.

Rows are how the CPU plugin keeps activations: nothing is laid out anew where graphs meet. What PixelShuffle would
spread over k x k pixels stays together as one "cell" for as long as possible, [N, h, w, (dy, dx, c)].
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from math import prod
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dnerv.engine.folding import Convolution, Pointwise
from dnerv.engine.openvino.library import op, ov
from dnerv.engine.openvino.quantisation import Range

Node = Any  # of a graph: the library is untyped


@dataclass
class Graph:
    """A graph being built."""

    half: bool  # rows cross the graph's border in bfloat16, else in float32
    ranges: Mapping[str, Range] = field(default_factory=dict)  # activations kept in 8 bits, by name
    observes: bool = False  # every activation that could be kept in 8 bits is a further result
    parameters: list[Node] = field(default_factory=list)
    results: list[Node] = field(default_factory=list)
    observed: dict[str, Node] = field(default_factory=dict)

    def finished(self) -> Any:
        """The model; results of `observed` come last."""
        return ov.Model([*self.results, *map(op.result, self.observed.values())], self.parameters, "dnerv")

    def rows_in(self, *shape: int) -> Node:
        """A parameter of rows."""
        self.parameters.append(op.parameter(list(shape), ov.Type.bf16 if self.half else ov.Type.f32))
        return op.convert(self.parameters[-1], "f32") if self.half else self.parameters[-1]

    def planes_in(self, *shape: int) -> Node:
        """A parameter in float32."""
        self.parameters.append(op.parameter(list(shape), ov.Type.f32))
        return self.parameters[-1]

    def rows_out(self, rows: Node) -> None:
        """A result of rows."""
        self.results.append(op.result(op.convert(rows, "bf16") if self.half else rows))

    def planes_out(self, node: Node) -> None:
        """A result in float32."""
        self.results.append(op.result(node))

    def kept(self, node: Node, name: str) -> Node:
        """`node`; in 8 bits where a range is known under this name."""
        if self.observes:
            self.observed[name] = node
        if name not in self.ranges:
            return node
        ends = [constant(np.full((1,) * len(node.shape), end)) for end in self.ranges[name]]
        return op.fake_quantize(node, *ends, *ends, 256)

    def weight(self, value: Tensor, name: str | None) -> Node:
        """Weights [Cout, ...], in 8 bits by output channel if what they multiply, `name`, is in 8 bits."""
        if name not in self.ranges:
            return constant(value)
        peak = value.flatten(1).abs().amax(1).clamp(min=1e-8).view(-1, *[1] * (value.dim() - 1))
        ends = [constant(-peak), constant(peak)]
        return op.fake_quantize(constant(value), *ends, *ends, 255)

    def convolve(
        self, rows: Node, layer: Convolution, name: str | None = None, *, plus: Node = None, bends: bool = False
    ) -> Node:
        """Rows [N, h, w, Cin] to [N, h', w', Cout]: 3x3, or with a stride that is the kernel's size, or 1x1.

        Rows `plus` are added, then GELU comes if it `bends`: here, where the plugin makes them part of the convolution.
        """
        pad = layer.weight.shape[-1] // 2 if layer.stride == 1 else 0
        weight, bias = self.weight(layer.weight, name), constant(layer.bias.view(1, -1, 1, 1))
        strides, pads = [layer.stride] * 2, [pad] * 2
        made = op.convolution(transpose(rows, 0, 3, 1, 2), weight, strides, pads, pads, [1, 1])
        made = op.add(made, bias)
        if plus is not None:
            made = op.add(made, transpose(plus, 0, 3, 1, 2))
        return transpose(gelu(made) if bends else made, 0, 2, 3, 1)

    def linear(self, rows: Node, layer: Pointwise, *, plus: Node = None, bends: bool = False) -> Node:
        """Rows [N, h, w, Cin] to [N, h, w, Cout]; `plus` and `bends` as in `convolve`."""
        return self.convolve(rows, Convolution(layer.weight[:, :, None, None], layer.bias), plus=plus, bends=bends)

    def mix(self, cells: Node, layer: Pointwise, square: int, name: str) -> Node:
        """A layer over (time, channel), [T * k, T * C], for each of the `square` pixels of a cell.

        Cells [T, h, w, square * C] to [T, h, w, square * k]. They are read as a volume [C, T, h, w * square], in which
        the layer is a convolution over all of time: no pixel moves before the product.
        """
        length, height, width, _ = cells.shape
        outputs = len(layer.bias) // length
        made = self._over_time(_volume(cells, square), layer.weight, layer.bias, name)  # (1, h, w * square, T * k)
        frames = transpose(reshape(made, height, width * square, length, outputs), 2, 0, 1, 3)
        return reshape(frames, length, height, width, square * outputs)

    def mix_each(self, cells: Node, layer: Pointwise, square: int, name: str) -> list[Node]:
        """`mix` frame by frame: T times [1, h, w, square * k].

        For few outputs: less would be gained by making all times at once than it costs to take them apart.
        """
        length, height, width, _ = cells.shape
        volume, outputs = _volume(cells, square), len(layer.bias) // length
        parts = zip(layer.weight.chunk(length), layer.bias.chunk(length), strict=True)
        frames = [self._over_time(volume, weight, bias, name) for weight, bias in parts]
        return [reshape(frame, 1, height, width, square * outputs) for frame in frames]

    def _over_time(self, volume: Node, weight: Tensor, bias: Tensor, name: str) -> Node:
        channels, length = volume.shape[1:3]
        kernel = torch.unflatten(weight, 1, (length, channels)).transpose(1, 2)[..., None, None]
        ones, zeros = [1, 1, 1], [0, 0, 0]
        made = op.convolution(volume, self.weight(kernel, name), ones, zeros, zeros, ones)
        made = transpose(op.add(made, constant(bias.view(1, -1, 1, 1, 1))), 0, 2, 3, 4, 1)
        return reshape(made, 1, *made.shape[2:])


def _volume(cells: Node, square: int) -> Node:
    length, height, width, channels = cells.shape
    return transpose(reshape(cells, 1, length, height, width * square, channels // square), 0, 4, 1, 2, 3)


def gelu(node: Node) -> Node:
    """The exact one."""
    return op.gelu(node, "erf")


def shuffled(cells: Node, stride: int) -> Node:
    """Cells [N, h, w, (dy, dx, c)] to rows [N, h * stride, w * stride, c]."""
    if stride == 1:
        return cells
    frames, height, width, channels = cells.shape
    runs = reshape(cells, frames, height, width, stride, channels // stride)  # (dx, c) stays together
    rows = transpose(runs, 0, 1, 3, 2, 4)
    return reshape(rows, frames, height * stride, width * stride, channels // stride**2)


def over_cells(layer: Convolution, stride: int) -> Convolution:
    """A 3x3 convolution over pixels as one over cells of stride x stride pixels, [(dy, dx, c)] both ways."""
    outputs, inputs = layer.weight.shape[:2]
    kernel = layer.weight.new_zeros(stride, stride, outputs, stride, stride, inputs, 3, 3)
    for dy, dx, y, x in np.ndindex(stride, stride, 3, 3):
        (cell_y, at_y), (cell_x, at_x) = divmod(dy + y - 1, stride), divmod(dx + x - 1, stride)
        kernel[dy, dx, :, at_y, at_x, :, cell_y + 1, cell_x + 1] = layer.weight[:, :, y, x]
    square = stride**2
    return Convolution(kernel.view(square * outputs, square * inputs, 3, 3), layer.bias.repeat(square))


def constant(value: Tensor | np.ndarray) -> Node:
    """A constant in float32."""
    return op.constant(np.ascontiguousarray(np.asarray(value), dtype=np.float32))


def transpose(node: Node, *order: int) -> Node:
    """Dimensions in another order."""
    return op.transpose(node, op.constant(np.array(order)))


def reshape(node: Node, *shape: int) -> Node:
    """The same elements in another shape."""
    assert prod(shape) == prod(node.shape), (shape, node.shape)
    return op.reshape(node, op.constant(np.array(shape)), False)
