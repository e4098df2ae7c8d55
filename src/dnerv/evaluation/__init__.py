"""Metrics as written down, on frames that came out of files; what a measurement ran on."""

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.codecs import psnr
    from dnerv.evaluation.archive_quality import ArchiveQuality, VideoQuality, evaluate, measure_archive
    from dnerv.evaluation.metrics import QualityMeter, ms_ssim_per_frame, mse_per_frame

__all__ = [
    "ArchiveQuality",
    "QualityMeter",
    "VideoQuality",
    "evaluate",
    "measure_archive",
    "ms_ssim_per_frame",
    "mse_per_frame",
    "psnr",
]

__getattr__ = imports_on_use(
    __name__,
    {
        "ArchiveQuality": "archive_quality",
        "QualityMeter": "metrics",
        "VideoQuality": "archive_quality",
        "evaluate": "archive_quality",
        "measure_archive": "archive_quality",
        "ms_ssim_per_frame": "metrics",
        "mse_per_frame": "metrics",
        "psnr": "metrics",
    },
)
