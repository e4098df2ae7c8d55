"""Networks sized by one number."""

import pytest
import torch

from dnerv.families import Components, build_model, compact_dnerv, compact_nerv, count_parameters, scaled_dnerv
from dnerv.families.sizes import CANVAS_MULTIPLE, WIDTHS


def test_parameters_grow_with_the_width() -> None:
    for build in (
        lambda width: compact_dnerv(width, (16, 32), clip_length=4, keyframe_every=4),
        lambda width: scaled_dnerv(width, (16, 32), clip_length=4, keyframe_every=4),
        lambda width: compact_nerv(width, (16, 32), clip_length=4),
    ):
        counts = [count_parameters(build(width)) for width in WIDTHS]
        assert counts == sorted(counts)
        assert counts[0] < counts[-1] / 100


@pytest.mark.parametrize("canvas", [(16, 16), (48, 16), (128, 160), (256, 320), (384, 640), (368, 16)])
def test_networks_fit_any_canvas_of_the_multiple(canvas: tuple[int, int]) -> None:
    assert all(side % CANVAS_MULTIPLE == 0 for side in canvas)
    dnerv = compact_dnerv(4, canvas, clip_length=4, keyframe_every=4)
    nerv = compact_nerv(4, canvas, clip_length=4)
    scaled = scaled_dnerv(4, canvas, clip_length=4, keyframe_every=4)
    assert dnerv.canvas == nerv.canvas == scaled.canvas == canvas
    assert (scaled.head, scaled.output_stride, scaled.contrast) == ("paper", 1, False)
    assert dnerv.grid == nerv.grid


def test_the_narrowest_is_a_whole_network() -> None:
    model = build_model(compact_dnerv(WIDTHS[0], (16, 16), clip_length=2, keyframe_every=1))
    assert all(torch.isfinite(p).all() for p in model.parameters())


def test_parts_take_along_what_depends_on_them() -> None:
    ours = compact_dnerv(4, (32, 32), clip_length=4, keyframe_every=4)
    assert Components().applied(ours) == ours
    single = Components(flow="single-scale").applied(ours)
    assert (single.flow, single.refined_flow, single.adaptive_blend) == ("single-scale", False, False)
    assert (single.head, single.contrast, single.fusion) == ("residual", True, "adaptive")
    alone = Components(fusion="none", temporal="attention").applied(ours)
    assert (alone.flow, alone.head, alone.contrast, alone.temporal) == ("none", "paper", False, "attention")
    assert build_model(alone).encoder is None
