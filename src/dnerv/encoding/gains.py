"""What a network layer is worth, video by video: measured on frames that are decoded from the file."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import torch

from dnerv import progress
from dnerv.archive import Archive
from dnerv.archive.limits import CLIP_PIXELS, TILES, Limits
from dnerv.evaluation import measure_archive
from dnerv.families import ModelConfig
from dnerv.video import CachedVideo, TileGrid

WORTH = 0.1  # dB that a video gains at least where a prior makes its frames: reading it takes several times as long


def fits(model: ModelConfig, overlap: int, video: CachedVideo) -> bool:
    """Whether any file may have a network make a video's frames, however small it is (`archive.limits`)."""
    limits, tiles = Limits(0), TileGrid(video.height, video.width, *model.canvas, overlap).num_tiles
    pixels = model.clip_length * tiles * model.canvas[0] * model.canvas[1]
    return tiles <= limits.of(TILES) and pixels <= limits.of(CLIP_PIXELS)


def network_gains(path: Path, videos: Sequence[CachedVideo], device: torch.device | str = "cpu") -> list[float]:
    """dB that the network's frames are closer to those of `videos`, which are the archive's, than the base layer's.

    Frames are of the coded size, PSNR is that of a video's mean error.
    """
    frames = {video.name: video.store for video in videos}
    with Archive(path, size="coded", device=device) as archive, Archive(path, size="coded", layers="base") as base:
        progress.stage("comparing network and base layer", archive.num_frames + base.num_frames)
        made, blended = (
            {
                video.name: video.psnr_of_mean_mse
                for video in measure_archive(layers, frames.__getitem__, ms_ssim=False).videos
            }
            for layers in (archive, base)
        )
    return [made[video.name] - blended[video.name] for video in videos]
