"""Measures that are taken on demand, beside PSNR and MS-SSIM; each is the mean over a video's frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import fmean

from dnerv.codecs import Frame
from dnerv.evaluation import perceptual, vmaf

Frames = Callable[[], Iterator[Frame]]  # each call begins anew


@dataclass(frozen=True)
class Measure:
    """One of them."""

    title: str  # in tables
    model: str  # which it is, and which way is better
    digits: int  # behind the point, that mean something
    check: Callable[[], None]  # InputError where it is not to be had
    of: Callable[[Frames, Frames, Path], float]  # originals, decoded, a folder for scratch


MEASURES: Mapping[str, Measure] = {
    "vmaf": Measure(
        "VMAF",
        vmaf.MODEL,
        1,
        lambda: vmaf.check_vmaf(),
        lambda frames, decoded, scratch: vmaf.vmaf(frames(), decoded(), scratch),
    ),
    "perceptual": Measure(
        "ST-LPIPS",
        f"{perceptual.NAME}, less is better",
        4,
        lambda: perceptual.check_perceptual(),
        lambda frames, decoded, scratch: perceptual.perceptual_distance(frames(), decoded()),
    ),
}


def take(measures: Sequence[str], frames: Frames, decoded: Frames, scratch: Path) -> dict[str, float]:
    """Each measure of one video."""
    return {name: MEASURES[name].of(frames, decoded, scratch) for name in measures}


def mean_scores(videos: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over videos, each with one vote."""
    return {name: fmean(scores[name] for scores in videos) for name in videos[0]}
