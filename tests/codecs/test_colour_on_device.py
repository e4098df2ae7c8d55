"""The arithmetic for accelerators against swscale, to the bit, on samples that no encoder would give."""

import av
import numpy as np
import pytest
import torch

from dnerv.codecs import Planes
from dnerv.codecs.colour import ColourConverter, samples_of
from dnerv.codecs.colour_on_device import rgb_of
from dnerv.codecs.colour_tables import SMALLEST_SIDE, is_exact

KINDS = [
    Planes(matrix, full, depth)
    for matrix in ("bt601", "bt709", "bt2020")
    for full in (False, True)
    for depth in (8, 10)
]
SIZES = [(SMALLEST_SIDE, SMALLEST_SIDE), (64, 64), (66, 70), (64, 130), (98, 66)]


@pytest.mark.parametrize("planes", [planes for planes in KINDS if is_exact(planes, 0)], ids=str)
def test_any_samples_become_what_swscale_makes_of_them(planes: Planes) -> None:
    rng = np.random.default_rng(0)
    for height, width in SIZES:
        noise = rng.integers(0, 2**planes.depth, (2, height * 3 // 2, width))
        noise[1] = np.where(noise[1] % 3, 2**planes.depth - 1, 0)  # the brightest impossible colours
        frames = [
            av.VideoFrame.from_ndarray(each.astype(np.uint8 if planes.depth == 8 else np.uint16), planes.pixel_format)
            for each in noise
        ]
        converter = ColourConverter(planes)
        expected = np.stack([converter.to_rgb(frame).transpose(2, 0, 1) for frame in frames])
        samples = torch.from_numpy(np.stack([samples_of(frame) for frame in frames]))
        assert np.array_equal(rgb_of(samples, planes, height, width), expected)
        again = np.empty((2, 3, height - 1, width - 3), np.uint8)
        for frame, out in zip(frames, again, strict=True):
            converter.to_rgb_planes(frame, out)
        assert np.array_equal(again, expected[:, :, :-1, :-3])


def test_what_swscale_makes_in_two_steps_or_of_chroma_elsewhere_is_left_to_it() -> None:
    assert [planes for planes in KINDS if not is_exact(planes, 0)] == [p for p in KINDS if p.full_range and p.depth > 8]
    assert not any(is_exact(planes, position) for planes in KINDS for position in (1, 2))
