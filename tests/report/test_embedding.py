"""Pictures in a page."""

from __future__ import annotations

from base64 import b64decode
from io import BytesIO
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from dnerv.report.embedding import Embedder, coarse, file_picture


def shown(text: str, mode: str = "RGB") -> np.ndarray:
    return np.asarray(Image.open(BytesIO(b64decode(text, validate=True))).convert(mode)).astype(float)


def ramp() -> np.ndarray:
    rows, columns = np.mgrid[:64, :64]
    return np.stack([rows * 2, columns * 2, rows + columns], axis=-1).astype(np.uint8)


def test_a_frame_and_how_close_it_comes() -> None:
    embed, frame = Embedder(), ramp()
    stored = shown(embed.frame(frame))
    assert embed.errors == [pytest.approx(10 * np.log10(255**2 / np.square(frame - stored).mean()))]
    assert embed.errors[0] > 40


def test_what_is_not_shown_is_clear_and_counts_for_nothing() -> None:
    mask = np.zeros((64, 64), np.uint8)
    mask[8:40, 16:48] = 255
    inside = mask > 0
    embed, noise = Embedder(), np.random.default_rng(0).integers(0, 255, (64, 64, 3), np.uint8)
    frame = np.where(inside[..., None], ramp(), noise)
    stored = shown(embed.frame(np.dstack((frame, mask))), "RGBA")
    assert stored[inside, 3].min() >= 250
    assert stored[~inside, 3].max() <= 5
    assert embed.errors == [pytest.approx(10 * np.log10(255**2 / np.square(frame - stored[..., :3])[inside].mean()))]
    embed.frame(np.dstack((frame, 0 * mask)))
    assert len(embed.errors) == 1


def test_maps_and_files(tmp_path: Path) -> None:
    Image.fromarray(ramp()[:32]).save(tmp_path / "a.png")
    text, height, width = file_picture(tmp_path / "a.png")
    assert (height, width) == (32, 64)
    assert np.abs(shown(text) - ramp()[:32]).mean() < 3
    assert len(coarse(ramp())) < len(Embedder().frame(ramp()))
