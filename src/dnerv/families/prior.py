"""A prior: a small network that restores the frames of any base layer, trained once and on other videos.

    keyframes ─ unshuffle ─ 3x3 ─ features
    coded frame    its features ───────────────────────────── 3x3 ─┐
    frame between  flow ─ both features warped, blended, ─ 3x3 ─ SAF ┴ blocks, also at half their size ─ 3x3 ─ shuffle
                   with their difference                            └──────────── + the frame or blend itself ────┘

Notable decisions:
- Everything but the sum at the end runs at half the size or below, where a multiplication costs a quarter.
- Frames between keyframes are D-NeRV's: task-oriented flow to both keyframes, and spatially adaptive fusion of what it
  fetches. Coded frames pass both by, and cost neither.
- What the codec did is known, and conditions every block: crf, distance of keyframes, and how far the next one is.
- The last layer and the flow start at zero: an untrained prior shows the base layer.
- Convolutions alone, and no time: frames of any size, of any video.
- An archive that names a prior holds none of its weights, or what is added to them (`AdaptedPrior`).
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from functools import cache
from re import fullmatch
from typing import Literal

import torch
from torch import Tensor, nn
from torch.func import functional_call
from torch.nn import functional as F

from dnerv.errors import ArchiveError, InputError
from dnerv.families.config import check_kind, check_range, check_size
from dnerv.families.dnerv.flow import warp
from dnerv.families.family import Family, Sizing
from dnerv.families.inputs import ClipInputs
from dnerv.families.network import Motion, Network

# What is added to a prior's weights: nothing; a gain and a bias for each channel; beside them the weights of the first
# and last layer on a frame's way; all weights.
Addition = Literal["nothing", "channels", "ends", "everything"]
ADDITIONS: tuple[Addition, ...] = ("nothing", "channels", "ends", "everything")
_ENDS = ("entry", "head")  # layers
_CONDITIONS = 4
_HIDDEN = 16  # of the layers that read the conditions
_CONTRAST = 4.0  # of what layers see, over RGB in [0, 1]
_RESIDUAL = 1 / 16  # what 1 in the last layer is worth in RGB
_SIDES = 4  # pixels: the canvas is a multiple of it
_COARSE_FROM = 32  # width of the narrowest network that runs at a quarter, too


@dataclass(frozen=True)
class PriorConfig:
    """What a prior is made of. `base_channels` is its width at half the size."""

    base_channels: int
    canvas: tuple[int, int]  # height, width in pixels of the frames that pass through it
    encoder_channels: int = 16  # features of a keyframe
    motion_channels: int = 16
    blocks: int = 1  # at half the size
    coarse_channels: int = 32  # at a quarter
    coarse_blocks: int = 1  # 0: nothing runs at a quarter
    clip_length: int = 8  # frames decoded together; a prior has no time, so only a batch size
    keyframe_every: int = 0  # of all videos; 0: of each its own
    prior: str = ""  # name of the weights (`PriorFile.hash`) that an archive does not hold; empty: it holds all
    addition: Addition = "everything"  # to those weights, or to none

    def __post_init__(self) -> None:
        check_range("base_channels", self.base_channels, 1, 1024)
        check_range("encoder_channels", self.encoder_channels, 1, 1024)
        check_range("motion_channels", self.motion_channels, 1, 1024)
        check_range("blocks", self.blocks, 0, 64)
        check_range("coarse_channels", self.coarse_channels, 1, 1024)
        check_range("coarse_blocks", self.coarse_blocks, 0, 64)
        check_range("clip_length", self.clip_length, 1, 256)
        check_range("keyframe_every", self.keyframe_every, 0, 65535)
        check_kind("addition", self.addition, Addition)
        if self.prior and not fullmatch("[0-9a-f]{32}", self.prior):
            raise ArchiveError(f"prior is {self.prior[:40]!r}; a name of 32 hexadecimal digits is expected")
        if not self.prior and self.addition != "everything":
            raise ArchiveError("a network that names no prior holds all of its weights")
        for side in self.canvas:
            check_range("canvas side", side, _SIDES, 8192)
            if side % _SIDES:
                raise ArchiveError(f"a canvas side is {side}; a prior's are multiples of {_SIDES} pixels")
        check_size(self)

    @property
    def uses_keyframes(self) -> bool:
        """Whether frames are conditioned on keyframes: always."""
        return True

    @property
    def absolute_time(self) -> bool:
        """Whether time runs over all videos: there is none."""
        return False

    @property
    def statistics(self) -> None:
        """A prior is of no corpus."""

    @property
    def largest_tensor(self) -> int:
        """Numbers in the largest tensor on the way from one clip's inputs to its frames."""
        quarter = self.canvas[0] * self.canvas[1] // 4
        motion = 20  # five planes at full size
        widths = 2 * self.base_channels, 3 * self.encoder_channels, self.base_channels + self.coarse_channels, motion
        return self.clip_length * quarter * max(widths)


