"""A prior: one small network that restores any video's coded frames, trained once and named by archives.

    current ────┐                            ┌─ current, previous, next ─ 3x3 ─ x
    previous    ├─ unshuffle ─ 3x3, shared ──┤                                │
    next        │                            └─ anchors ─ flow, warp, blend ─ SAF ─ a quarter, an eighth of the size
    two anchors ┘                                                             │     and back (U-Net)
                                     current + shuffle ─ 3x3 ─ blocks at half the size

Notable decisions:
- Everything runs at half the size or below, where a multiplication costs a quarter.
- Anchors are what keyframes are to D-NeRV: two frames, one before and one after, that were coded better than their
  surroundings. Their features are warped by flow and fused by spatially adaptive fusion, as there.
- What the codec did is known, and conditions every block: crf, bits of the frame and of those it is shown, distances.
- The last layer starts at zero: an untrained prior changes nothing.
- Convolutions alone: frames of any size, padded inside to a multiple of eight pixels.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import torch
from torch import Tensor, nn
from torch.nn import functional as F

SHOWN = 5  # frames that a prior sees: current, previous, next, the anchor before, the anchor after
CONDITIONS = 12  # numbers that say what the codec did: `context.conditions`
ANCHOR_DISTANCES = (10, 11)  # which of them are the distances to the anchors
_HIDDEN = 32  # of the layers that read the conditions
_MULTIPLE = 8  # pixels
_CONTRAST = 4.0  # of what layers see, over RGB in [0, 1]
_RESIDUAL = 1 / 16  # what 1 in the last layer is worth in RGB


@dataclass(frozen=True)
class PriorConfig:
    """Sizes, and which of its parts a prior has."""

    encoder_channels: int  # features of every frame that it sees
    motion_channels: int
    half: tuple[int, int]  # channels and blocks at half the size
    quarter: tuple[int, int] = (0, 0)
    eighth: tuple[int, int] = (0, 0)
    sees_neighbours: bool = True
    sees_anchors: bool = True
    has_flow: bool = True
    is_conditioned: bool = True


SIZES = {
    "30k": PriorConfig(encoder_channels=12, motion_channels=12, half=(24, 1)),
    "100k": PriorConfig(encoder_channels=16, motion_channels=20, half=(40, 1), quarter=(32, 1)),
    "300k": PriorConfig(encoder_channels=16, motion_channels=20, half=(32, 1), quarter=(48, 1), eighth=(64, 2)),
}
WITHOUT = {
    "conditions": replace(SIZES["100k"], is_conditioned=False),
    "neighbours": replace(SIZES["100k"], sees_neighbours=False),
    "anchors": replace(SIZES["100k"], sees_anchors=False),
    "flow": replace(SIZES["100k"], has_flow=False),
}


class Prior(nn.Module):
    """`current` plus what it lacks."""

    def __init__(self, config: PriorConfig) -> None:
        super().__init__()
        self.config = config
        features, (width, blocks) = config.encoder_channels, config.half
        seen = 3 if config.sees_neighbours else 1
        self.encoder = nn.Conv2d(12, features, 3, padding=1)
        self.entry = nn.Conv2d(seen * features, width, 3, padding=1)
        self.motion = Motion(features, config.motion_channels) if config.sees_anchors and config.has_flow else None
        self.fusion = nn.Conv2d(2 * features, 2 * width, 1) if config.sees_anchors else None
        self.coarse = Coarse(width, (config.quarter, config.eighth)) if config.quarter[1] else None
        self.blocks = nn.ModuleList(Block(width) for _ in range(blocks))
        self.head = nn.Conv2d(width, 12, 3, padding=1)
        nn.init.zeros_(self.head.weight)
        nn.init.zeros_(self.head.bias)
        widths = [module.width for module in self.modules() if isinstance(module, Block)]
        self.conditioning = Conditioning(widths) if config.is_conditioned else None

    def forward(self, frames: Tensor, conditions: Tensor) -> Tensor:
        """Frames [N, 5, 3, H, W], RGB in [0, 1], and conditions [N, 12] -> restored, float32 [N, 3, H, W]."""
        return self.restored_and_aligned(frames, conditions)[0]

    def restored_and_aligned(self, frames: Tensor, conditions: Tensor) -> tuple[Tensor, Tensor | None]:
        """As `forward`; and the blend of the anchors, warped, at half the size (None without flow)."""
        height, width = frames.shape[-2:]
        padding = (0, -width % _MULTIPLE, 0, -height % _MULTIPLE)
        padded = F.pad(frames.flatten(0, 1), padding, mode="replicate") if any(padding) else frames.flatten(0, 1)
        small = F.pixel_unshuffle(_CONTRAST * (padded - 0.5), 2).contiguous(memory_format=torch.channels_last)
        features = F.leaky_relu(self.encoder(small), 0.2).unflatten(0, (-1, SHOWN))
        current, before, after = features[:, 0], features[:, 3], features[:, 4]
        shown = features[:, :3] if self.config.sees_neighbours else features[:, :1]
        x = self.entry(shown.flatten(1, 2).contiguous(memory_format=torch.channels_last))
        aligned = None
        if self.fusion is not None:
            share = anchor_share(conditions)
            if self.motion is not None:
                flow, share = self.motion(current, before, after, share)
                before, after = warp(before, flow[:, :2]), warp(after, flow[:, 2:])
                aligned = _blend(small.unflatten(0, (-1, SHOWN))[:, 3:], flow, share)
            difference = after - before
            fused = torch.cat((before + share.to(before.dtype) * difference, difference), dim=1)
            gamma, beta = self.fusion(fused.contiguous(memory_format=torch.channels_last)).chunk(2, dim=1)
            x = x * (1 + gamma) + beta
        x = F.relu(x)
        modulations = iter(self.conditioning(conditions) if self.conditioning is not None else ())
        if self.coarse is not None:
            x = x + self.coarse(x, modulations)
        for block in self.blocks:
            x = block(x, next(modulations, None))
        residual = _RESIDUAL * F.pixel_shuffle(self.head(x).float(), 2)
        return frames[:, 0].float() + residual[..., :height, :width], aligned


class Motion(nn.Module):
    """Flow from the current frame to both anchors, found at a quarter of the size, in pixels of the half."""

    def __init__(self, features: int, width: int) -> None:
        super().__init__()
        self.layers = nn.Sequential(
            nn.Conv2d(3 * features, width, 1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, width, 3, padding=1),
            nn.ReLU(),
            nn.Conv2d(width, 5, 3, padding=1),
        )
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, current: Tensor, before: Tensor, after: Tensor, share: Tensor) -> tuple[Tensor, Tensor]:
        """Features [N, E, h, w] -> dx, dy to the anchor before, then to the one after, and the share of the latter."""
        quarter = F.avg_pool2d(torch.cat((current, before, after), dim=1), 2)
        found = self.layers(quarter.contiguous(memory_format=torch.channels_last)).float()
        found = F.interpolate(found, scale_factor=2, mode="bilinear", align_corners=False)
        return 2 * found[:, :4], (share + found[:, 4:]).clamp(0, 1)


class Block(nn.Module):
    """Two 3x3 convolutions beside a straight way; modulated between them by what the codec did."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.width = width
        self.first = nn.Conv2d(width, width, 3, padding=1)
        self.second = nn.Conv2d(width, width, 3, padding=1)

    def forward(self, x: Tensor, modulation: Tensor | None) -> Tensor:
        """[N, C, h, w], modulation [N, 2 * C] -> [N, C, h, w]."""
        y = self.first(x)
        if modulation is not None:
            gamma, beta = modulation[..., None, None].chunk(2, dim=1)
            y = y * (1 + gamma) + beta
        return x + self.second(F.relu(y))  # type: ignore[no-any-return]


