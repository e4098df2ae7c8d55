"""Losses against hand computation."""

import math

import pytest
import torch
from pytorch_msssim import ssim

from dnerv.errors import InputError
from dnerv.training import LOSS_NAMES, LossName, check_loss
from dnerv.training.losses import frame_loss, squared_error


@pytest.mark.parametrize(
    ("name", "expected"),
    [
        ("mse", (0.01 + 0.04) / 2),
        ("l1", (0.1 + 0.2) / 2),
        ("log-mse", (math.log(0.01 + 1e-6) + math.log(0.04 + 1e-6)) / 2),
    ],
)
def test_plain_losses(name: LossName, expected: float) -> None:
    wanted = torch.full((2, 3, 4, 4), 0.5)
    made = wanted + torch.tensor([0.1, -0.2]).view(2, 1, 1, 1)
    loss = frame_loss(name, made, wanted, torch.tensor([True, True]))
    assert loss.item() == pytest.approx(expected, rel=1e-4)


@pytest.mark.parametrize(
    ("name", "pixel", "structure"),
    [("l1-ssim", 0.7, 0.3), ("mse-ssim", 1.0, 0.03)],
)
def test_losses_with_structure(name: LossName, pixel: float, structure: float) -> None:
    generator = torch.Generator().manual_seed(0)
    made, wanted = torch.rand(2, 2, 3, 16, 16, generator=generator)
    error = (made - wanted).abs() if name == "l1-ssim" else (made - wanted) ** 2
    expected = pixel * error.mean() + structure * (1 - ssim(made, wanted, data_range=1.0))
    loss = frame_loss(name, made, wanted, torch.tensor([True, True]))
    torch.testing.assert_close(loss, expected)


@pytest.mark.parametrize("name", LOSS_NAMES)
def test_padded_frames_have_no_say(name: LossName) -> None:
    generator = torch.Generator().manual_seed(0)
    made, wanted = torch.rand(2, 3, 3, 16, 16, generator=generator)
    made.requires_grad_()
    mask = torch.tensor([True, False, True])
    loss = frame_loss(name, made, wanted, mask)
    torch.testing.assert_close(loss, frame_loss(name, made[mask], wanted[mask], torch.tensor([True, True])))
    loss.backward()
    assert made.grad is not None
    assert not made.grad[1].any()
    assert made.grad[0].any()
    assert made.grad[2].any()


def test_no_real_frame_at_all_is_zero() -> None:
    frames = torch.rand(1, 3, 4, 4)
    assert frame_loss("mse", frames, 1 - frames, torch.tensor([False])) == 0


def test_squared_error_is_per_frame() -> None:
    made = torch.zeros(2, 3, 2, 2)
    made[1, 0, 0, 0] = 1
    torch.testing.assert_close(squared_error(made, torch.zeros_like(made)), torch.tensor([0, 1 / 12]))


def test_names_and_sizes_are_checked() -> None:
    assert [check_loss(name, 11, 11) for name in LOSS_NAMES] == list(LOSS_NAMES)
    with pytest.raises(InputError, match=r"no loss is called 'psnr'; known: .*l1-ssim"):
        check_loss("psnr", 64, 64)
    with pytest.raises(InputError, match="at least 11x11 pixels, these are 64x10"):
        check_loss("l1-ssim", 64, 10)
    assert check_loss("l1", 1, 1) == "l1"


@pytest.mark.parametrize("name", ["log-mse", "mse", "l1"])
def test_hidden_pixels_count_for_nothing(name: LossName) -> None:
    torch.manual_seed(3)
    made, wanted = torch.rand(2, 3, 5, 6, requires_grad=True), torch.rand(2, 3, 5, 6)
    mask, visible = torch.tensor([True, True]), torch.rand(2, 1, 5, 6) > 0.4
    loss = frame_loss(name, made, wanted, mask, visible)
    loss.backward()
    assert (made.grad[~visible.expand_as(made)] == 0).all()
    assert (made.grad[visible.expand_as(made)] != 0).all()
    changed = torch.where(visible, wanted, float("nan"))  # whatever stands there
    assert torch.equal(frame_loss(name, made, changed, mask, visible), loss)
    everything = frame_loss(name, made, wanted, mask, torch.ones_like(visible))
    assert everything.item() == pytest.approx(frame_loss(name, made, wanted, mask).item())
    # The mean is over what can be seen.
    offset = frame_loss(name, wanted + 0.1, wanted, mask, visible)
    assert offset.item() == pytest.approx(frame_loss(name, wanted + 0.1, wanted, mask).item(), rel=1e-4)
    assert torch.isfinite(frame_loss(name, made, wanted, mask, torch.zeros_like(visible)))


@pytest.mark.parametrize("name", ["l1-ssim", "mse-ssim"])
def test_windows_cannot_leave_pixels_out(name: LossName) -> None:
    frames, mask = torch.rand(1, 3, 16, 16), torch.tensor([True])
    with pytest.raises(InputError, match="hidden"):
        frame_loss(name, frames, frames, mask, torch.ones(1, 1, 16, 16, dtype=torch.bool))
