"""The sparse product against grid_sample, values and gradients."""

from __future__ import annotations

import pytest
import torch
from torch import Tensor

from dnerv.engine.warping import Grid, gather, padded_table
from dnerv.families.dnerv.flow import warp


def _scene(rows: int, columns: int, *, frames: int = 3, seed: int = 0) -> dict[str, Tensor]:
    generator = torch.Generator().manual_seed(seed)
    return {
        "maps": torch.randn(4, rows, columns, 5, generator=generator, requires_grad=True),
        # far enough for borders to matter
        "flow": (torch.randn(4, frames, rows, columns, generator=generator) * 3).requires_grad_(),
        "share": torch.rand(frames, 1, 1, generator=generator, requires_grad=True),
        "start": torch.randint(0, 4, (frames,), generator=generator),
        "end": torch.randint(0, 4, (frames,), generator=generator),
    }


def _grid(scene: dict[str, Tensor]) -> Grid:
    _, rows, columns, _ = scene["maps"].shape
    first = torch.stack((scene["start"], scene["end"])).to(torch.int32) * rows * columns
    return Grid(
        torch.arange(columns).float(), torch.arange(rows).float()[:, None], first[:, :, None, None], rows, columns
    )


def _gathered(scene: dict[str, Tensor], *, blended: bool) -> Tensor:
    share = scene["share"] if blended else None
    return gather(padded_table(scene["maps"]), scene["flow"], share, _grid(scene))


def _warped(scene: dict[str, Tensor], *, blended: bool) -> Tensor:
    maps = scene["maps"].permute(0, 3, 1, 2)
    before = warp(maps[scene["start"]], scene["flow"][:2].transpose(0, 1))
    after = warp(maps[scene["end"]], scene["flow"][2:].transpose(0, 1))
    if not blended:
        return torch.stack((before, after), dim=1).permute(0, 3, 4, 1, 2).reshape(-1, 2, 5)
    share = scene["share"][:, None]
    return ((1 - share) * before + share * after).permute(0, 2, 3, 1).reshape(-1, 5)


@pytest.mark.parametrize("blended", [True, False])
@pytest.mark.parametrize(("rows", "columns"), [(7, 9), (2, 11), (16, 2)])
def test_gather_is_warp_and_blend(rows: int, columns: int, blended: bool) -> None:
    scene = _scene(rows, columns)
    names = ["maps", "flow", "share"] if blended else ["maps", "flow"]
    made, expected = _gathered(scene, blended=blended), _warped(scene, blended=blended)
    torch.testing.assert_close(made, expected, atol=2e-5, rtol=0)
    with torch.no_grad():
        torch.testing.assert_close(_gathered(scene, blended=blended), expected, atol=2e-5, rtol=0)
    towards = torch.randn(made.shape, generator=torch.Generator().manual_seed(1))
    inputs = [scene[name] for name in names]
    for ours, theirs in zip(
        torch.autograd.grad(made, inputs, towards), torch.autograd.grad(expected, inputs, towards), strict=True
    ):
        torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-4)


@pytest.mark.parametrize(("rows", "columns"), [(1, 1), (1, 5), (4, 1)])
def test_one_row_or_column_of_pixels(rows: int, columns: int) -> None:
    scene = _scene(rows, columns)
    made = _gathered(scene, blended=False).view(3, rows, columns, 2, 5)
    assert made.isfinite().all()
    gradients = torch.autograd.grad(made.sum(), [scene["maps"], scene["flow"]])
    assert all(gradient.isfinite().all() for gradient in gradients)
    if rows == columns == 1:
        torch.testing.assert_close(made[:, 0, 0, 0], scene["maps"][scene["start"], 0, 0])


def test_flow_of_whole_pixels_moves_features_exactly() -> None:
    scene = _scene(5, 6)
    scene["flow"] = torch.zeros(4, 3, 5, 6)
    scene["flow"][0] = 1  # start keyframe: one to the right
    before = _gathered(scene, blended=False).view(3, 5, 6, 2, 5)[..., 0, :]
    maps = scene["maps"][scene["start"]]
    assert torch.equal(before[:, :, :-1], maps[:, :, 1:])
    assert torch.equal(before[:, :, -1], maps[:, :, -1])  # borders repeat


def test_share_may_differ_from_pixel_to_pixel() -> None:
    scene = _scene(5, 6)
    scene["share"] = torch.rand(3, 5, 6, generator=torch.Generator().manual_seed(2)).requires_grad_()
    made, expected = _gathered(scene, blended=True), _warped(scene, blended=True)
    torch.testing.assert_close(made, expected, atol=2e-5, rtol=0)
    ours, theirs = (torch.autograd.grad(value.square().sum(), scene["share"])[0] for value in (made, expected))
    torch.testing.assert_close(ours, theirs, atol=1e-3, rtol=1e-4)


def test_flow_that_is_not_a_number_gives_frames_that_are_not() -> None:
    scene = _scene(5, 6)
    with torch.no_grad():
        scene["flow"][:, 0, 2, 3] = torch.nan
        scene["flow"][:, 1, 0, 0] = torch.inf
    made = _gathered(scene, blended=True).view(3, 5, 6, 5)
    assert made[0, 2, 3].isnan().all()
    assert made.isnan().any(-1).sum() == 1
