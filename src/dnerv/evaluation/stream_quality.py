"""How close coded videos are to what went into their encoder: measured on the streams' files."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from itertools import zip_longest
from pathlib import Path

import numpy as np
import torch
from torch import Tensor

from dnerv.codecs import PEAK, Codec, Frame, psnr
from dnerv.errors import ArchiveError
from dnerv.evaluation.archive_quality import ArchiveQuality, VideoQuality
from dnerv.evaluation.metrics import SMALLEST_SIDE_OF_MS_SSIM, QualityMeter, ms_ssim_per_frame, mse_per_frame


def measure_file(codec: Codec, path: Path, name: str, frames: Iterable[Frame], height: int, width: int) -> VideoQuality:
    """Compare a codec's stream with the frames that went into it, uint8 [height, width, 3] RGB.

    Raises ArchiveError where the stream has another number of frames.
    """
    meter, similarity = QualityMeter(), list[Tensor]()
    for original, made in zip_longest(frames, codec.decode_file(path, height, width)):
        if original is None or made is None:
            raise ArchiveError(f"{path}: the stream of {name!r} has not as many frames as were coded")
        pair = _as_clip(original), _as_clip(made)
        meter.add(name, mse_per_frame(*pair))
        if min(height, width) >= SMALLEST_SIDE_OF_MS_SSIM:
            similarity.append(ms_ssim_per_frame(*pair))
    score = float(torch.cat(similarity).mean()) if similarity else None
    rate = 8 * codec.counted_bytes(path) / (meter.frames * height * width)
    return VideoQuality(
        name, meter.frames, height, width, meter.psnr, meter.worst_psnr, meter.psnr_of_mean_mse, score, rate
    )


def mean_quality(videos: Sequence[VideoQuality], size: int) -> ArchiveQuality:
    """Means over videos, each with one vote, of streams that have `size` bytes together."""
    scores = [video.ms_ssim for video in videos if video.ms_ssim is not None]
    mse = sum(PEAK**2 / 10 ** (video.psnr_of_mean_mse / 10) for video in videos) / len(videos)
    return ArchiveQuality(
        sum(video.psnr for video in videos) / len(videos),
        sum(video.worst_psnr for video in videos) / len(videos),
        psnr(mse),
        sum(scores) / len(scores) if len(scores) == len(videos) else None,
        8 * size / sum(video.num_frames * video.height * video.width for video in videos),
        size,
        list(videos),
    )


def _as_clip(frame: Frame) -> Tensor:
    """uint8 [H, W, 3] -> uint8 [1, 3, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None]
