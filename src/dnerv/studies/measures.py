"""Measures that are taken on demand, beside PSNR and MS-SSIM; each is the mean over a video's frames."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from pathlib import Path
from statistics import fmean
from typing import Literal

from dnerv.codecs import Frame
from dnerv.evaluation import perceptual
from dnerv.evaluation import vmaf as film_quality

Measure = Literal["vmaf", "perceptual"]
Frames = Callable[[], Iterator[Frame]]  # each call begins anew
TITLES: Mapping[Measure, str] = {"vmaf": "VMAF", "perceptual": "ST-LPIPS"}
MODELS: Mapping[Measure, str] = {"vmaf": film_quality.MODEL, "perceptual": f"{perceptual.NAME}, less is better"}
DIGITS: Mapping[Measure, int] = {"vmaf": 1, "perceptual": 4}


def check_measures(measures: Sequence[Measure]) -> None:
    """Raise InputError for one that is not to be had here."""
    for measure in measures:
        {"vmaf": film_quality.check_vmaf, "perceptual": perceptual.check_perceptual}[measure]()


def take(measures: Sequence[Measure], frames: Frames, decoded: Frames, scratch: Path) -> dict[str, float]:
    """Each measure of one video. `scratch`: a folder for what VMAF writes."""
    scores: dict[str, float] = {}
    for measure in measures:
        if measure == "vmaf":
            scores[measure] = film_quality.vmaf(frames(), decoded(), scratch)
        else:
            scores[measure] = perceptual.perceptual_distance(frames(), decoded())
    return scores


def mean_scores(videos: Sequence[Mapping[str, float]]) -> dict[str, float]:
    """Means over videos, each with one vote."""
    return {name: fmean(scores[name] for scores in videos) for name in videos[0]}
