"""Quality of streams on disk."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dnerv.codecs import CODECS, Stream, mse, psnr
from dnerv.errors import ArchiveError
from dnerv.evaluation.stream_quality import mean_quality, measure_file

Frames = list[np.ndarray]
X264 = CODECS["x264"]


def written(frames: Frames, path: Path, crf: float) -> Stream:
    stream = X264.encode(frames, fps=25, crf=crf, effort="fast")
    stream.write(path)
    return stream


def test_a_file_is_compared_frame_by_frame(moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
    frames = moving_frames(9, 65, 80)
    stream = written(frames, tmp_path / "a.h264", 35)
    quality = measure_file(X264, tmp_path / "a.h264", "a", frames, 65, 80)
    assert quality.psnr == pytest.approx(
        np.mean([psnr(mse(*pair)) for pair in zip(frames, stream.frames(), strict=True)])
    )
    assert quality.worst_psnr == min(psnr(mse(*pair)) for pair in zip(frames, stream.frames(), strict=True))
    assert quality.ms_ssim is None
    assert quality.bits_per_pixel == 8 * stream.size / (9 * 65 * 80)


def test_ms_ssim_where_frames_are_large_enough(moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
    frames, path = moving_frames(2, 162, 164), tmp_path / "a.h264"
    written(frames, path, 20)
    score = measure_file(X264, path, "a", frames, 162, 164).ms_ssim
    assert score is not None
    assert 0.9 < score < 1


@pytest.mark.parametrize("change", [1, -1])
def test_other_frames_than_were_coded_are_refused(
    change: int, moving_frames: Callable[..., Frames], tmp_path: Path
) -> None:
    frames, path = moving_frames(4, 64, 64), tmp_path / "a.h264"
    written(frames, path, 30)
    with pytest.raises(ArchiveError, match="not as many frames"):
        measure_file(X264, path, "a", moving_frames(4 + change, 64, 64), 64, 64)


def test_means_give_each_video_one_vote(moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
    parts, size = [], 0
    for name, count, crf in (("long", 6, 45), ("short", 2, 15)):
        path, frames = tmp_path / f"{name}.h264", moving_frames(count, 64, 64)
        written(frames, path, crf)
        parts.append(measure_file(X264, path, name, frames, 64, 64))
        size += X264.counted_bytes(path)
    mean = mean_quality(parts, size)
    assert mean.psnr == (parts[0].psnr + parts[1].psnr) / 2
    assert mean.psnr_of_mean_mse < mean.psnr
    assert mean.worst_psnr == (parts[0].worst_psnr + parts[1].worst_psnr) / 2 < mean.psnr
    assert mean.bits_per_pixel == 8 * size / (8 * 64 * 64)
    assert mean.ms_ssim is None
