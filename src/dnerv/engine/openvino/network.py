"""All graphs of a network, compiled; each writes where the next one reads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import torch
from torch import Tensor
from torch.nn import functional as F

from dnerv.engine.folding import Folded, Tail
from dnerv.engine.openvino.graph import Graph
from dnerv.engine.openvino.quantisation import Range
from dnerv.engine.openvino.request import Request
from dnerv.engine.openvino.stages import cell_side, encoder_model, flow_model, head_model, last_model, stage_model
from dnerv.families import DNeRV


@dataclass(frozen=True)
class Network:
    """Of one network and precision, for clips one by one."""

    encoder: Request  # of a keyframe
    stages: tuple[Request, ...]  # the last one answers hidden rows
    flow: Request | None  # hidden rows to the finest flow
    head: Request  # hidden rows and colours to the frame
    sides: tuple[int, ...]  # pixels: the cells in which each stage's flow leaves

    @classmethod
    def compile(
        cls,
        model: DNeRV,
        folded: Folded,
        half: bool,
        ranges: Mapping[str, Range] | None = None,
        *,
        observes: bool = False,
    ) -> Network:
        """Build and compile.

        Args:
            half: bfloat16, else float32.
            ranges: activations to be kept in 8 bits.
            observes: stages also answer what could be.
        """
        stages: list[Request] = []
        config, tail = model.config, _side_by_side(folded.tail)
        shape = (config.clip_length, *config.grid)
        for scale, (stage, after) in enumerate(zip(folded.stages, folded.stages[1:], strict=False)):
            graph, name = Graph(half, ranges or {}, observes), f"stage {scale}"
            made = stage_model(graph, name, stage, after.flow, shape, contrast=config.contrast)
            stages.append(_stage(graph, made, stages))
            shape = _times(shape, stage.stride)
        last, side = folded.stages[-1], cell_side(folded.stages[-1])
        graph = Graph(half, ranges or {}, observes)
        made = last_model(graph, "last stage", last, tail, shape, contrast=config.contrast)
        cells = _times(shape, last.stride // side)
        hidden = torch.empty(*cells, side**2 * tail.colour.shape[1], dtype=torch.bfloat16 if half else torch.float32)
        stages.append(_stage(graph, made, stages, hidden.chunk(len(graph.results))))
        flow = None
        if tail.flow is not None:
            flow = Request(flow_model(Graph(half), tail.flow, side, cells), half, first_input=hidden)
        return cls(
            Request(encoder_model(Graph(half), model, folded), half),
            tuple(stages),
            flow,
            Request(head_model(Graph(half), tail, side, cells), half, first_input=hidden),
            tuple(map(cell_side, folded.stages)),
        )


def _side_by_side(tail: Tail) -> Tail:
    """Both heads reading one row of hidden channels, with weight zero for the other's: a graph then writes one row."""
    first, second = tail.hidden
    flow = tail.flow
    if flow is not None:
        flow = replace(flow, weight=F.pad(flow.weight, (0, 0, 0, 0, 0, second)))
    head = replace(tail.head, weight=F.pad(tail.head.weight, (0, 0, 0, 0, first, 0)))
    return replace(tail, colour=F.pad(tail.colour, (first, 0)), flow=flow, head=head)


def _stage(graph: Graph, model: object, before: Sequence[Request], outputs: Sequence[Tensor] = ()) -> Request:
    first = before[-1].outputs[0] if before else None
    return Request(model, graph.half, first_input=first, outputs=outputs, observed=tuple(graph.observed))


def _times(shape: tuple[int, int, int], stride: int) -> tuple[int, int, int]:
    frames, height, width = shape
    return frames, height * stride, width * stride
