"""Streams on disk: bytes that are counted, frames that come back, quality."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dnerv.errors import ArchiveError
from dnerv.evaluation import encode_anchor, psnr
from dnerv.evaluation.anchors import AnchorCodec
from dnerv.evaluation.stream_files import SUFFIX, counted_bytes, decode_file, mean_quality, measure_file, write_stream

Frames = list[np.ndarray]


@pytest.mark.parametrize("codec", ["x264", "x265", "svtav1"])
@pytest.mark.parametrize("count", [1, 9])
def test_a_file_is_its_stream(
    codec: AnchorCodec, count: int, moving_frames: Callable[..., Frames], tmp_path: Path
) -> None:
    frames = moving_frames(count, 65, 80)
    stream = encode_anchor(codec, frames, fps=25, crf=35, preset="fast")
    path = tmp_path / f"a{SUFFIX[codec]}"
    write_stream(stream, path)
    assert counted_bytes(path) == stream.size
    for made, wanted in zip(decode_file(path, 65, 80), stream.decode(), strict=True):
        assert np.array_equal(made, wanted)
    quality = measure_file(path, "a", frames, 65, 80)
    assert quality.psnr == pytest.approx(float(psnr(stream.mse_per_frame(frames)).mean()))
    assert quality.ms_ssim is None
    assert quality.bits_per_pixel == 8 * stream.size / (count * 65 * 80)


def test_ms_ssim_where_frames_are_large_enough(moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
    frames, path = moving_frames(2, 162, 164), tmp_path / "a.h264"
    write_stream(encode_anchor("x264", frames, fps=25, crf=20, preset="fast"), path)
    score = measure_file(path, "a", frames, 162, 164).ms_ssim
    assert score is not None
    assert 0.9 < score < 1


@pytest.mark.parametrize("change", [1, -1])
def test_other_frames_than_were_coded_are_refused(
    change: int, moving_frames: Callable[..., Frames], tmp_path: Path
) -> None:
    frames, path = moving_frames(4, 64, 64), tmp_path / "a.h264"
    write_stream(encode_anchor("x264", frames, fps=25, crf=30, preset="fast"), path)
    with pytest.raises(ArchiveError, match="not as many frames"):
        measure_file(path, "a", moving_frames(4 + change, 64, 64), 64, 64)


def test_a_damaged_stream_is_a_named_error(tmp_path: Path) -> None:
    path = tmp_path / "a.h264"
    path.write_bytes(b"nothing that is a stream" * 9)
    with pytest.raises(ArchiveError, match=r"a\.h264"):
        list(decode_file(path, 64, 64))


def test_means_give_each_video_one_vote(moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
    parts, size = [], 0
    for name, count, crf in (("long", 6, 45), ("short", 2, 15)):
        path, frames = tmp_path / f"{name}.h264", moving_frames(count, 64, 64)
        write_stream(encode_anchor("x264", frames, fps=25, crf=crf, preset="fast"), path)
        parts.append(measure_file(path, name, frames, 64, 64))
        size += counted_bytes(path)
    mean = mean_quality(parts, size)
    assert mean.psnr == (parts[0].psnr + parts[1].psnr) / 2
    assert mean.psnr_of_mean_mse < mean.psnr
    assert mean.bits_per_pixel == 8 * size / (8 * 64 * 64)
    assert mean.ms_ssim is None
