"""VMAF."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from dnerv.errors import InputError
from dnerv.evaluation.vmaf import check_vmaf, vmaf

Frames = list[np.ndarray]


def test_falls_with_quality(moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
    check_vmaf()
    frames = moving_frames(3, 65, 80)
    worse = [(frame // 32 * 32).astype(np.uint8) for frame in frames]
    assert vmaf(frames, frames, tmp_path) > 90
    assert vmaf(frames, worse, tmp_path) < vmaf(frames, frames, tmp_path) - 5
    assert list(tmp_path.iterdir()) == []


def test_another_number_of_frames_is_refused(moving_frames: Callable[..., Frames], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="one size"):
        vmaf(moving_frames(3, 64, 80), moving_frames(2, 64, 80), tmp_path)
