"""Metrics as written down, and conventional codecs on the same frames."""

from importlib import import_module
from typing import TYPE_CHECKING, Any

from dnerv.evaluation.metrics import QualityMeter, ms_ssim_per_frame, mse_per_frame, psnr, ssim_per_frame

if TYPE_CHECKING:
    from dnerv.evaluation.anchors import AnchorStream, encode_anchor
    from dnerv.evaluation.archive_quality import ArchiveQuality, VideoQuality, evaluate, measure_archive
    from dnerv.evaluation.matching import AnchorMatch, AnchorPoint, match_bytes

__all__ = [
    "AnchorMatch",
    "AnchorPoint",
    "AnchorStream",
    "ArchiveQuality",
    "QualityMeter",
    "VideoQuality",
    "encode_anchor",
    "evaluate",
    "match_bytes",
    "measure_archive",
    "ms_ssim_per_frame",
    "mse_per_frame",
    "psnr",
    "ssim_per_frame",
]

_LAZY = {
    "AnchorMatch": "matching",
    "AnchorPoint": "matching",
    "AnchorStream": "anchors",
    "ArchiveQuality": "archive_quality",
    "VideoQuality": "archive_quality",
    "encode_anchor": "anchors",
    "evaluate": "archive_quality",
    "match_bytes": "matching",
    "measure_archive": "archive_quality",
}


def __getattr__(name: str) -> Any:
    """FFmpeg is imported with the first anchor, the archive with its evaluation; the metrics need neither."""
    if name not in _LAZY:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    return getattr(import_module(f"{__name__}.{_LAZY[name]}"), name)
