"""Quality of decoded frames, each figure defined once.

For uint8 frames x (reference) and y (decoded) with values in [0, 255]:

- MSE of a frame: mean of (x - y)^2 over its 3 H W values;
- PSNR of a frame: 10 log10(255^2 / MSE) dB, at most 100 (`dnerv.codecs.psnr`);
- `psnr`: PSNR averaged over the frames of a video, then over the videos: what papers of the NeRV family report;
- `worst_psnr`: PSNR averaged over the worst twentieth of a video's frames, one at least, then over the videos: what a
  mean over all frames hides;
- `psnr_of_mean_mse`: 10 log10(255^2 / M), M the MSE averaged over the frames of a video, then over the videos: never
  above `psnr`, less kind to collections of uneven quality.

Averages over videos give each video one vote, however long it is.
"""

from dataclasses import dataclass, field

import numpy as np
import torch
from torch import Tensor

from dnerv.codecs import PEAK, psnr, squared_error
from dnerv.errors import InputError

_WORST = 0.05  # of the frames, by PSNR
_WINDOW = 11  # pixels, Gaussian of sigma 1.5
_SCALES = 5
SMALLEST_SIDE_OF_MS_SSIM = (_WINDOW - 1) * 2 ** (_SCALES - 1) + 1  # pixels


def mse_per_frame(reference: Tensor, decoded: Tensor) -> Tensor:
    """Mean squared error of each frame.

    Args:
        reference, decoded: uint8 [T, 3, H, W] in [0, 255], on one device.

    Returns:
        float64 [T], exact (the sums are integers).

    Raises:
        InputError: another dtype or shape, or shapes that differ.
    """
    _check(reference, decoded)
    pairs = zip(reference, decoded, strict=True)
    if reference.device.type == "cpu":  # threads of torch beside ours would wait for each other
        sums = torch.tensor([squared_error(x.numpy(), y.numpy()) for x, y in pairs], dtype=torch.float64)
    else:
        sums = (reference.int() - decoded.int()).square().sum((1, 2, 3), dtype=torch.int64).double()
    return sums / max(1, reference[:1].numel())


def ms_ssim_per_frame(reference: Tensor, decoded: Tensor) -> Tensor:
    """Multi-scale structural similarity (Wang 2003) on five scales, mean over R, G and B.

    Args and errors as `mse_per_frame`. Smaller frames are refused (InputError), never scored on fewer scales
    or by SSIM: such a figure could not be compared with any published one.

    Returns:
        float64 [T] in [0, 1].
    """
    from pytorch_msssim import ms_ssim

    _check(reference, decoded)
    height, width = reference.shape[2:]
    if min(height, width) < SMALLEST_SIDE_OF_MS_SSIM:
        raise InputError(
            f"MS-SSIM needs the shorter side to be at least {SMALLEST_SIDE_OF_MS_SSIM} pixels (its fifth scale is 16 "
            f"times smaller and its window has {_WINDOW} pixels); frames are {width}x{height}"
        )
    pairs = zip(reference, decoded, strict=True)
    values = [ms_ssim(x[None].float(), y[None].float(), data_range=PEAK, size_average=True) for x, y in pairs]
    return torch.stack(values).double() if values else reference.new_zeros(0, dtype=torch.float64)


def _check(reference: Tensor, decoded: Tensor) -> None:
    for name, frames in (("reference", reference), ("decoded", decoded)):
        if frames.dtype != torch.uint8 or frames.ndim != 4 or frames.shape[1] != 3 or 0 in frames.shape[2:]:
            raise InputError(f"{name} is {frames.dtype} {tuple(frames.shape)}; it must be uint8 [T, 3, H, W]")
    if reference.shape != decoded.shape:
        raise InputError(f"reference is {tuple(reference.shape)} and decoded is {tuple(decoded.shape)}")


@dataclass
class _VideoSums:
    mse: float = 0.0
    psnr: list[float] = field(default_factory=list)  # of every frame

    @property
    def frames(self) -> int:
        return len(self.psnr)

    @property
    def mean_psnr(self) -> float:
        return float(np.mean(self.psnr))

    @property
    def worst_psnr(self) -> float:
        return float(np.mean(np.sort(self.psnr)[: max(1, round(_WORST * self.frames))]))


@dataclass
class QualityMeter:
    """Averages over frames, then over videos; frames of a video may arrive in parts and in any order."""

    _videos: dict[str | int, _VideoSums] = field(default_factory=dict)

    def add(self, video: str | int, mse: Tensor) -> None:
        """Count float64 [T] errors of `mse_per_frame` towards the video of that name or index."""
        sums = self._videos.setdefault(video, _VideoSums())
        sums.psnr += psnr(mse).tolist()
        sums.mse += float(mse.double().sum())

    @property
    def frames(self) -> int:
        """Frames counted so far."""
        return sum(sums.frames for sums in self._videos.values())

    @property
    def psnr(self) -> float:
        """Mean of the videos' mean PSNR, in dB. Raises InputError before any frame."""
        counted = self._counted()
        return sum(sums.mean_psnr for sums in counted) / len(counted)

    @property
    def worst_psnr(self) -> float:
        """Mean of the videos' PSNR over the worst twentieth of their frames, in dB. InputError before any frame."""
        counted = self._counted()
        return sum(sums.worst_psnr for sums in counted) / len(counted)

    @property
    def psnr_of_mean_mse(self) -> float:
        """PSNR of the mean of the videos' mean MSE, in dB. Raises InputError before any frame."""
        counted = self._counted()
        mse = sum(sums.mse / sums.frames for sums in counted) / len(counted)
        return psnr(mse)

    def per_video(self) -> dict[str | int, float]:
        """Mean PSNR of each video, in dB."""
        return {name: sums.mean_psnr for name, sums in self._videos.items() if sums.frames}

    def _counted(self) -> list[_VideoSums]:
        counted = [sums for sums in self._videos.values() if sums.frames]
        if not counted:
            raise InputError("no frames were measured; add the errors of at least one frame first")
        return counted
