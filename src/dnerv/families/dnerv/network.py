"""D-NeRV: one implicit network for a diverse collection, conditioned on keyframes (He et al., CVPR 2023).

    time ─ positional encoding ─ stem ─┐
                                       ├─ concat, instance norm ─ x
    keyframes ─ encoder ─ coarsest ────┘                          │
        │                                     at every scale: flow head(x) ─ flow
        └─ features of that scale ─ warp by flow ─ blend by distance ─ SAF(x) ─ conv, shuffle, GELU ─ GTMLP ─ x
                                                            │
                        at the last scale the features are the RGB keyframes, and a head makes the frame

Notable decisions:
- frames are rows of one 4-D batch, [B * T, C, H, W]: all convolutions are 2-D, channels-last where memory allows;
- a keyframe is a row of its own batch, encoded once however many frames use it, any number of keyframes to a clip;
- the paper does not say at which scale a single flow is predicted: here at the coarsest, enlarged for all others;
- the residual head (ours) adds the correction to the warped, blended RGB, starting from exactly that blend.
"""

from __future__ import annotations

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from dnerv.families.dnerv.config import DNeRVConfig
from dnerv.families.dnerv.decoder import DecoderBlock
from dnerv.families.dnerv.encoder import VisualContentEncoder
from dnerv.families.dnerv.flow import PointwiseThenSpatial, warp
from dnerv.families.inputs import ClipInputs
from dnerv.families.network import Motion, Network
from dnerv.families.stem import Stem

_FLOW_SCALES = {"multi-scale": None, "single-scale": 1, "none": 0}  # that have a flow head, from the coarsest


