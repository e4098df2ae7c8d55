"""D-NeRV computed fast: the same function as `dnerv.families.DNeRV`, its reference, from the same parameters.

What makes it fast, most important first:
- channels-last everywhere; a pointwise layer is a matrix product over rows of channels;
- GTMLP is one product over (time, channel) with the frames of a clip side by side at each pixel ("woven"), and the last
  one melts into the two pointwise layers that read it;
- keyframe features are projected to (1 + gamma, beta) once per keyframe, then warped and blended in one sparse product
  (`engine.warping`);
- without gradients the last and largest stage is made band by band, so that it stays in cache;
- half precision throughout but for coordinates, flow, the instance norm and the colours that are warped.
"""

from __future__ import annotations

from typing import TypeGuard

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnerv.engine.colours import frames_of_squares, squares, warped_colours
from dnerv.engine.features import Features
from dnerv.engine.folding import Convolution, FlowHead, Folded, Pointwise, Stage, fold
from dnerv.engine.rows import Planes, Rows
from dnerv.engine.warping import gather, padded_table
from dnerv.families import ClipInputs, DNeRV

_BAND_ELEMENTS = 1 << 21  # of a band's widest tensor: it stays in cache, and its memory is not given back to the system


def is_fused(model: nn.Module) -> TypeGuard[DNeRV]:
    """Whether the fused path serves this network; others run through their plain modules."""
    if not isinstance(model, DNeRV):
        return False
    config = model.config
    return config.fusion == "adaptive" and config.flow != "single-scale" and config.temporal != "attention"