class Block(nn.Module):
    """Two 3x3 convolutions beside a straight way; modulated between them by what the codec did."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, modulation: Tensor) -> Tensor:
        """[N, C, h, w], modulation [N, 2 * C] -> [N, C, h, w]."""
        gamma, beta = modulation.to(x.dtype)[..., None, None].chunk(2, dim=1)
        return x + self.second(F.relu(torch.addcmul(beta, self.first(x), 1 + gamma)))  # type: ignore[no-any-return]


class Prior(Network):
    """Coded frames restored, frames between them made of both of their keyframes."""

    config: PriorConfig

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        features, width, coarse = config.encoder_channels, config.base_channels, config.coarse_channels
        self.encoder = nn.Conv2d(12, features, 3, padding=1)
        self.flow = nn.Sequential(
            nn.Conv2d(2 * features, config.motion_channels, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(config.motion_channels, config.motion_channels, 3, padding=2, dilation=2),
            nn.ReLU(),
            nn.Conv2d(config.motion_channels, 5, 3, padding=1),
        )
        self.entry = nn.Conv2d(features, width, 3, padding=1)
        self.fusion = nn.Conv2d(2 * features, 2 * width, 1)
        widths = []
        if config.coarse_blocks:
            self.down = nn.Conv2d(width, coarse, 2, stride=2)
            self.coarse = nn.ModuleList(Block(coarse) for _ in range(config.coarse_blocks))
            self.up = nn.Conv2d(coarse, 4 * width, 1)
            widths += [2 * coarse] * config.coarse_blocks
        self.blocks = nn.ModuleList(Block(width) for _ in range(config.blocks))
        widths += [2 * width] * config.blocks
        self.head = nn.Conv2d(width, 12, 3, padding=1)
        self._widths = widths
        self.conditioning = nn.Sequential(nn.Linear(_CONDITIONS, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, sum(widths)))
        for last in (self.flow[-1], self.fusion, self.head, self.conditioning[-1]):
            for parameter in last.parameters():
                nn.init.zeros_(parameter)

    def forward(self, inputs: ClipInputs) -> Tensor:
        """-> float32 [B, T, 3, H, W], RGB in [0, 1]."""
        features = self._encoded(inputs.keyframes)
        start, end, distance = inputs.start.flatten(), inputs.end.flatten(), inputs.distance.flatten()
        own = torch.where(distance < 1, start, end)
        frames, seen = inputs.keyframes[own], features[own]
        between = torch.nonzero((distance > 0) & (distance < 1)).flatten()
        difference = None
        if len(between):
            motion = self._motion(features, start[between], end[between], distance[between])
            before, after = warp(features[start[between]], motion.to_start), warp(features[end[between]], motion.to_end)
            share = motion.weight.to(before.dtype)
            difference = after - before
            seen = seen.index_copy(0, between, torch.lerp(before, after, share))
            frames = frames.index_copy(0, between, _blended(inputs.keyframes, start[between], end[between], motion))
        x = self.entry(seen)
        if difference is not None:
            gamma, beta = self.fusion(torch.cat((seen[between], difference), dim=1)).chunk(2, dim=1)
            x = x.index_copy(0, between, torch.addcmul(beta, x[between], 1 + gamma))
        residual = self.head(self._trunk(F.relu(x), self._conditions(inputs)))
        made = frames + _RESIDUAL * F.pixel_shuffle(residual.float(), 2)
        return made.view(*inputs.time.shape, *made.shape[1:])

    def motion(self, inputs: ClipInputs) -> Motion | None:
        """How frames move their keyframes, at full resolution."""
        start, end, distance = inputs.start.flatten(), inputs.end.flatten(), inputs.distance.flatten()
        return self._motion(self._encoded(inputs.keyframes), start, end, distance).enlarged(2)

    def _encoded(self, keyframes: Tensor) -> Tensor:
        """[M, 3, H, W] -> [M, E, H / 2, W / 2]."""
        small = F.pixel_unshuffle(_CONTRAST * (keyframes - 0.5), 2).contiguous(memory_format=torch.channels_last)
        return F.leaky_relu(self.encoder(small), 0.2)

    def _motion(self, features: Tensor, start: Tensor, end: Tensor, distance: Tensor) -> Motion:
        """At half the size; found at a quarter."""
        pair = F.avg_pool2d(torch.cat((features[start], features[end]), dim=1), 2)
        found = self.flow(pair).float()
        found = F.interpolate(found, scale_factor=2, mode="bilinear", align_corners=False)
        share = distance[:, None, None, None]
        # Nothing moves that is there: a keyframe is as far from itself as the share of the other is small.
        to_start, to_end = 4 * share * found[:, :2], 4 * (1 - share) * found[:, 2:4]
        return Motion(to_start, to_end, (share + share * (1 - share) * found[:, 4:]).clamp(0, 1))

    def _conditions(self, inputs: ClipInputs) -> tuple[Tensor, ...]:
        """[B * T, 2 * C] for each block."""
        distance = inputs.distance
        crf, every = inputs.coding[:, None].expand(-1, distance.shape[1], -1).unbind(2)
        is_between = ((distance > 0) & (distance < 1)).to(distance.dtype)
        place = 4 * distance * (1 - distance)  # 1 in the middle between two keyframes
        told = torch.stack(((crf - 48) / 16, every.clamp(min=1).log2() / 2, is_between, place), 2)
        made: tuple[Tensor, ...] = self.conditioning(told.flatten(0, 1)).split(self._widths, dim=1)
        return made

    def _trunk(self, x: Tensor, modulations: tuple[Tensor, ...]) -> Tensor:
        count = self.config.coarse_blocks
        if count:
            y = F.relu(self.down(x))
            for block, modulation in zip(self.coarse, modulations[:count], strict=True):
                y = block(y, modulation)
            x = x + F.pixel_shuffle(self.up(y), 2)
        for block, modulation in zip(self.blocks, modulations[count:], strict=True):
            x = block(x, modulation)
        return x


class AdaptedPrior(Network):
    """What is added to a prior's weights, as the parameters of a network; the weights themselves stay as they are.

    Additions to one layer of the prior are called by its name: `gain` [out] (1 + gain multiplies its weights), `bias`
    [out], and `weight` as that of the layer.
    """

    config: PriorConfig
    weights: Mapping[str, Tensor]  # of the prior, by name

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config, self.prior = config, config.prior
        with torch.device("meta"):
            self._frame = [Prior(_whole(config))]  # in a list: its parameters are none of this network's
        for name, shape in self._shapes():
            layer, _, kind = name.rpartition(".")
            home = self
            for part in layer.split("."):
                if part not in dict(home.named_children()):
                    home.add_module(part, nn.Module())
                home = home.get_submodule(part)  # type: ignore[assignment]
            home.register_parameter(kind, nn.Parameter(torch.zeros(shape)))

    def start_from(self, weights: Mapping[str, Tensor]) -> AdaptedPrior:
        """Take over the prior's weights, float32 by name. Raises ArchiveError for those of another network."""
        expected = {name: tuple(parameter.shape) for name, parameter in self._frame[0].named_parameters()}
        if {name: tuple(weight.shape) for name, weight in weights.items()} != expected:
            raise ArchiveError("the prior's weights are not those of the network that the archive describes")
        self.weights = {name: weights[name] for name in expected}
        return self

    def whole(self) -> dict[str, Tensor]:
        """The prior's weights with what is added to them."""
        added, made = dict(self.named_parameters()), {}
        device = next((parameter.device for parameter in added.values()), None)
        if device is not None and any(weight.device != device for weight in self.weights.values()):
            self.weights = {name: weight.to(device) for name, weight in self.weights.items()}
        for name, weight in self.weights.items():
            layer = name.rpartition(".")[0]
            gain = added.get(f"{layer}.gain") if weight.dim() > 1 else None
            if gain is not None:
                weight = weight * (1 + gain.view(-1, *[1] * (weight.dim() - 1)))
            made[name] = weight + added[name] if name in added else weight
        return made

    def completed(self, weights: Mapping[str, Tensor]) -> Prior:
        """See `Network.completed`."""
        with torch.device("meta"):
            prior = Prior(_whole(self.config))
        prior.load_state_dict({n: w.detach() for n, w in self.start_from(weights).whole().items()}, assign=True)
        return prior

    def forward(self, inputs: ClipInputs) -> Tensor:
        """-> float32 [B, T, 3, H, W], RGB in [0, 1]."""
        made: Tensor = functional_call(self._frame[0], self.whole(), (inputs,))
        return made

    def _shapes(self) -> Iterator[tuple[str, tuple[int, ...]]]:
        addition = self.config.addition
        for name, parameter in self._frame[0].named_parameters():
            layer, _, kind = name.rpartition(".")
            is_whole = addition == "everything" or (addition == "ends" and layer in _ENDS)
            if kind == "weight" and addition != "nothing":
                yield (name, tuple(parameter.shape)) if is_whole else (f"{layer}.gain", (len(parameter),))
            elif addition != "nothing":
                yield name, tuple(parameter.shape)


