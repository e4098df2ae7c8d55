"""What a faster decoder costs in quality: its frames against those of the reference path and against the originals."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from torch import Tensor

from dnerv import progress
from dnerv.evaluation.metrics import QualityMeter, mse_per_frame

Place = TypeVar("Place")
LoadClip = Callable[[Place], Tensor]  # uint8 [t, 3, H, W] of a place


@dataclass(frozen=True)
class DecoderQuality:
    """PSNR in dB, mean over frames, then over videos; 100 stands for identical frames."""

    name: str
    psnr_to_reference: float
    psnr_to_originals: float | None  # None where there are no originals
    cost: float | None  # dB to the originals that it is below the reference


def compare_decoders(
    decoders: Mapping[str, LoadClip[Place]],
    reference: str,
    places: Iterable[tuple[int, Place]],
    original: LoadClip[Place] | None,
) -> list[DecoderQuality]:
    """Load every place with every decoder; one clip of each is held at a time. Progress is by place.

    Args:
        decoders: by name; `reference` names one of them.
        places: (video, place) of every clip to compare.
        original: the clip before it was coded, if at hand.
    """
    apart = {name: QualityMeter() for name in decoders}
    off = {name: QualityMeter() for name in decoders}
    for video, place in places:
        truth = decoders[reference](place).cpu()
        wanted = None if original is None else original(place)
        for name, load in decoders.items():
            made = load(place).cpu()
            apart[name].add(video, mse_per_frame(truth, made))
            if wanted is not None:
                off[name].add(video, mse_per_frame(wanted, made))
        progress.advance()
    if original is None:
        return [DecoderQuality(name, meter.psnr, None, None) for name, meter in apart.items()]
    best = off[reference].psnr
    return [DecoderQuality(name, apart[name].psnr, off[name].psnr, best - off[name].psnr) for name in decoders]
