"""D-NeRV's parts as OpenVINO graphs: a keyframe's features, each decoder stage, the last stage, the output head.

A graph makes one clip of T frames. Warping, coordinates and colours stay outside, in float32.
"""

from __future__ import annotations

from typing import Any

import torch

from dnerv.engine.folding import Convolution, FlowHead, Folded, Pointwise, Stage, Tail
from dnerv.engine.openvino.graph import Graph, Node, constant, gelu, over_cells, reshape, shuffled, transpose
from dnerv.engine.openvino.library import op
from dnerv.families import DNeRV

_DENSE_ROWS = 2048  # of (time, channel): a wider GTMLP is made channel by channel, its zeros would cost more
_CELLS_UP_TO = 2  # stride: a kernel over larger cells has too many zeros


def cell_side(stage: Stage) -> int:
    """Pixels per side of the cells in which a stage's flow leaves, and the last stage's hidden rows."""
    return stage.stride if stage.stride <= _CELLS_UP_TO else 1


def encoder_model(graph: Graph, model: DNeRV, folded: Folded) -> Any:
    """One keyframe float32 [1, 3, H, W] in [0, 1] to rows [1, h, w, k] coarse to fine.

    First the coarsest features in float32, then those of every stage, projected to (1 + gamma, beta) without
    `contrast`.
    """
    config = model.config
    x = op.divide(op.subtract(graph.planes_in(1, 3, *config.canvas), constant(model.mean)), constant(model.std))
    if config.output_stride > 1:
        x = op.space_to_depth(x, "depth_first", config.output_stride)
    first, *body = folded.encoder
    x = graph.convolve(transpose(x, 0, 2, 3, 1), first, bends=True)
    maps: list[Node] = []
    for layer in body:
        x = graph.convolve(x, layer, bends=True)
        maps.insert(0, x)
    graph.planes_out(maps[0])
    for features, stage in zip(maps, folded.stages, strict=True):
        graph.rows_out(features if config.contrast else graph.linear(features, stage.project))
    return graph.finished()


def stage_model(
    graph: Graph, name: str, stage: Stage, flow: FlowHead | None, shape: tuple[int, int, int], *, contrast: bool
) -> Any:
    """A block and the flow head after it: rows [T, h, w, C] and what modulates them to rows of the next stage.

    Then, with flow, the head's answer in float32, [T, h, w, (dy, dx, 4)] in cells of `cell_side`.
    """
    cells = _made_cells(graph, name, stage, shape, contrast=contrast)
    cells = _after_mixing(graph, name, cells, stage, shape[0])
    rows = shuffled(cells, stage.stride)
    graph.rows_out(rows)
    if flow is not None:
        side = cell_side(stage)
        pixels = rows if side == 1 else _as_pixels(cells, side)
        hidden = graph.linear(pixels, flow.enter, bends=True)
        graph.planes_out(graph.convolve(_as_cells(hidden, side), over_cells(flow.leave, side)))
    return graph.finished()


def last_model(
    graph: Graph, name: str, stage: Stage, tail: Tail, shape: tuple[int, int, int], *, contrast: bool
) -> Any:
    """The last block and both heads' first layers: rows [T, h, w, C] and what modulates them to hidden rows in cells.

    They leave in one result or in one per frame.
    """
    cells, made = _made_cells(graph, name, stage, shape, contrast=contrast), f"{name} made"
    if tail.enter.weight.shape[1] == stage.out_channels:
        frames = [_as_cells(graph.linear(_as_pixels(cells, stage.stride), tail.enter), stage.stride)]
    else:
        frames = graph.mix_each(graph.kept(cells, made), tail.enter, stage.stride**2, made)
    for frame in frames:
        graph.rows_out(frame if cell_side(stage) == stage.stride else shuffled(frame, stage.stride))
    return graph.finished()


def flow_model(graph: Graph, flow: Convolution, side: int, shape: tuple[int, int, int]) -> Any:
    """The last flow head's second layer: hidden rows to its answer in float32, both in cells."""
    hidden = graph.rows_in(*shape, side**2 * flow.weight.shape[1])
    graph.planes_out(graph.convolve(gelu(hidden), over_cells(flow, side)))
    return graph.finished()


