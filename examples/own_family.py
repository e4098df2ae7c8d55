"""A family of networks of one's own, encoded, stored and read like D-NeRV: keyframes blended, and a colour added.

python examples/own_family.py VIDEOS blend.dnerv

In the package it would be `dnerv/families/blend.py`, and a word in `dnerv/families/registry.py`.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass
from pathlib import Path

import torch
from torch import Tensor, nn
from torch.nn import functional as F

import dnerv
from dnerv.families import ClipInputs, Family, Network, register
from dnerv.families.config import check_range, check_size


# --8<-- [start:family]
@dataclass(frozen=True)
class BlendConfig:
    """The two keyframes of a frame, blended, and one colour for each moment added."""

    base_channels: int
    canvas: tuple[int, int]
    clip_length: int = 8
    keyframe_every: int = 8
    uses_keyframes = True
    absolute_time = False
    statistics = None

    def __post_init__(self) -> None:
        """Raise ArchiveError for what no network can be."""
        check_range("base_channels", self.base_channels, 1, 64)
        check_size(self)

    @property
    def largest_tensor(self) -> int:
        """Numbers of the largest tensor on a clip's way through."""
        return 6 * self.clip_length * self.canvas[0] * self.canvas[1]


class Blend(Network):
    """The network: float32 [B, T, 3, H, W] in [0, 1]."""

    def __init__(self, config: BlendConfig) -> None:
        super().__init__()
        self.config = config
        self.enter, self.leave = nn.Linear(1, config.base_channels), nn.Linear(config.base_channels, 3)
        nn.init.zeros_(self.leave.weight)
        nn.init.zeros_(self.leave.bias)

    def forward(self, inputs: ClipInputs) -> Tensor:
        """See `Network`."""
        before, after = inputs.keyframes[inputs.start], inputs.keyframes[inputs.end]  # (B, T, 3, H, W)
        blend = torch.lerp(before, after, inputs.distance[..., None, None, None])
        shift = self.leave(F.gelu(self.enter(inputs.time[..., None])))  # (B, T, 3)
        frames: Tensor = (blend + shift[..., None, None]).clamp(0, 1)
        return frames


BLEND = Family(
    name="blend",
    title="Blend",
    config=BlendConfig,
    network=Blend,
    sized=lambda width, sizing: BlendConfig(width, sizing.canvas, sizing.clip_length, sizing.keyframe_every),
    multiply_adds=lambda config: 0,
)
# --8<-- [end:family]


def main(videos: Path, path: Path, *, epochs: int = 20) -> None:
    """Encode with it, and read."""
    register(BLEND)
    options = dnerv.EncodeOptions(model="blend", width=8, every=4, epochs=epochs, network="always")
    result = dnerv.encode([videos], path, options, force=True)
    assert result.network is not None  # it stays, whether it wins over a blend or not
    weights = result.network.parameters
    print(f"{path}: {result.file_bytes:,} bytes, {result.quality.psnr:.2f} dB, {weights} weights")
    with dnerv.open(path) as archive:
        print(archive[archive.names[0]])


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
