"""MSE and PSNR for NumPy and torch: one definition."""

import numpy as np
import pytest
import torch

from dnerv.codecs import PSNR_OF_IDENTICAL_FRAMES, mse, psnr, squared_error


def test_mse_of_bytes_does_not_wrap():
    dark, bright = np.zeros((2, 3, 3), np.uint8), np.full((2, 3, 3), 255, np.uint8)
    assert mse(dark, bright) == mse(bright, dark) == 255**2


def test_squared_error_is_exact_however_the_pictures_lie():
    rng = np.random.default_rng(0)
    a, b = rng.integers(0, 256, (2, 5, 7, 3), dtype=np.uint8)
    expected = int(((a.astype(int) - b) ** 2).sum())
    assert squared_error(a, b) == squared_error(b, a) == expected
    assert squared_error(a.transpose(2, 0, 1), np.ascontiguousarray(b.transpose(2, 0, 1))) == expected
    black = np.zeros((500, 700, 3), np.uint8)  # beyond 32 bits
    assert squared_error(black, black + 255) == 500 * 700 * 3 * 255**2


def test_mse_over_axes_is_one_for_each_frame():
    rng = np.random.default_rng(0)
    original, made = rng.integers(0, 256, (2, 4, 5, 6, 3), np.uint8)
    found = mse(original, made, axis=(1, 2, 3))
    assert found.shape == (4,)
    assert found.dtype == np.float64
    assert found.mean() == pytest.approx(mse(original, made))
    assert found[1] == pytest.approx(np.mean((original[1].astype(float) - made[1]) ** 2))


@pytest.mark.parametrize(("error", "decibels"), [(255.0**2, 0), (65.025, 30), (0.0, 100), (1e-9, 100)])
def test_the_same_for_numbers_arrays_and_tensors(error, decibels):
    assert isinstance(psnr(error), float)
    assert psnr(error) == pytest.approx(decibels)
    assert psnr(np.float64(error)) == pytest.approx(decibels)
    assert psnr(np.array([error, error])).tolist() == pytest.approx([decibels] * 2)
    found = psnr(torch.tensor([error], dtype=torch.float32))
    assert found.dtype == torch.float64
    assert found.tolist() == pytest.approx([decibels], abs=1e-4)
    assert PSNR_OF_IDENTICAL_FRAMES == 100


def test_importing_it_waits_for_neither_torch_nor_ffmpeg():
    import subprocess
    import sys

    program = "import sys; from dnerv.codecs import mse, psnr; psnr(1.0); print({'torch', 'av'} & sys.modules.keys())"
    done = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "set()"
