"""Clips made by OpenVINO's convolutions and torch's warping.

The plan is that of `dnerv.engine.fused`; what changes is who multiplies. Time, the instance norm, coordinates and
colours stay in float32.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace

import torch
from torch import Tensor

from dnerv.engine.features import Features
from dnerv.engine.folding import fold
from dnerv.engine.fused import FusedDNeRV
from dnerv.engine.openvino import OpenVINOPrecision
from dnerv.engine.openvino.colours import Blocks, blocks_of, split_planes, warp_colours
from dnerv.engine.openvino.network import Network
from dnerv.engine.openvino.quantisation import Range, ranges_of
from dnerv.engine.openvino.request import Request, computes_bf16
from dnerv.engine.rows import Planes, Rows
from dnerv.engine.warping import gather, gather_each, padded_table
from dnerv.errors import InputError
from dnerv.families import ClipInputs, DNeRV

_SAMPLES = 100_000  # values kept of an activation of one clip, about


class OpenVINODecoder:
    """Frames of clips, with the interface of `dnerv.engine.Decoder`; for one thread at a time.

    A clip's frames do not depend on the batch that it is in.
    """

    device = torch.device("cpu")
    shares_features = True

    def __init__(
        self, model: DNeRV, precision: OpenVINOPrecision, calibration: Callable[[], Sequence[ClipInputs]] | None
    ) -> None:
        """As `open_decoder` describes."""
        if precision == "openvino-bf16" and not computes_bf16():
            raise InputError("openvino-bf16 needs a processor with bfloat16; this one takes openvino-fp32 and -int8")
        clips = calibration() if precision == "openvino-int8" and calibration is not None else ()
        if precision == "openvino-int8" and not clips:
            raise InputError("openvino-int8 needs clips to measure its ranges on; none were given")
        self.precision, self.model = precision, model.cpu().eval().requires_grad_(False)
        self._half = precision != "openvino-fp32" and computes_bf16()
        self._fused = FusedDNeRV(self.model, torch.float32)
        with torch.inference_mode():
            self._folded = fold(self.model, torch.float32)
            self._network = Network.compile(self.model, self._folded, self._half, observes=bool(clips))
            if clips:
                self._network = Network.compile(self.model, self._folded, self._half, self._measured(clips))

    def encode(self, keyframes: Tensor) -> Features:
        """Keyframes uint8 [M, 3, H, W] to what `decode` needs of them."""
        with torch.inference_mode():
            return self._encode((keyframes.cpu().float() / 255).contiguous())

    def decode(self, inputs: ClipInputs, features: Features | None = None) -> Tensor:
        """-> float32 [B, T, 3, H, W], RGB in [0, 1].

        `features`: of the keyframes that `start` and `end` count; with them `inputs.keyframes` is not read.
        """
        inputs = inputs.to(self.device)
        with torch.inference_mode():
            if features is None:
                features = self._encode(inputs.keyframes.contiguous())
            tables = [self._tables(maps) for maps in features.maps]
            made = torch.empty(*inputs.time.shape, 3, *self.model.config.canvas)
            for clip, frames in enumerate(made):
                self._decode_clip(_clip_of(inputs, clip), features, tables, frames)
        return made

    def _encode(self, keyframes: Tensor) -> Features:
        encoder, encoded = self._network.encoder, []
        for number in range(len(keyframes)):
            keyframe = keyframes[number : number + 1]
            encoder.inputs[0].copy_(keyframe)
            encoder.run()
            coarsest, *maps = (rows.clone() for rows in encoder.outputs)
            encoded.append(Features(coarsest.permute(0, 3, 1, 2), tuple(maps), keyframe))
        return Features.join(encoded)

    def _tables(self, maps: Tensor) -> list[Tensor]:
        if self.model.config.contrast:
            return [padded_table(maps)]
        return [padded_table(part) for part in maps.chunk(2, dim=-1)]

    def _decode_clip(
        self, inputs: ClipInputs, features: Features, tables: Sequence[Sequence[Tensor]], made: Tensor
    ) -> None:
        """One clip, a batch of one, into `made`, [T, 3, H, W]."""
        x = self.model.enter(self.model.stem(inputs.time), features.coarsest, inputs)
        rows = Rows(x.permute(0, 2, 3, 1), len(made), is_woven=False)
        stages = self._network.stages
        stages[0].inputs[0].copy_(rows.values)
        planes = self._fused._planes(rows, self._folded.stages[0].flow, None, 0, inputs)
        for scale, (stage, seen) in enumerate(zip(stages, tables, strict=True)):
            if scale:
                planes = self._refined(stages[scale - 1], planes, scale, inputs)
            self._modulate(stage, seen, planes, inputs)
            stage.run()
        self._finish(self._blocks(planes, inputs), inputs, features, made)

    def _modulate(self, stage: Request, tables: Sequence[Tensor], planes: Planes, inputs: ClipInputs) -> None:
        """Warped features into the stage's inputs."""
        rows = stage.inputs[0]
        grid = Rows(rows, len(rows), is_woven=False).grid(inputs)
        if not self.model.config.contrast:
            return stage.take(1, gather_each(tables, planes.flow, planes.share, grid))
        before, after = gather(tables[0], planes.flow, None, grid).unbind(1)
        share = planes.share.expand(planes.flow.shape[1:]).reshape(-1, 1).to(before.dtype)
        return stage.take(1, [torch.cat((torch.lerp(before, after, share), after - before), dim=1)])

    def _refined(self, before: Request, coarser: Planes, scale: int, inputs: ClipInputs) -> Planes:
        """What the flow head between two stages answers."""
        if self.model.config.flow == "none":
            frames, height, width, _ = before.outputs[0].shape
            return self._fused._still(frames, height, width, inputs)
        return self._spread(before.outputs[1], coarser, scale, inputs)

    def _spread(self, answer: Tensor, coarser: Planes, scale: int, inputs: ClipInputs) -> Planes:
        """An answer in cells, [T, h, w, (dy, dx, k)], as planes."""
        frames, height, width, _ = answer.shape
        side = self._network.sides[scale - 1]
        cells = answer.view(frames, height, width, side, side, -1).permute(5, 0, 1, 3, 2, 4)
        planes = cells.reshape(-1, frames, height * side, width * side)
        return self._fused._refined(planes.transpose(0, 1), coarser, scale, inputs)

    def _blocks(self, planes: Planes, inputs: ClipInputs) -> Blocks:
        """Motion at the frame's own scale, as the head sees it."""
        config, side, flow = self.model.config, self._network.sides[-1], self._network.flow
        if flow is None:
            height, width = (length // config.output_stride for length in config.canvas)
            planes = self._fused._still(inputs.time.numel(), height, width, inputs)
        else:
            flow.run()
            answer = flow.outputs[0]
            if config.output_stride == 1 and not config.refined_flow:
                cells = answer.view(*answer.shape[:3], side, side, -1).permute(5, 0, 3, 4, 1, 2)[:, :, None, None]
                share = inputs.distance.view(-1, *[1] * 6)
                return Blocks(cells[:4], share if len(cells) == 4 else (share + cells[4]).clamp(0, 1))
            planes = self._spread(answer, planes, len(self._network.stages), inputs)
        return split_planes(planes.enlarged(config.output_stride), side, config.output_stride)

    def _finish(self, blocks: Blocks, inputs: ClipInputs, features: Features, made: Tensor) -> None:
        config, head = self.model.config, self._network.head
        colours = warp_colours(features.colours, blocks, inputs, contrast=config.contrast)
        head.take(1, [colours])
        head.run()
        rgb = head.outputs[0].view(len(made), 3, *colours.shape[2:])
        if config.head == "residual":
            rgb += colours[:, :3]
        blocks_of(made, self._network.sides[-1], config.output_stride).copy_(rgb.clamp_(0, 1))

    def _measured(self, batches: Sequence[ClipInputs]) -> dict[str, Range]:
        """Ranges of the activations that are kept in 8 bits, over these clips."""
        seen: dict[str, list[Tensor]] = {}
        for batch in batches:
            features = self._encode(batch.keyframes.contiguous())
            for clip in range(len(batch.time)):
                self.decode(_clip_of(batch, clip), features)
                for stage in self._network.stages:
                    for name, values in stage.observed.items():
                        step = max(1, values.numel() // _SAMPLES)
                        seen.setdefault(name, []).append(values.flatten()[::step].clone())
        return ranges_of({name: torch.cat(parts) for name, parts in seen.items()})


def _clip_of(inputs: ClipInputs, clip: int) -> ClipInputs:
    """A batch of one."""
    names = ("time", "start", "end", "distance", "entry")
    return replace(inputs, **{name: getattr(inputs, name)[clip : clip + 1] for name in names})
