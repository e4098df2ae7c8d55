"""libaom and libvvenc through imageio-ffmpeg's program."""

from __future__ import annotations

import sys
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dnerv.errors import InputError
from dnerv.evaluation import program_anchors
from dnerv.evaluation.ffmpeg_binary import ffmpeg_names, ffmpeg_program, ffmpeg_version, run_ffmpeg
from dnerv.evaluation.program_anchors import ProgramCodec, check_program_codec, encode_with_program
from dnerv.evaluation.stream_files import SUFFIX, counted_bytes, measure_file
from dnerv.evaluation.vmaf import check_vmaf, vmaf

Frames = list[np.ndarray]


@pytest.mark.parametrize("codec", ["aom", "vvc"])
@pytest.mark.parametrize(("count", "height", "width"), [(1, 20, 33), (9, 64, 80)])
def test_quality_and_bytes_fall_together(
    codec: ProgramCodec, count: int, height: int, width: int, moving_frames: Callable[..., Frames], tmp_path: Path
) -> None:
    frames, points = moving_frames(count, height, width), []
    for quality in (20, 50):
        path = tmp_path / f"{quality}{SUFFIX[codec]}"
        size = encode_with_program(codec, iter(frames), path, fps=25, quality=quality, preset="ultrafast")
        assert size == (count, height, width)
        points.append((counted_bytes(path), measure_file(path, "a", frames, height, width).psnr))
        assert counted_bytes(path) <= path.stat().st_size
    assert points[0][0] > points[1][0]
    assert points[0][1] > points[1][1] + 3
    assert points[0][1] > 30


def test_options_out_of_range_are_refused(moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
    frames, path = moving_frames(1, 64, 64), tmp_path / "a.obu"
    with pytest.raises(InputError, match="1 to 63"):
        encode_with_program("aom", frames, path, fps=25, quality=64, preset="fast")
    with pytest.raises(InputError, match="veryslow, slow"):
        encode_with_program("aom", frames, path, fps=25, quality=40, preset="placebo")
    with pytest.raises(InputError, match="no frames"):
        encode_with_program("aom", [], path, fps=25, quality=40, preset="fast")
    with pytest.raises(InputError, match="aom, vvc"):
        check_program_codec("x264")
    assert not path.exists()


def test_what_ffmpeg_says_is_passed_on(moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
    path = tmp_path / "no such folder" / "a.obu"
    with pytest.raises(InputError, match=r"aom cannot code 64x64 frames: .*No such file"):
        encode_with_program("aom", moving_frames(30, 64, 64), path, fps=25, quality=40, preset="fast")
    with pytest.raises(InputError, match="nonsense"):
        run_ffmpeg(["-v", "error", "-i", str(tmp_path / "nonsense")])


def test_an_error_of_the_frames_ends_the_program(moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
    def broken() -> object:
        yield from moving_frames(2, 64, 64)
        raise KeyError("from the source")

    with pytest.raises(KeyError, match="from the source"):
        encode_with_program("aom", broken(), tmp_path / "a.obu", fps=25, quality=40, preset="fast")  # type: ignore[arg-type]


def test_a_missing_package_or_encoder_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(program_anchors, "ffmpeg_names", lambda what: frozenset({"libaom-av1"}))
    check_program_codec("aom")
    with pytest.raises(InputError, match="no libvvenc"):
        check_program_codec("vvc")
    monkeypatch.setitem(sys.modules, "imageio_ffmpeg", None)
    ffmpeg_program.cache_clear()
    try:
        with pytest.raises(InputError, match=r"dnerv\[codecs\]"):
            ffmpeg_program()
    finally:
        ffmpeg_program.cache_clear()


def test_the_program_tells_what_it_is() -> None:
    assert "libaom-av1" in ffmpeg_names("encoders")
    assert ffmpeg_version().split()[0]
    assert "\n" not in ffmpeg_version()


class TestVmaf:
    def test_falls_with_quality(self, moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
        check_vmaf()
        frames = moving_frames(3, 65, 80)
        worse = [(frame // 32 * 32).astype(np.uint8) for frame in frames]
        assert vmaf(frames, frames, tmp_path) > 90
        assert vmaf(frames, worse, tmp_path) < vmaf(frames, frames, tmp_path) - 5
        assert list(tmp_path.iterdir()) == []

    def test_another_number_of_frames_is_refused(self, moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
        with pytest.raises(InputError, match="one size"):
            vmaf(moving_frames(3, 64, 80), moving_frames(2, 64, 80), tmp_path)
