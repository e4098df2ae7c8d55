"""What a network layer is worth, video by video: measured on frames that are decoded from the file."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import torch

from dnerv import progress
from dnerv.archive import Archive
from dnerv.archive.limits import CLIP_PIXELS, TILES, Limits
from dnerv.evaluation import ArchiveQuality, measure_archive
from dnerv.families import ModelConfig
from dnerv.video import CachedVideo, TileGrid

WORTH = 0.1  # dB that a video gains at least where a prior makes its frames: reading it takes several times as long


def fits(model: ModelConfig, overlap: int, video: CachedVideo) -> bool:
    """Whether any file may have a network make a video's frames, however small it is (`archive.limits`)."""
    limits, tiles = Limits(0), TileGrid(video.height, video.width, *model.canvas, overlap).num_tiles
    pixels = model.clip_length * tiles * model.canvas[0] * model.canvas[1]
    return tiles <= limits.of(TILES) and pixels <= limits.of(CLIP_PIXELS)


@dataclass(frozen=True)
class Gains:
    """What the network layer of an archive is worth."""

    quality: ArchiveQuality  # of the archive, as it is read
    by_name: Mapping[str, float]  # dB that a video's frames are closer to the original than its base layer's


def network_gains(path: Path, videos: Sequence[CachedVideo], device: torch.device | str = "cpu") -> Gains:
    """Measure an archive of `videos` with its network and without.

    Frames are of the coded size, PSNR is that of a video's mean error.
    """
    frames = {video.name: video.store for video in videos}
    with Archive(path, size="coded", device=device) as archive, Archive(path, size="coded", layers="base") as base:
        progress.stage("comparing network and base layer", archive.num_frames + base.num_frames)
        made, blended = (measure_archive(layers, frames.__getitem__, ms_ssim=False) for layers in (archive, base))
    before = {video.name: video.psnr_of_mean_mse for video in blended.videos}
    return Gains(made, {video.name: video.psnr_of_mean_mse - before[video.name] for video in made.videos})
