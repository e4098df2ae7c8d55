"""Warping against bilinear sampling written out by hand."""

import pytest
import torch
from torch import Tensor

from dnerv.families.dnerv.flow import PointwiseThenSpatial, warp


def by_hand(features: Tensor, flow: Tensor) -> Tensor:
    rows, columns = features.shape[-2:]
    out = torch.empty_like(features)
    for n in range(len(features)):
        for i in range(rows):
            for j in range(columns):
                x = min(max(j + flow[n, 0, i, j].item(), 0.0), columns - 1.0)
                y = min(max(i + flow[n, 1, i, j].item(), 0.0), rows - 1.0)
                left, top = int(x), int(y)
                right, bottom = min(left + 1, columns - 1), min(top + 1, rows - 1)
                a, b = x - left, y - top
                f = features[n]
                upper = (1 - a) * f[:, top, left] + a * f[:, top, right]
                lower = (1 - a) * f[:, bottom, left] + a * f[:, bottom, right]
                out[n, :, i, j] = (1 - b) * upper + b * lower
    return out


@pytest.mark.parametrize("size", [(5, 7), (1, 4), (4, 1), (1, 1)])
def test_equals_bilinear_sampling(size: tuple[int, int]) -> None:
    generator = torch.Generator().manual_seed(0)
    features = torch.rand(2, 3, *size, generator=generator)
    flow = torch.randn(2, 2, *size, generator=generator) * 3  # many land outside
    torch.testing.assert_close(warp(features, flow), by_hand(features, flow), rtol=0, atol=1e-5)


def test_integer_shifts() -> None:
    features = torch.arange(20.0).view(1, 1, 4, 5)
    flow = torch.zeros(1, 2, 4, 5)
    torch.testing.assert_close(warp(features, flow), features)
    flow[:, 0], flow[:, 1] = 2, -1  # look two to the right and one up
    moved = warp(features, flow)[0, 0]
    torch.testing.assert_close(moved[1:, :3], features[0, 0, :3, 2:])
    torch.testing.assert_close(moved[0, :3], features[0, 0, 0, 2:])  # above the border its own row again
    torch.testing.assert_close(moved[1:, 3:], features[0, 0, :3, 4:].expand(3, 2))


def test_far_outside_is_the_border() -> None:
    features = torch.rand(1, 2, 4, 5)
    flow = torch.full((1, 2, 4, 5), 1e4)
    torch.testing.assert_close(warp(features, flow), features[..., -1:, -1:].expand_as(features))
    torch.testing.assert_close(warp(features, -flow), features[..., :1, :1].expand_as(features))


def test_half_precision_features_keep_their_dtype_and_place() -> None:
    features = torch.rand(1, 2, 3, 300)
    flow = torch.zeros(1, 2, 3, 300)
    flow[:, 0] = 1
    moved = warp(features.bfloat16(), flow.bfloat16())
    assert moved.dtype == torch.bfloat16
    torch.testing.assert_close(moved[..., :-1], features.bfloat16()[..., 1:], rtol=0, atol=0.01)


def test_heads_hidden_width_and_zero_start() -> None:
    assert PointwiseThenSpatial(10, 4, 1)[0].out_channels == 2
    assert PointwiseThenSpatial(3, 4, 1)[0].out_channels == 1
    head = PointwiseThenSpatial(10, 4, 8)
    assert head[0].out_channels == 8
    head.zero_output()
    assert not head(torch.randn(1, 10, 4, 4)).any()
