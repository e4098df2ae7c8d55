import math

import numpy as np
import pytest
import torch

from dnerv.errors import InputError
from dnerv.evaluation import QualityMeter, ms_ssim_per_frame, mse_per_frame, psnr


def clip(frames, height=12, width=16, seed=0):
    return torch.randint(0, 256, (frames, 3, height, width), dtype=torch.uint8, generator=torch.manual_seed(seed))


def test_mse_against_numpy():
    a, b = clip(4), clip(4, seed=1)
    expected = ((a.numpy().astype(np.float64) - b.numpy()) ** 2).mean(axis=(1, 2, 3))
    result = mse_per_frame(a, b)
    assert result.dtype == torch.float64
    assert result.tolist() == pytest.approx(expected.tolist(), rel=1e-15)


def test_no_wrap_around_at_the_extremes():
    black = torch.zeros(1, 3, 5, 7, dtype=torch.uint8)
    assert mse_per_frame(black, black + 255).tolist() == [255.0**2] == mse_per_frame(black + 255, black).tolist()
    assert psnr(torch.tensor(255.0**2)) == 0


@pytest.mark.parametrize(("difference", "decibels"), [(1, 48.1308), (2, 42.1102), (16, 24.0484)])
def test_known_psnr(difference, decibels):
    frames = torch.full((2, 3, 4, 4), 100, dtype=torch.uint8)
    assert psnr(mse_per_frame(frames, frames + difference)).tolist() == pytest.approx([decibels] * 2, abs=1e-4)


def test_identical_frames_are_capped():
    frames = clip(3)
    assert psnr(mse_per_frame(frames, frames)).tolist() == [100.0] * 3
    assert psnr(torch.tensor([1e-30])).item() == 100


def test_no_frames():
    assert mse_per_frame(clip(0), clip(0)).shape == (0,)
    assert ms_ssim_per_frame(clip(0, 161, 161), clip(0, 161, 161)).shape == (0,)


@pytest.mark.parametrize(
    "bad", [clip(2).float(), clip(2)[0], clip(2)[:, :2], clip(2, 12, 18), clip(3), clip(2)[..., :0]]
)
def test_other_shapes_and_types_are_refused(bad):
    for metric in (mse_per_frame, ms_ssim_per_frame):
        with pytest.raises(InputError, match=r"uint8|decoded is"):
            metric(clip(2), bad)


def test_ms_ssim_is_refused_up_to_160_pixels():
    with pytest.raises(InputError, match="at least 161"):
        ms_ssim_per_frame(clip(1, 160, 300), clip(1, 160, 300))
    a = clip(2, 161, 170)
    assert ms_ssim_per_frame(a, a).tolist() == pytest.approx([1, 1], abs=1e-6)


def test_ms_ssim_of_constants_is_the_luminance_term_of_the_last_scale():
    a = torch.full((1, 3, 176, 176), 100, dtype=torch.uint8)  # whole at every scale: no border counts
    c1 = (0.01 * 255) ** 2
    luminance = (2 * 100 * 120 + c1) / (100**2 + 120**2 + c1)
    assert ms_ssim_per_frame(a, a + 20).item() == pytest.approx(luminance**0.1333, abs=1e-4)


def test_ms_ssim_is_per_frame():
    a = clip(3, 170, 161)
    b = a.clone()
    b[1] = 255 - b[1]
    result = ms_ssim_per_frame(a, b)
    assert result[[0, 2]].tolist() == pytest.approx([1, 1], abs=1e-6)
    assert result[1] < 0.2


def test_meter_averages_over_frames_then_videos():
    meter = QualityMeter()
    meter.add("short", torch.tensor([1.0]))
    meter.add("long", torch.tensor([100.0, 100.0]))
    meter.add("long", torch.tensor([400.0]))
    of = {mse: 10 * math.log10(255**2 / mse) for mse in (1, 100, 400)}
    long = (2 * of[100] + of[400]) / 3
    assert meter.per_video() == pytest.approx({"short": of[1], "long": long})
    assert meter.psnr == pytest.approx((of[1] + long) / 2)
    assert meter.psnr_of_mean_mse == pytest.approx(10 * math.log10(255**2 / ((1 + 200) / 2)))
    assert meter.frames == 4


@pytest.mark.parametrize(("count", "worst"), [(1, 1), (20, 1), (29, 1), (31, 2), (100, 5)])
def test_the_worst_twentieth_of_the_frames(count, worst):
    errors = torch.arange(1.0, count + 1)
    meter = QualityMeter()
    meter.add("a", errors[::2])
    meter.add("a", errors[1::2])
    expected = [10 * math.log10(255**2 / mse) for mse in errors[-worst:].tolist()]
    assert meter.worst_psnr == pytest.approx(sum(expected) / worst)
    meter.add("b", torch.tensor([1.0]))
    assert meter.worst_psnr == pytest.approx((sum(expected) / worst + 10 * math.log10(255**2)) / 2)


def test_meter_at_the_cap_and_empty():
    meter = QualityMeter()
    with pytest.raises(InputError, match="no frames"):
        _ = meter.psnr
    meter.add(0, torch.zeros(0, dtype=torch.float64))
    for ask in (lambda: meter.psnr_of_mean_mse, lambda: meter.worst_psnr):
        with pytest.raises(InputError, match="no frames"):
            ask()
    meter.add(0, torch.zeros(2, dtype=torch.float64))
    assert meter.psnr == meter.psnr_of_mean_mse == 100