class Coarse(nn.Module):
    """Blocks at half the size of what comes in, and within, at half of that."""

    def __init__(self, width: int, stages: tuple[tuple[int, int], ...]) -> None:
        super().__init__()
        (inner, blocks), *rest = stages
        self.down = nn.Conv2d(width, inner, 2, stride=2)
        self.coarse = Coarse(inner, tuple(rest)) if rest and rest[0][1] else None
        self.blocks = nn.ModuleList(Block(inner) for _ in range(blocks))
        self.up = nn.Conv2d(inner, 4 * width, 1)

    def forward(self, x: Tensor, modulations: object) -> Tensor:
        """[N, C, h, w] -> [N, C, h, w]; takes its blocks' modulations from the iterator."""
        x = F.relu(self.down(x))
        if self.coarse is not None:
            x = x + self.coarse(x, modulations)
        for block in self.blocks:
            x = block(x, next(modulations, None))  # type: ignore[call-overload]
        return F.pixel_shuffle(self.up(x), 2)


class Conditioning(nn.Module):
    """What the codec did, as scale and shift of every channel of every block, in the order in which blocks run."""

    def __init__(self, widths: list[int]) -> None:
        super().__init__()
        self.widths = [2 * width for width in widths]
        self.layers = nn.Sequential(nn.Linear(CONDITIONS, _HIDDEN), nn.ReLU(), nn.Linear(_HIDDEN, sum(self.widths)))
        nn.init.zeros_(self.layers[-1].weight)
        nn.init.zeros_(self.layers[-1].bias)

    def forward(self, conditions: Tensor) -> tuple[Tensor, ...]:
        """[N, 12] -> [N, 2 * C] per block."""
        made: tuple[Tensor, ...] = self.layers(conditions).split(self.widths, dim=1)
        return made


