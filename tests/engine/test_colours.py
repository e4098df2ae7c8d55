"""Mosaics: the same pixels in another order, enlarged and warped as whole frames are."""

import pytest
import torch
from torch.nn import functional as F

from dnerv.engine.colours import enlarged_mosaic, frames_of_squares, squares, warped_colours
from dnerv.engine.rows import Planes
from dnerv.families import ClipInputs
from dnerv.families.dnerv.flow import warp

STRIDES = pytest.mark.parametrize("stride", [1, 2, 3])


def as_frames(mosaics: torch.Tensor, stride: int) -> torch.Tensor:
    return frames_of_squares(squares(mosaics, stride))


@STRIDES
def test_squares_are_those_of_pixel_unshuffle(stride: int) -> None:
    mosaics = torch.randn(2, 3, 4 * stride, 5 * stride)
    frames = as_frames(mosaics, stride)
    assert frames[0, 0, 0, stride - 1] == mosaics[0, 0, 0, 5 * (stride - 1)]
    expected = F.pixel_unshuffle(frames, stride).permute(0, 2, 3, 1)
    assert torch.equal(squares(mosaics, stride).flatten(3), expected)


@STRIDES
def test_planes_are_enlarged_as_pictures_are(stride: int) -> None:
    planes = torch.randn(2, 3, 4, 5)
    expected = F.interpolate(planes, scale_factor=stride, mode="bilinear", align_corners=False)
    torch.testing.assert_close(as_frames(enlarged_mosaic(planes, stride), stride), expected)


@STRIDES
def test_colours_are_warped_and_blended_as_the_plain_modules_do(stride: int) -> None:
    colours, flow, share = torch.rand(3, 3, 4 * stride, 5 * stride), 2 * torch.randn(4, 2, 4, 5), torch.rand(2, 4, 5)
    start, nothing = torch.tensor([[0, 1]]), torch.zeros(1, 2)
    inputs = ClipInputs(nothing, colours, start, start + 1, nothing, nothing, nothing)
    blend, difference = warped_colours(colours, Planes(flow, share), inputs, stride)
    larger = F.interpolate(flow, scale_factor=stride, mode="bilinear", align_corners=False) * stride
    before = warp(colours[:2], larger[:2].transpose(0, 1))
    after = warp(colours[1:], larger[2:].transpose(0, 1))
    shares = F.interpolate(share[:, None], scale_factor=stride, mode="bilinear", align_corners=False)
    torch.testing.assert_close(as_frames(blend, stride), torch.lerp(before, after, shares), atol=1e-5, rtol=0)
    torch.testing.assert_close(as_frames(difference, stride), after - before, atol=1e-5, rtol=0)
