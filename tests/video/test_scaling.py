import pytest
import torch
from torch.nn import functional as F

from dnerv.video import scale_frames


def test_the_same_size_is_the_same_frames() -> None:
    frames = torch.zeros(2, 3, 5, 7, dtype=torch.uint8)
    assert scale_frames(frames, (5, 7), "bilinear") is frames


@pytest.mark.parametrize("mode", ["bilinear", "bicubic"])
@pytest.mark.parametrize("size", [(1, 1), (5, 6), (20, 31), (10, 40)])
def test_as_in_floats(mode: str, size: tuple[int, int]) -> None:
    # Away from black and white: what overshoots them is cut after each direction in integers, and at the end in floats.
    frames = torch.randint(64, 192, (3, 3, 10, 14), generator=torch.Generator().manual_seed(0)).to(torch.uint8)
    for given in (
        frames,
        frames.contiguous(memory_format=torch.channels_last),
        frames.flip(-1)[..., 1:, :][..., :9, :],
    ):
        scaled = scale_frames(given, size, mode)  # type: ignore[arg-type]
        expected = F.interpolate(given.float(), size, mode=mode, antialias=True, align_corners=False)
        assert (scaled.dtype, scaled.shape) == (torch.uint8, expected.shape)
        assert (scaled.float() - expected.clamp(0, 255)).abs().max() <= 1.5
