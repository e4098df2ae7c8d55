"""SSIM against pytorch-msssim."""

import pytest
import torch
from pytorch_msssim import ssim

from dnerv.training.similarity import WINDOW, structural_similarity


@pytest.mark.parametrize("size", [(WINDOW, WINDOW), (WINDOW, 40), (37, 29)])
@pytest.mark.parametrize("noise", [0.02, 0.5])
def test_similarity_is_that_of_the_library(size: tuple[int, int], noise: float) -> None:
    generator = torch.Generator().manual_seed(0)
    wanted = torch.rand(3, 3, *size, generator=generator)
    made = (wanted + noise * torch.randn(wanted.shape, generator=generator)).clamp(0, 1).requires_grad_()
    ours, theirs = structural_similarity(made, wanted), ssim(made, wanted, data_range=1.0, size_average=False)
    torch.testing.assert_close(ours, theirs, atol=2e-5, rtol=0)
    towards = torch.randn(3, generator=generator)
    gradient, expected = (torch.autograd.grad(value, made, towards)[0] for value in (ours, theirs))
    assert (gradient - expected).norm() <= 1e-3 * expected.norm()


def test_equal_frames_are_fully_similar() -> None:
    frames = torch.rand(2, 3, 16, 20, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(structural_similarity(frames, frames), torch.ones(2))
