"""Coded videos as files: what is counted and measured is what lies on the disk, and any player can show it.

AnchorStream, or libaom's and libvvenc's output ──> .h264 .hevc .obu .vvc ──> counted bytes, frames, quality
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from itertools import zip_longest
from math import log10
from pathlib import Path

import av
import numpy as np
import torch
from av.error import FFmpegError
from torch import Tensor

from dnerv.codecs.codec import Frame
from dnerv.codecs.colour import ColourConverter
from dnerv.codecs.obu import pack_temporal_unit, unpack_temporal_unit
from dnerv.errors import ArchiveError
from dnerv.evaluation.anchors import AnchorStream
from dnerv.evaluation.archive_quality import ArchiveQuality, VideoQuality
from dnerv.evaluation.metrics import (
    PEAK,
    PSNR_OF_IDENTICAL_FRAMES,
    SMALLEST_SIDE_OF_MS_SSIM,
    QualityMeter,
    ms_ssim_per_frame,
    mse_per_frame,
)

SUFFIX = {"x264": ".h264", "x265": ".hevc", "svtav1": ".obu", "aom": ".obu", "vvc": ".vvc"}


def write_stream(stream: AnchorStream, path: Path) -> None:
    """Write an elementary stream that players know; AV1 gets back the delimiters that its packets do without."""
    restore = unpack_temporal_unit if path.suffix == ".obu" else bytes
    with path.open("wb") as file:
        for packet in stream.packets:
            file.write(restore(packet))


def counted_bytes(path: Path) -> int:
    """Bytes of a stream: all of the file, but of AV1 without what every container drops and restores.

    These are temporal delimiters and the size of each unit's last part, 3 to 4 bytes a frame, which the keyframes of
    an archive do without too.
    """
    if path.suffix != ".obu":
        return path.stat().st_size
    with _opened(path) as container:
        return sum(len(pack_temporal_unit(bytes(packet))) for packet in container.demux(video=0) if packet.size)


def decode_file(path: Path, height: int, width: int) -> Iterator[Frame]:
    """Frames of the stream at `path`, uint8 [height, width, 3] RGB in display order.

    Raises ArchiveError for a file that cannot be decoded.
    """
    converter = ColourConverter()
    try:
        with _opened(path) as container:
            container.streams.video[0].codec_context.thread_count = 1  # videos are decoded side by side
            for picture in container.decode(video=0):
                yield np.ascontiguousarray(converter.to_rgb(picture)[:height, :width])
    except FFmpegError as error:
        raise ArchiveError(f"{path}: the stream cannot be decoded ({error.strerror})") from error


def measure_file(path: Path, name: str, frames: Iterable[Frame], height: int, width: int) -> VideoQuality:
    """Compare a stream with the frames that went into it, uint8 [height, width, 3] RGB.

    Raises ArchiveError where the stream has another number of frames.
    """
    meter, similarity = QualityMeter(), list[Tensor]()
    for original, made in zip_longest(frames, decode_file(path, height, width)):
        if original is None or made is None:
            raise ArchiveError(f"{path}: the stream of {name!r} has not as many frames as were coded")
        pair = _as_clip(original), _as_clip(made)
        meter.add(name, mse_per_frame(*pair))
        if min(height, width) >= SMALLEST_SIDE_OF_MS_SSIM:
            similarity.append(ms_ssim_per_frame(*pair))
    score = float(torch.cat(similarity).mean()) if similarity else None
    rate = 8 * counted_bytes(path) / (meter.frames * height * width)
    return VideoQuality(name, meter.frames, height, width, meter.psnr, meter.psnr_of_mean_mse, score, rate)


def mean_quality(videos: Sequence[VideoQuality], size: int) -> ArchiveQuality:
    """Means over videos, each with one vote, of streams that have `size` bytes together."""
    scores = [video.ms_ssim for video in videos if video.ms_ssim is not None]
    mse = sum(PEAK**2 / 10 ** (video.psnr_of_mean_mse / 10) for video in videos) / len(videos)
    return ArchiveQuality(
        sum(video.psnr for video in videos) / len(videos),
        min(10 * log10(PEAK**2 / mse), PSNR_OF_IDENTICAL_FRAMES),
        sum(scores) / len(scores) if len(scores) == len(videos) else None,
        8 * size / sum(video.num_frames * video.height * video.width for video in videos),
        size,
        list(videos),
    )


def _opened(path: Path) -> av.container.InputContainer:
    try:
        return av.open(str(path), format=path.suffix[1:])
    except FFmpegError as error:
        raise ArchiveError(f"{path}: the stream cannot be read ({error.strerror})") from error


def _as_clip(frame: Frame) -> Tensor:
    """uint8 [H, W, 3] -> uint8 [1, 3, H, W]."""
    return torch.from_numpy(np.ascontiguousarray(frame)).permute(2, 0, 1)[None]
