"""Networks sized by one number."""

import torch

from dnerv.model import build_model, compact_dnerv, compact_nerv, count_parameters
from dnerv.model.compact import STRIDES, WIDTHS


def test_parameters_grow_with_the_width() -> None:
    for build in (
        lambda width: compact_dnerv(width, (1, 1), clip_length=4, keyframe_every=4),
        lambda width: compact_nerv(width, (1, 1), clip_length=4),
    ):
        counts = [count_parameters(build(width)) for width in WIDTHS]
        assert counts == sorted(counts)
        assert counts[0] < counts[-1] / 100


def test_the_canvas_follows_the_grid() -> None:
    scale = 1
    for stride in STRIDES:
        scale *= stride
    assert compact_dnerv(4, (1, 2), clip_length=4, keyframe_every=4).canvas == (scale, 2 * scale)
    assert compact_nerv(4, (1, 2), clip_length=4).canvas == (scale, 2 * scale)


def test_the_narrowest_is_a_whole_network() -> None:
    model = build_model(compact_dnerv(WIDTHS[0], (1, 1), clip_length=2, keyframe_every=1))
    assert all(torch.isfinite(p).all() for p in model.parameters())