class DNeRV(Network):
    """The network of section 3, each component switchable by the configuration."""

    config: DNeRVConfig
    mean: Tensor
    std: Tensor

    def __init__(self, config: DNeRVConfig) -> None:
        super().__init__()
        self.config = config
        widths = (config.entry_channels, *config.stage_channels)
        self.stem = Stem(
            config.encoding_base, config.encoding_levels, config.stem_channels, config.base_channels, config.grid
        )
        self.encoder = (
            VisualContentEncoder(config.encoder_channels, config.strides, config.output_stride)
            if config.uses_keyframes
            else None
        )
        self.blocks = nn.ModuleList(
            DecoderBlock(config, before, after, stride)
            for before, after, stride in zip(widths, widths[1:], config.strides, strict=False)
        )
        self.flow_heads = nn.ModuleList(
            PointwiseThenSpatial(width, 4 + (config.adaptive_blend and scale == len(config.strides)), config.min_hidden)
            for scale, width in enumerate(widths[: _FLOW_SCALES[config.flow]])
        )
        square = config.output_stride**2
        colours = 3 * (config.uses_keyframes + config.contrast)
        self.head = PointwiseThenSpatial(widths[-1] + colours * square, 3 * square, config.min_hidden)
        # On the CPU even where the weights are left on "meta": nobody loads these.
        self.register_buffer("mean", torch.tensor(config.mean, device="cpu").view(1, 3, 1, 1), persistent=False)
        self.register_buffer("std", torch.tensor(config.std, device="cpu").view(1, 3, 1, 1), persistent=False)
        if config.head == "residual":
            self._start_from_blend()

    def _start_from_blend(self) -> None:
        self.head.zero_output()
        for head in self.flow_heads:
            assert isinstance(head, PointwiseThenSpatial)
            head.zero_output()

    def start_at_identity(self) -> None:
        """Let the temporal modules start with nothing to add, in place of the published random start."""
        for block in self.blocks:
            assert isinstance(block, DecoderBlock)
            if block.temporal is not None:
                block.temporal.start_at_identity()

    def forward(self, inputs: ClipInputs) -> Tensor:
        """-> float [B, T, 3, H, W], RGB in [0, 1]."""
        frame, _ = self.frames_and_motion(inputs)
        return frame.view(*inputs.time.shape, *frame.shape[1:])

    def motion(self, inputs: ClipInputs) -> Motion | None:
        """As `Network` says: None without keyframes, and where the configuration has no flow."""
        return None if self.config.flow == "none" else self.frames_and_motion(inputs)[1]

    def frames_and_motion(self, inputs: ClipInputs) -> tuple[Tensor, Motion | None]:
        """-> RGB [B * T, 3, H, W] in [0, 1], and the motion of the finest scale (None without keyframes)."""
        stride = self.config.output_stride
        x = self.stem(inputs.time)
        if self.encoder is None:
            for block in self.blocks:
                x = block(x, None)
            return (F.pixel_shuffle(self.head(x), stride) * self.std + self.mean).clamp(0, 1), None
        maps = self.encoder((inputs.keyframes - self.mean) / self.std)
        x = self.enter(x, maps[0], inputs)
        motion: Motion | None = None
        for scale, block in enumerate(self.blocks):
            motion = self._motion(x, scale, motion, inputs)
            x = block(x, self._fetch(maps[scale], motion, inputs))
        motion = self._motion(x, len(self.blocks), motion, inputs).enlarged(stride)
        colours = self._fetch(maps[-1], motion, inputs)
        rgb = self.head(torch.cat((x, F.pixel_unshuffle(colours, stride).to(x.dtype)), dim=1)).float()
        rgb = F.pixel_shuffle(rgb, stride)
        if self.config.head == "residual":
            rgb = rgb + colours[:, :3]
        return (rgb * self.std + self.mean).clamp(0, 1), motion

    def enter(self, x: Tensor, coarsest: Tensor, inputs: ClipInputs) -> Tensor:
        """Concatenate the stem with the coarsest features, interpolated over time; instance norm over (T, H, W)."""
        weight = inputs.entry.reshape(-1, 1, 1, 1).to(coarsest.dtype)
        features = torch.lerp(coarsest[inputs.start.flatten()], coarsest[inputs.end.flatten()], weight)
        x = torch.cat((x.to(features.dtype), features), dim=1)
        frames, channels, rows, columns = x.shape
        clips = x.view(*inputs.time.shape, channels, rows, columns).float()
        variance, mean = torch.var_mean(clips, dim=(1, 3, 4), correction=0, keepdim=True)
        x = ((clips - mean) * torch.rsqrt(variance + 1e-5)).view(frames, channels, rows, columns)
        return x.contiguous(memory_format=torch.channels_last)

    def _motion(self, x: Tensor, scale: int, coarser: Motion | None, inputs: ClipInputs) -> Motion:
        distance = inputs.distance.reshape(-1, 1, 1, 1)
        if self.config.flow == "none":
            still = x.new_zeros(x.shape[0], 2, *x.shape[2:], dtype=torch.float32)
            return Motion(still, still, distance)
        if self.config.flow == "single-scale" and coarser is not None:
            return coarser.enlarged(self.config.strides[scale - 1])
        predicted = self.flow_heads[scale](x).float()
        flow = predicted[:, :4]
        if self.config.refined_flow and coarser is not None:
            finer = coarser.enlarged(self.config.strides[scale - 1])
            flow = flow + torch.cat((finer.to_start, finer.to_end), dim=1)
        if predicted.shape[1] > 4:
            distance = (distance + predicted[:, 4:]).clamp(0, 1)
        return Motion(flow[:, :2], flow[:, 2:], distance)

    def _fetch(self, features: Tensor, motion: Motion, inputs: ClipInputs) -> Tensor:
        """Features [M, E, H, W] of the keyframes -> [B * T, E, H, W], warped and blended for every frame.

        With `contrast` the difference of the two warped maps follows the blend: [B * T, 2 * E, H, W].
        """
        before = warp(features[inputs.start.flatten()], motion.to_start)
        after = warp(features[inputs.end.flatten()], motion.to_end)
        blend = (1 - motion.weight) * before + motion.weight * after
        return torch.cat((blend, after - before), dim=1) if self.config.contrast else blend