def head_model(graph: Graph, tail: Tail, side: int, shape: tuple[int, int, int]) -> Any:
    """Hidden rows in cells [T, h, w, side^2 * hidden] and colours to what the head answers, float32.

    Colours [T, (k, dy, dx), h, w] and answer [T, (k', dy, dx), h, w] are pixels unshuffled by `side`.
    """
    square = side**2
    colours, hidden = tail.colour.shape
    rows = graph.rows_in(*shape, square * hidden)
    seen = transpose(graph.planes_in(shape[0], square * colours, *shape[1:]), 0, 2, 3, 1)
    weight = torch.einsum("ch,jk->jhck", tail.colour, torch.eye(square)).reshape(square * hidden, -1)
    x = graph.linear(seen, Pointwise(weight, torch.zeros(square * hidden)), plus=rows, bends=True)
    leave = over_cells(tail.head, side)
    order = torch.arange(len(leave.bias)).view(square, -1).t().flatten()
    made = graph.convolve(x, Convolution(leave.weight[order], leave.bias[order]))
    graph.planes_out(transpose(made, 0, 3, 1, 2))
    return graph.finished()


def _made_cells(graph: Graph, name: str, stage: Stage, shape: tuple[int, int, int], *, contrast: bool) -> Node:
    """Modulation, convolution, GELU: cells [T, h, w, (dy, dx, c)]."""
    channels = stage.convolution.weight.shape[1]
    x = graph.rows_in(*shape, channels)
    if contrast:
        seen = graph.rows_in(*shape, stage.project.weight.shape[1])
        weights, biases = (part.chunk(2) for part in (stage.project.weight, stage.project.bias))
        scale, shift = (graph.linear(seen, Pointwise(*layer)) for layer in zip(weights, biases, strict=True))
    else:
        scale, shift = graph.rows_in(*shape, channels), graph.rows_in(*shape, channels)
    x = graph.kept(op.add(op.multiply(x, scale), shift), f"{name} seen")
    return graph.convolve(x, stage.convolution, f"{name} seen", bends=True)


def _after_mixing(graph: Graph, name: str, cells: Node, stage: Stage, length: int) -> Node:
    """GTMLP and its residual."""
    if stage.mixing is None and stage.mixings is None:
        return cells
    if stage.mixing is None and length * stage.out_channels > _DENSE_ROWS:
        return _mixed_by_channel(cells, stage)
    layer = stage.mixing or _dense(stage)
    return graph.mix(graph.kept(cells, f"{name} made"), layer, stage.stride**2, f"{name} made")


def _dense(stage: Stage) -> Pointwise:
    """The matrices of a wide stage as one over (time, channel)."""
    assert stage.mixings is not None
    matrices, bias = stage.mixings.weight, stage.mixings.bias  # [C, t_out, t_in], [C, t_out, 1]
    dense = torch.diag_embed(matrices.permute(1, 2, 0)).transpose(1, 2)  # (t_out, c, t_in, c)
    return Pointwise(dense.reshape(bias.numel(), -1), bias[..., 0].t().flatten())


def _mixed_by_channel(cells: Node, stage: Stage) -> Node:
    assert stage.mixings is not None
    length, height, width, _ = cells.shape
    square, channels = stage.stride**2, stage.out_channels
    split = transpose(reshape(cells, length, height * width * square, channels), 2, 0, 1)
    mixed = op.add(op.matmul(constant(stage.mixings.weight), split, False, False), constant(stage.mixings.bias))
    return reshape(transpose(mixed, 1, 2, 0), length, height, width, square * channels)


def _as_pixels(cells: Node, side: int) -> Node:
    """Cells [N, h, w, side^2 * c] as rows of pixels [N, h, w * side^2, c], in the cells' own order."""
    frames, height, width, channels = cells.shape
    return reshape(cells, frames, height, width * side**2, channels // side**2)


def _as_cells(pixels: Node, side: int) -> Node:
    frames, height, width, channels = pixels.shape
    return reshape(pixels, frames, height, width // side**2, channels * side**2)
