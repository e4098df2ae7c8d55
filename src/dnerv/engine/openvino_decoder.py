"""D-NeRV decoded by OpenVINO on the CPU: convolutions in bfloat16 or 8 bits as OpenVINO graphs, the rest in torch.

`dnerv.engine.fused` is the plan that this follows, and warping is the same; what changes is who multiplies. Needs the
extra: pip install 'dnerv[fast]'.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from typing import Any, Literal, get_args

import torch
from torch import Tensor
from torch.nn import functional as F

from dnerv.engine.features import Features
from dnerv.engine.folding import fold
from dnerv.engine.fused import FusedDNeRV, _warp_colours
from dnerv.engine.openvino_graph import Graph, Range
from dnerv.engine.openvino_request import Request, computes_bf16
from dnerv.engine.openvino_stages import cell_side, encoder_model, head_model, last_model, stage_model
from dnerv.engine.quantisation import ranges_of
from dnerv.engine.rows import Planes, Rows
from dnerv.engine.warping import gather, gather_each, padded_table
from dnerv.errors import InputError
from dnerv.model import ClipInputs, DNeRV

OpenVINOPrecision = Literal["openvino-fp32", "openvino-bf16", "openvino-int8"]
OPENVINO_PRECISIONS: tuple[OpenVINOPrecision, ...] = get_args(OpenVINOPrecision)


class OpenVINODecoder:
    """Frames of clips, with the interface of `dnerv.engine.Decoder`; not for several threads at once."""

    device = torch.device("cpu")
    shares_features = True

    def __init__(
        self,
        model: DNeRV,
        precision: OpenVINOPrecision = "openvino-bf16",
        calibration: Callable[[], Sequence[ClipInputs]] | None = None,
    ) -> None:
        """Arrange and compile the network, which takes a second or two.

        Args:
            model: with keyframes.
            calibration: a few typical clips; asked for by 8 bits alone, once.

        Raises:
            InputError: an unknown precision, one that the processor lacks, or 8 bits without calibration.
        """
        _check(model, precision)
        self.precision, self.model = precision, model.cpu().eval().requires_grad_(False)
        self._half = precision != "openvino-fp32" and computes_bf16()
        self._rows = torch.bfloat16 if self._half else torch.float32
        self._fused = FusedDNeRV(self.model, torch.float32)
        with torch.inference_mode():
            self._folded = fold(self.model, torch.float32)
            self._encoder = self._request(encoder_model(Graph(self._half), self.model, self._folded))
            self._compile({}, observes=precision == "openvino-int8")
            if precision == "openvino-int8":
                if calibration is None:
                    raise InputError("openvino-int8 needs clips to measure its ranges on; none were given")
                self._compile(self._measured(calibration()), observes=False)

    def encode(self, keyframes: Tensor) -> Features:
        """Keyframes uint8 [M, 3, H, W] to what `decode` needs of them."""
        return self._encode((keyframes.cpu().float() / 255).contiguous())

    def decode(self, inputs: ClipInputs, features: Features | None = None) -> Tensor:
        """-> float32 [B, T, 3, H, W], RGB in [0, 1].

        `features`: of the keyframes that `start` and `end` count; with them `inputs.keyframes` is not read.
        """
        with torch.inference_mode():
            if features is None:
                features = self._encode(inputs.keyframes.contiguous())
            tables = [self._tables(maps) for maps in features.maps]
            clips, length = inputs.time.shape
            made = torch.empty(clips, length, 3, *self.model.config.canvas)
            for clip in range(clips):
                self._decode_clip(_clip_of(inputs, clip), features, tables, made[clip])
            return made

    def _encode(self, keyframes: Tensor) -> Features:
        encoded = []
        for keyframe in keyframes:
            self._encoder.inputs[0].copy_(keyframe[None])
            self._encoder.run()
            coarsest, *maps = self._encoder.outputs
            encoded.append(Features(coarsest.permute(0, 3, 1, 2).clone(), tuple(m.clone() for m in maps), keyframe[None]))
        return Features.join(encoded)

    def _tables(self, maps: Tensor) -> list[Tensor]:
        if self.model.config.contrast:
            return [padded_table(maps)]
        return [padded_table(part) for part in maps.chunk(2, dim=-1)]

    def _decode_clip(
        self, inputs: ClipInputs, features: Features, tables: Sequence[Sequence[Tensor]], made: Tensor
    ) -> None:
        """One clip of a batch of one into `made`, [T, 3, H, W]."""
        fused, config, stages = self._fused, self.model.config, self._folded.stages
        x = self.model.enter(self.model.stem(inputs.time), features.coarsest, inputs)
        first = Rows(x.permute(0, 2, 3, 1), config.clip_length, is_woven=False)
        planes = fused._planes(first, stages[0].flow, None, 0, inputs)
        self._stages[0].inputs[0].copy_(first.values)
        for scale, (stage, request, seen) in enumerate(zip(stages, self._stages, tables, strict=True)):
            self._modulate(request, seen, planes, inputs)
            request.run()
            planes = self._next_planes(request, cell_side(stage), planes, scale + 1, inputs)
        self._finish(planes, inputs, features, made)

    def _modulate(self, request: Request, tables: Sequence[Tensor], planes: Planes, inputs: ClipInputs) -> None:
        """Warped features into the stage's inputs."""
        rows, *places = request.inputs
        grid = Rows(rows, len(rows), is_woven=False).grid(inputs)
        if self.model.config.contrast:
            before, after = gather(tables[0], planes.flow, None, grid).unbind(1)
            share = planes.share.expand(planes.flow.shape[1:]).reshape(-1, 1).to(before.dtype)
            torch.cat((torch.lerp(before, after, share), after - before), dim=1, out=places[0].view(len(before), -1))
            return
        request.take(1, gather_each(tables, planes.flow, planes.share, grid))

    def _next_planes(self, request: Request, side: int, planes: Planes, scale: int, inputs: ClipInputs) -> Planes:
        """What the flow head after a stage answered."""
        if not self.model.config.flow:
            frames, height, width, _ = request.outputs[0].shape
            pixels = side if scale == len(self._stages) else 1
            return self._fused._still(frames, height * pixels, width * pixels, inputs)
        answer = request.outputs[1]
        frames, height, width, _ = answer.shape
        cells = answer.view(frames, height, width, side, side, -1).permute(5, 0, 1, 3, 2, 4)
        spread = cells.reshape(-1, frames, height * side, width * side)
        return self._fused._refined(spread.transpose(0, 1), planes, scale, inputs)

    def _finish(self, planes: Planes, inputs: ClipInputs, features: Features, made: Tensor) -> None:
        config, side = self.model.config, cell_side(self._folded.stages[-1])
        colours = _warp_colours(features.colours, planes.enlarged(config.output_stride), inputs, config.contrast)
        self._head.inputs[1].copy_(_unshuffled(_unshuffled(colours, config.output_stride), side))
        self._head.run()
        rgb = F.pixel_shuffle(F.pixel_shuffle(self._head.outputs[0], side), config.output_stride)
        if config.head == "residual":
            rgb = rgb + colours[:, :3]
        torch.clamp(rgb, 0, 1, out=made)

    def _compile(self, ranges: dict[str, Range], *, observes: bool) -> None:
        """All graphs but the encoder's; each stage writes where the next one reads."""
        config, stages, tail = self.model.config, self._folded.stages, self._folded.tail
        self._stages: list[Request] = []
        height, width = config.grid
        for scale, stage in enumerate(stages):
            graph, shape = Graph(self._half, ranges, observes), (config.clip_length, height, width)
            if scale < len(stages) - 1:
                model = stage_model(
                    graph, f"stage {scale}", stage, stages[scale + 1].flow, shape, contrast=config.contrast
                )
            else:
                model = last_model(graph, f"stage {scale}", stage, tail, shape, contrast=config.contrast)
            self._stages.append(self._request(model, self._stages[-1] if scale else None, tuple(graph.observed)))
            height, width = height * stage.stride, width * stage.stride
        side = cell_side(stages[-1])
        shape = (config.clip_length, height // side, width // side)
        self._head = self._request(head_model(Graph(self._half), tail, side, shape), self._stages[-1])

    def _request(self, model: Any, before: Request | None = None, observed: Sequence[str] = ()) -> Request:
        return Request(model, self._half, None if before is None else before.outputs[0], observed)

    def _measured(self, clips: Sequence[ClipInputs]) -> dict[str, Range]:
        """Ranges of the activations that are kept in 8 bits, over these clips."""
        seen: dict[str, list[Tensor]] = {}
        for batch in clips:
            features = self._encode(batch.keyframes.contiguous())
            for clip in range(len(batch.time)):
                self.decode(_clip_of(batch, clip), features)
                for request in self._stages:
                    for name, values in request.observed.items():
                        seen.setdefault(name, []).append(values.flatten()[:: max(1, values.numel() // 100_000)].clone())
        return ranges_of({name: torch.cat(parts) for name, parts in seen.items()})


def _check(model: DNeRV, precision: str) -> None:
    if precision not in OPENVINO_PRECISIONS:
        raise InputError(f"precision is {precision!r}; OpenVINO's are: {', '.join(OPENVINO_PRECISIONS)}")
    if not isinstance(model, DNeRV) or model.encoder is None:
        raise InputError(f"{precision} decodes networks with keyframes alone; this one has none")
    if precision == "openvino-bf16" and not computes_bf16():
        raise InputError("openvino-bf16 needs a processor that computes in bfloat16; use openvino-fp32 or openvino-int8")


def _clip_of(inputs: ClipInputs, clip: int) -> ClipInputs:
    names = ("time", "start", "end", "distance", "entry")
    return replace(inputs, **{name: getattr(inputs, name)[clip : clip + 1] for name in names})


def _unshuffled(x: Tensor, stride: int) -> Tensor:
    return x if stride == 1 else F.pixel_unshuffle(x, stride)  # by 1 it would copy
