"""What a corpus is like, measured on a sample of it before all of it is coded.

    a few clips ── every 2nd frame, at two qualities ── what bytes bring ── groups of 8, 16, 32, 64 ── the access

The sample is coded faster than the corpus will be: only what comes out in proportion is used.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from math import log10
from typing import Any

import numpy as np

from dnerv import progress
from dnerv.codecs import SvtAv1, search_crf
from dnerv.encoding.base_choice import references_of
from dnerv.encoding.base_coding import WHOLE, BasePlan, CodedBase, CodedReference, code_base, code_reference, quality
from dnerv.encoding.base_stage import side_by_side
from dnerv.encoding.probe import centre
from dnerv.video import CachedVideo

ACCESSES = (8, 16, 32, 64)  # coded frames, tried from the shortest
DEAREST = 1.05  # bytes at equal quality that short groups may cost, over those of one group a video
SHORT_GROUP = 16  # coded frames up to which predicting forward alone beats a hierarchy of frames
_VIDEOS, _FRAMES = 6, 65  # of the sample, at most
_FASTER, _FASTEST = 4, 10  # steps of the encoder's preset, and the last that is used
_FINER = 6.0  # crf between the two qualities that say what bytes bring
_LEAST_EXCHANGE, _MOST_EXCHANGE = 6.0, 20.0  # dB for ten times the bytes; beyond lies noise
_CLOSE_ENOUGH, _MOST_TRIALS = 0.05, 4  # of the search for a first crf


@dataclass(frozen=True)
class Survey:
    """What was found."""

    crf: float  # as asked, or the one whose bytes come close to those asked for
    exchange: float  # dB that ten times the bytes bring
    intra_bytes: float  # of an intra frame over its pixels
    access: int  # coded frames; as asked, or chosen
    cost: float | None  # bytes of that access over those of one group a video; None where it was asked for
    low_delay: bool  # whether groups are so short that predicting forward alone is best

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return vars(self).copy()


class Surveyor:
    """Codes a sample."""

    def __init__(self, videos: Sequence[CachedVideo], preset: int, distance: int) -> None:
        chosen = np.unique(np.linspace(0, len(videos) - 1, _VIDEOS).round().astype(int))
        self._clips = [centre(videos[place], _FRAMES) for place in chosen]
        self._plan = BasePlan(1.0, min(_FASTEST, preset + _FASTER), distance, WHOLE, low_delay=False)
        self._lengths = [len(video.store) for video in videos]
        self._coded: dict[tuple[float, int], list[CodedBase]] = {}

    def survey(self, crf: float | None, bits_per_pixel: float | None, access: int | None, *, shares: bool) -> Survey:
        """Measure: at a crf, or where a number of bits takes it."""
        if crf is None:
            assert bits_per_pixel is not None
            crf = self._crf_for(bits_per_pixel)
        exchange = self._exchange(crf)
        first = [packet for coded in self._code(crf, ACCESSES[0]) for packet in (group[0] for group in coded.groups)]
        pixels = float(np.mean([clip[0].size / 3 for clip in self._clips]))
        intra = sum(map(len, first)) / len(first) / pixels
        chosen, cost = (access, None) if access is not None else self._access(crf, exchange, shares)
        typical = min(chosen, np.median(self._lengths) / self._plan.distance)
        return Survey(crf, exchange, intra, chosen, cost, bool(typical <= SHORT_GROUP))

    def _crf_for(self, bits_per_pixel: float) -> float:
        pixels = sum(clip.size / 3 for clip in self._clips)
        found = search_crf(
            SvtAv1(),
            lambda crf: 8 * sum(coded.size for coded in self._code(crf, ACCESSES[0])) / pixels,
            bits_per_pixel,
            close_enough=_CLOSE_ENOUGH,
            most=_MOST_TRIALS,
        )
        return found.nearest

    def _exchange(self, crf: float) -> float:
        finer = SvtAv1.nearest_crf(max(SvtAv1.crf_range[0], crf - _FINER))
        low, high = (self._code(each, ACCESSES[0]) for each in (crf, finer))
        gained = np.mean([quality(b.distortion) - quality(a.distortion) for a, b in zip(low, high, strict=True)])
        spent = np.mean([log10(b.size / a.size) for a, b in zip(low, high, strict=True)])
        found = gained / spent if spent > 0 else _LEAST_EXCHANGE
        return float(np.clip(found, _LEAST_EXCHANGE, _MOST_EXCHANGE))

    def _access(self, crf: float, exchange: float, shares: bool) -> tuple[int, float]:
        """The shortest groups that cost little, and what they cost."""
        whole = self._best(crf, WHOLE, exchange, shares)
        for access in ACCESSES:
            cost = float(10 ** ((whole - self._best(crf, access, exchange, shares)) / exchange))
            if cost <= DEAREST:
                return access, cost
        return WHOLE, 1.0

    def _best(self, crf: float, access: int, exchange: float, shares: bool) -> float:
        """Mean score of the sample's clips, each in the better way; a clip's own middle frame, or another's, is shared."""
        ways = [[coded.score(exchange) for coded in self._code(crf, access)]]
        if shares:
            ways.append([coded.score(exchange) for coded in self._code_shared(crf, access)])
        return float(np.mean(np.max(ways, axis=0)))

    def _code(self, crf: float, access: int) -> list[CodedBase]:
        key = (crf, access)
        if key not in self._coded:
            plan = replace(self._plan, crf=crf, access=access)
            self._coded[key] = list(side_by_side(lambda clip: code_base(clip, plan), self._clips))
            progress.advance()
        return self._coded[key]

    def _code_shared(self, crf: float, access: int) -> list[CodedBase]:
        plan = replace(self._plan, crf=crf, access=access, low_delay=access <= SHORT_GROUP)
        pictures = [clip[len(clip) // 2] for clip in self._clips]

        def code(place: int) -> CodedBase:
            clip = self._clips[place]
            reference = code_reference(lambda: pictures[place], plan)
            wanted: list[CodedReference | None] = [*references_of(len(clip), plan, lambda _: reference)]
            coded = code_base(clip, plan, wanted)
            # Its own picture counts in full: how many videos share one is not known yet.
            return replace(coded, packets=(*coded.packets, reference.packet), references=(*coded.references, None))

        made = list(side_by_side(code, range(len(self._clips))))
        progress.advance()
        return made
