"""Rows of channels: woven or frame by frame, the same numbers."""

import torch
from torch.nn import functional as F

from dnerv.engine.rows import Planes, Rows
from dnerv.families import ClipInputs

CLIPS, LENGTH, HEIGHT, WIDTH, CHANNELS = 2, 3, 4, 5, 6


def both() -> tuple[Rows, Rows]:
    frames = torch.randn(CLIPS * LENGTH, HEIGHT, WIDTH, CHANNELS, generator=torch.manual_seed(0))
    woven = frames.view(CLIPS, LENGTH, HEIGHT, WIDTH, CHANNELS).permute(0, 2, 3, 1, 4).contiguous()
    return Rows(frames, LENGTH, is_woven=False), Rows(woven, LENGTH, is_woven=True)


def test_woven_rows_are_the_frames() -> None:
    plain, woven = both()
    assert plain.frame_shape == woven.frame_shape == (CLIPS * LENGTH, HEIGHT, WIDTH)
    assert torch.equal(woven.unwoven(woven.values), plain.values)
    assert plain.unwoven(plain.values) is plain.values


def test_modulation_is_the_same_with_gradients_and_without() -> None:
    plain, woven = both()
    scale, shift = torch.randn_like(plain.values), torch.randn_like(plain.values)
    expected = plain.values * scale + shift
    parts = [part.view(CLIPS, LENGTH, HEIGHT, WIDTH, -1).permute(0, 2, 3, 1, 4) for part in (scale, shift)]
    for enabled in (True, False):
        with torch.set_grad_enabled(enabled):
            torch.testing.assert_close(plain.modulated(scale, shift), expected)
            torch.testing.assert_close(woven.modulated(*parts), expected)


def test_planes_and_grid_follow_the_rows() -> None:
    plain, woven = both()
    planes = torch.arange(CLIPS * LENGTH * HEIGHT * WIDTH).view(1, -1, HEIGHT, WIDTH)
    assert plain.weave(planes) is planes
    assert torch.equal(woven.weave(planes)[0].permute(0, 3, 1, 2).flatten(0, 1), planes[0])
    nothing = torch.zeros(CLIPS, LENGTH)
    start = torch.tensor([[0, 0, 1], [2, 2, 3]])
    inputs = ClipInputs(nothing, torch.zeros(0, 3, 1, 1), start, start + 1, nothing, nothing, nothing)
    first = plain.grid(inputs).first_rows.expand(2, -1, HEIGHT, WIDTH)
    assert torch.equal(first[:, :, 0, 0], torch.stack((start, start + 1)).flatten(1).int() * HEIGHT * WIDTH)
    of_woven = woven.grid(inputs)
    seen = of_woven.first_rows.expand(2, CLIPS, HEIGHT, WIDTH, LENGTH).permute(0, 1, 4, 2, 3).flatten(1, 2)
    assert torch.equal(seen, first)
    assert (of_woven.x + of_woven.y).shape == (HEIGHT, WIDTH, 1)


def test_flow_grows_with_its_scale_and_shares_do_not() -> None:
    planes = Planes(torch.randn(4, 2, 3, 5), torch.rand(2, 3, 5))
    finer = planes.enlarged(2)
    torch.testing.assert_close(finer.flow, 2 * F.interpolate(planes.flow, scale_factor=2, mode="bilinear"))
    torch.testing.assert_close(finer.share[None], F.interpolate(planes.share[None], scale_factor=2, mode="bilinear"))
    assert Planes(planes.flow, torch.rand(2, 1, 1)).enlarged(2).share.shape == (2, 1, 1)
    assert planes.enlarged(1) is planes