def anchor_share(conditions: Tensor) -> Tensor:
    """Share of the anchor after, by distance: [N, 12] -> float32 [N, 1, 1, 1]; a half where there is none."""
    before, after = (conditions[:, place].float() for place in ANCHOR_DISTANCES)
    share = torch.where(before + after > 0, before / (before + after).clamp(min=1e-6), 0.5)
    return share[:, None, None, None]


def warp(features: Tensor, flow: Tensor) -> Tensor:
    """Features [N, C, h, w] where the flow [N, 2, h, w], (dx, dy) in pixels, points; borders repeated."""
    height, width = features.shape[-2:]
    x = torch.arange(width, device=flow.device, dtype=torch.float32)
    y = torch.arange(height, device=flow.device, dtype=torch.float32)[:, None]
    at_x, at_y = (flow[:, 0].float() + x) * (2 / (width - 1)) - 1, (flow[:, 1].float() + y) * (2 / (height - 1)) - 1
    at = torch.stack((at_x, at_y), dim=-1)
    with torch.autocast(features.device.type, enabled=False):
        seen = F.grid_sample(features.float(), at, padding_mode="border", align_corners=True)
    return seen.to(features.dtype)


def multiply_adds(config: PriorConfig, height: int = 64, width: int = 64) -> float:
    """Multiply-adds of convolutions per pixel of a frame, every frame's features made once."""
    count = 0

    def add(layer: nn.Module, inputs: tuple[Tensor, ...], made: Tensor) -> None:
        nonlocal count
        assert isinstance(layer, nn.Conv2d)
        frames = SHOWN if layer is prior.encoder else 1
        count += made[0].numel() * layer.weight[0].numel() * made.shape[0] // frames

    prior = Prior(config)
    for module in prior.modules():
        if isinstance(module, nn.Conv2d):
            module.register_forward_hook(add)
    with torch.no_grad():
        prior(torch.zeros(1, SHOWN, 3, height, width), torch.zeros(1, CONDITIONS))
    return count / (height * width)


def _blend(anchors: Tensor, flow: Tensor, share: Tensor) -> Tensor:
    """Unshuffled anchors [N, 2, 12, h, w], as layers see them -> RGB in [0, 1] at half the size, [N, 3, h, w]."""
    colours = anchors.unflatten(2, (3, 4)).mean(3).float() / _CONTRAST + 0.5
    return torch.lerp(warp(colours[:, 0], flow[:, :2]), warp(colours[:, 1], flow[:, 2:]), share)