class FusedDNeRV(nn.Module):
    """A D-NeRV that `is_fused`. `dtype` is that of features and activations: float32, bfloat16 or float16."""

    def __init__(self, model: DNeRV, dtype: torch.dtype = torch.float32) -> None:
        """Wrap `model`, whose parameters are used as they are at every call."""
        super().__init__()
        assert is_fused(model), "this network runs through its plain modules"
        self.model, self.dtype = model, dtype

    def forward(self, inputs: ClipInputs) -> Tensor:
        """-> float32 [B, T, 3, H, W], RGB in [0, 1]; differentiable."""
        folded = fold(self.model, self.dtype)
        return self.decode(inputs, self.encode(inputs.keyframes, folded), folded)

    def encode(self, keyframes: Tensor, folded: Folded) -> Features:
        """Keyframes float32 [M, 3, H, W], RGB in [0, 1], to features."""
        config = self.model.config
        first, *body = folded.encoder
        normalised = ((keyframes - self.model.mean) / self.model.std).to(self.dtype)
        x = _unshuffle(normalised, config.output_stride).contiguous(memory_format=torch.channels_last)
        x = _gelu(_convolve(x, first))
        maps = []
        for layer in body:
            x = _gelu(_convolve(x, layer))
            maps.append(x)
        coarse_to_fine = [features.permute(0, 2, 3, 1) for features in reversed(maps)]
        if not config.contrast:
            pairs = zip(coarse_to_fine, folded.stages, strict=True)
            coarse_to_fine = [_linear(rows, stage.project) for rows, stage in pairs]
        return Features(maps[-1], tuple(coarse_to_fine), keyframes)

    def decode(self, inputs: ClipInputs, features: Features, folded: Folded) -> Tensor:
        """Frames of clips whose `start` and `end` count in `features`; `inputs.keyframes` is not read."""
        clips, length = inputs.time.shape
        x = self.model.enter(self.model.stem(inputs.time), features.coarsest.float(), inputs).to(self.dtype)
        rows, planes = Rows(x.permute(0, 2, 3, 1), length, is_woven=False), None
        for scale, (stage, seen) in enumerate(zip(folded.stages, features.maps, strict=True)):
            if scale:
                rows = _upsample(x, folded.stages[scale - 1], length)
            planes = self._planes(rows, stage.flow, planes, scale, inputs)
            x = self._modulate(rows, planes, stage, padded_table(seen), inputs)
        frames = self._finish(x, planes, inputs, features, folded)
        return frames.view(clips, length, 3, *self.model.config.canvas)

    def _planes(
        self, rows: Rows, head: FlowHead | None, coarser: Planes | None, scale: int, inputs: ClipInputs
    ) -> Planes:
        if head is None:
            return self._still(*rows.frame_shape, inputs)
        hidden = rows.unwoven(_gelu(_linear(rows.values, head.enter)))
        return self._refined(_convolve(hidden.permute(0, 3, 1, 2), head.leave), coarser, scale, inputs)

    def _still(self, frames: int, height: int, width: int, inputs: ClipInputs) -> Planes:
        return Planes(inputs.distance.new_zeros(4, frames, height, width), inputs.distance.view(-1, 1, 1))

    def _refined(self, answer: Tensor, coarser: Planes | None, scale: int, inputs: ClipInputs) -> Planes:
        """What a flow head answers, [N, 4 or 5, h, w], as planes."""
        planes = answer.transpose(0, 1).float().contiguous()
        share = inputs.distance.reshape(-1, 1, 1)
        flow, shift = torch.split_with_sizes(planes, (4, len(planes) - 4))
        if self.model.config.refined_flow and coarser is not None:
            flow = flow + coarser.enlarged(self.model.config.strides[scale - 1]).flow
        if len(shift):
            share = (share + shift[0]).clamp(0, 1)
        return Planes(flow, share)

    def _modulate(self, rows: Rows, planes: Planes, stage: Stage, table: Tensor, inputs: ClipInputs) -> Tensor:
        """Warp, blend, modulate: [N, h, w, C], frame by frame."""
        channels = rows.values.shape[-1]
        flow, share, grid = rows.weave(planes.flow), rows.weave(planes.share[None])[0], rows.grid(inputs)
        if self.model.config.contrast:
            before, after = gather(table, flow, None, grid).unbind(1)
            share = share.expand(flow.shape[1:]).reshape(-1, 1).to(before.dtype)
            seen = torch.cat((torch.lerp(before, after, share), after - before), dim=1)
            style = _linear(seen, stage.project)
        else:
            style = gather(table, flow, share, grid)
        scale, shift = style.view(*rows.values.shape[:-1], 2 * channels).chunk(2, dim=-1)
        return rows.modulated(scale, shift)

    def _finish(
        self, x: Tensor, planes: Planes | None, inputs: ClipInputs, features: Features, folded: Folded
    ) -> Tensor:
        """The last block's input [N, h, w, C] to frames [N, 3, H, W]."""
        config, tail = self.model.config, folded.tail
        for_flow, hidden = self._enter_tail(x, folded, inputs.time.shape[1])  # (N, h', w', ...) each
        if tail.flow is None:
            frames, height, width, _ = hidden.shape
            planes = self._still(frames, height, width, inputs)
        else:
            answer = _convolve(_gelu(for_flow).permute(0, 3, 1, 2), tail.flow)
            planes = self._refined(answer, planes, len(folded.stages), inputs)
        stride = config.output_stride
        blend, difference = warped_colours(features.colours, planes, inputs, stride)
        colours = torch.cat((blend, difference), dim=1) if config.contrast else blend
        seen = squares(colours, stride).flatten(3).to(self.dtype)
        coloured = _add_product(hidden.flatten(0, 2), seen.flatten(0, 2), tail.colour)
        rgb = _convolve(_gelu(coloured).view(hidden.shape).permute(0, 3, 1, 2), tail.head).permute(0, 2, 3, 1)
        answer = torch.unflatten(rgb, 3, (3, stride, stride)).float()
        if config.head == "residual":
            answer = answer + squares(blend, stride)
        return frames_of_squares(answer).clamp(0, 1)

    def _enter_tail(self, x: Tensor, folded: Folded, length: int) -> tuple[Tensor, Tensor]:
        """The last block and both heads' first layers, before GELU, [N, h', w', ...]; in bands without gradients."""
        stage, enter, widths = folded.stages[-1], folded.tail.enter, folded.tail.hidden
        frames, height, width, _ = x.shape
        shape = (frames, height * stage.stride, width * stage.stride)
        if torch.is_grad_enabled():
            made = _into_heads(_convolve(x.permute(0, 3, 1, 2), stage.convolution), stage, enter, length)
            flow, head = (part.reshape(*shape, -1) for part in torch.split_with_sizes(made, widths, dim=-1))
            return flow, head
        band = max(1, _BAND_ELEMENTS // (frames * width * stage.convolution.weight.shape[0]))
        flow, head = (
            x.new_empty(frames // length, length, height, stage.stride, width, stage.stride, count) for count in widths
        )
        for top in range(0, height, band):
            past = min(top + band, height)
            part = x[:, max(top - 1, 0) : past + 1]
            part = F.pad(part, (0, 0, 0, 0, int(top == 0), int(past == height))).permute(0, 3, 1, 2)
            made = F.conv2d(part, stage.convolution.weight, stage.convolution.bias, padding=(0, 1))
            parts = torch.split_with_sizes(_into_heads(made, stage, enter, length), widths, dim=-1)
            flow[:, :, top:past], head[:, :, top:past] = parts
        return flow.view(*shape, -1) if widths[0] else flow, head.view(*shape, -1)


def _upsample(x: Tensor, stage: Stage, length: int) -> Rows:
    """Convolution, GELU, shuffle, GTMLP: [N, h, w, C] to the next stage's rows."""
    y = _shuffled(_gelu(_convolve(x.permute(0, 3, 1, 2), stage.convolution)), stage)
    if stage.mixing is not None:
        clips = torch.unflatten(y, 0, (-1, length)).permute(0, 2, 3, 4, 5, 1, 6)  # (B, h, s, w, s, T, C)
        mixed = _linear(clips.flatten(5), stage.mixing)
        shape = (len(clips), x.shape[1] * stage.stride, x.shape[2] * stage.stride, length, stage.out_channels)
        return Rows(mixed.view(shape), length, is_woven=True)
    frames = y.reshape(len(x), x.shape[1] * stage.stride, x.shape[2] * stage.stride, stage.out_channels)
    if stage.mixings is not None:
        clips = torch.unflatten(frames, 0, (-1, length)).permute(4, 1, 0, 2, 3)  # (C, T, B, h, w)
        mixed = torch.baddbmm(stage.mixings.bias, stage.mixings.weight, clips.flatten(2))
        frames = mixed.view(clips.shape).permute(2, 1, 3, 4, 0).reshape(frames.shape)
    return Rows(frames, length, is_woven=False)


def _into_heads(made: Tensor, stage: Stage, enter: Pointwise, length: int) -> Tensor:
    """The last convolution's output [N, C', h, w] through GELU, shuffle, GTMLP and the heads' first layers.

    Returns:
        A view [B, T, h, s, w, s, hidden].
    """
    y = torch.unflatten(_shuffled(_gelu(made), stage), 0, (-1, length))
    if enter.weight.shape[1] == stage.out_channels:
        return _linear(y, enter)
    hidden = _linear(y.permute(0, 2, 3, 4, 5, 1, 6).flatten(5), enter)
    return torch.unflatten(hidden, 5, (length, -1)).permute(0, 5, 1, 2, 3, 4, 6)


def _shuffled(made: Tensor, stage: Stage) -> Tensor:
    """PixelShuffle without its copy: [N, s * s * C, h, w] to a view [N, h, s, w, s, C]."""
    rows = made.permute(0, 2, 3, 1)
    return torch.unflatten(rows, 3, (stage.stride, stage.stride, -1)).permute(0, 1, 3, 2, 4, 5)


def _unshuffle(x: Tensor, stride: int) -> Tensor:
    return x if stride == 1 else F.pixel_unshuffle(x, stride)  # by 1 it would copy


def _convolve(x: Tensor, layer: Convolution) -> Tensor:
    """A 3x3 convolution, or one whose stride is its size, on [N, C, H, W] in channels-last memory."""
    padding = layer.weight.shape[-1] // 2 if layer.stride == 1 else 0
    return F.conv2d(x, layer.weight, layer.bias, stride=layer.stride, padding=padding)


def _linear(x: Tensor, layer: Pointwise) -> Tensor:
    return F.linear(x, layer.weight, layer.bias)


def _add_product(x: Tensor, left: Tensor, right: Tensor) -> Tensor:
    """`x + left @ right`; in place where no gradient will ask for `x`."""
    return torch.addmm(x, left, right) if torch.is_grad_enabled() else x.addmm_(left, right)


def _gelu(x: Tensor) -> Tensor:
    """GELU; in place where no gradient will ask for the input."""
    if torch.is_grad_enabled():
        return F.gelu(x)
    return torch.ops.aten.gelu_(x)  # type: ignore[no-any-return]