def network(config: PriorConfig) -> Network:
    """The network whose parameters an archive holds."""
    return AdaptedPrior(config) if config.prior else Prior(config)


def _whole(config: PriorConfig) -> PriorConfig:
    return replace(config, prior="", addition="everything")


def _blended(keyframes: Tensor, start: Tensor, end: Tensor, motion: Motion) -> Tensor:
    """Colours of frames between keyframes, warped and blended at full resolution: float32 [N, 3, H, W]."""
    finer = motion.enlarged(2)
    return torch.lerp(warp(keyframes[start], finer.to_start), warp(keyframes[end], finer.to_end), finer.weight)


def sized(width: int, sizing: Sizing) -> PriorConfig:
    """The network of a width under everything else that was asked for. InputError for what a prior has not."""
    if sizing.components is not None:
        raise InputError("components are those of a D-NeRV: leave --model prior out")
    if sizing.paper:
        raise InputError("the paper has no prior: leave --model prior or --paper out")
    return PriorConfig(
        base_channels=width,
        canvas=sizing.canvas,
        encoder_channels=max(4, min(16, width // 2)),
        motion_channels=max(4, min(16, width // 2)),
        coarse_channels=max(4, width),
        coarse_blocks=1 if width >= _COARSE_FROM else 0,
        clip_length=sizing.clip_length,
        keyframe_every=sizing.keyframe_every,
    )


@cache
def multiply_adds(config: PriorConfig) -> int:
    """Of the convolutions for a frame of the canvas that is coded; its features are made for it alone."""
    with torch.device("meta"):
        prior = Prior(config)
    pixels = config.canvas[0] * config.canvas[1]
    at = {"up": 16, "down": 16, "coarse": 16}  # pixels of the canvas for each of the layer's
    count = 0
    for name, module in prior.named_modules():
        part = name.split(".")[0]
        if isinstance(module, nn.Conv2d) and part not in ("flow", "fusion"):
            count += module.weight.numel() * pixels // at.get(part, 4)
    return count


PRIOR = Family("prior", "Prior", PriorConfig, network, sized, multiply_adds, is_of_a_corpus=False)
