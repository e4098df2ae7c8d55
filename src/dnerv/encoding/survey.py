"""What a corpus is like, measured on a sample of it before all of it is coded.

    a few clips ── at two qualities ── what bytes bring ── groups of 8, 16, 32, 64, whole videos ── the access

Each clip is coded in the ways that the corpus will be coded in, and counts with the best of them; groups behind a
reference both forward alone and in a hierarchy of frames, of which the corpus then has one. The sample is coded
faster than the corpus will be: only what comes out in proportion is used.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from math import log10
from typing import Any, NamedTuple, TypeVar

import numpy as np
from numpy.typing import NDArray

from dnerv import progress
from dnerv.codecs import SvtAv1, search_crf
from dnerv.encoding.base_choice import references_of
from dnerv.encoding.base_coding import (
    WHOLE,
    BasePlan,
    CodedBase,
    CodedReference,
    Exchange,
    code_base,
    code_reference,
    quality,
)
from dnerv.encoding.probe import SAMPLE_SIDE, centre
from dnerv.encoding.reference_choice import Choice, Picture, Summary, choose_pictures
from dnerv.process import side_by_side
from dnerv.video import CachedVideo

ACCESSES = (8, 16, 32, 64)  # coded frames, tried from the shortest
DEAREST = 1.05  # bytes at equal quality that short groups may cost, over those of one group a video
_VIDEOS, _FRAMES = 6, 65  # of the sample, at most
_FASTER, _FASTEST = 4, SvtAv1.fastest_low_delay  # steps of the encoder's preset, and the last that is used
_FINER = 6.0  # crf between the two qualities that say what bytes bring
_LEAST_EXCHANGE, _MOST_EXCHANGE = 6.0, 20.0  # dB for ten times the bytes; beyond lies noise
_CLOSE_ENOUGH, _MOST_TRIALS = 0.05, 4  # of the search for a first crf
_MOST_PRICES = 8  # that ways are weighed at, each found by the ways before

Coding = TypeVar("Coding")


@dataclass(frozen=True)
class Survey:
    """What was found."""

    crf: float  # as asked, or one whose bytes come close to those asked for
    exchange: float  # dB that ten times the bytes bring
    frame_bytes: float  # bytes a frame, mean over the frames of the sampled videos, each in its best way
    intra_bytes: float  # of an intra frame over its pixels
    access: int  # coded frames; as asked, or chosen
    cost: float | None  # bytes of that access over those of one group a video; None where it was asked for
    low_delay: bool  # whether groups behind a reference are coded forward alone

    @classmethod
    def without_sample(cls, crf: float, access: int) -> Survey:
        """Where videos are coded in one way alone: what bytes bring is then of no use, and stands for nothing."""
        return cls(crf, _LEAST_EXCHANGE, 1.0, 0.0, access, None, low_delay=True)

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return vars(self).copy()


class _Way(NamedTuple):
    """What a way of coding a clip gives, and what it takes."""

    quality: float  # dB
    frame_bytes: float  # of a frame of its video


class _Sampled(NamedTuple):
    """A clip of the sample as it was coded."""

    way: _Way
    size: int  # bytes of its packets
    first: float  # bytes a pixel of the first of them, an intra frame


class _Best(NamedTuple):
    """The sample with each clip in its best way."""

    score: float  # mean quality in dB, less what its bytes bring: equal along the corpus's curve
    low_delay: bool  # whether groups behind a reference are coded forward alone
    frame_bytes: float  # the mean


class _Terms(NamedTuple):
    """What holds at one crf."""

    plan: BasePlan  # every frame, one group a video
    exchange: float  # dB that ten times the bytes bring
    intra_bytes: float  # of an intra frame over its pixels
    choice: Choice | None  # pictures that the sample's clips would start from


class Surveyor:
    """Codes a sample of videos."""

    def __init__(
        self,
        videos: Sequence[CachedVideo],
        summaries: Sequence[Summary],
        preset: int,
        distances: Sequence[int],
    ) -> None:
        """`summaries`: of all videos; none where pictures are not shared."""
        self._videos, self._summaries = videos, summaries
        chosen = np.unique(np.linspace(0, len(videos) - 1, _VIDEOS).round().astype(int))
        self._places: list[int] = chosen.tolist()
        self._clips = [centre(videos[place], _FRAMES) for place in self._places]
        self._pixels = [videos[place].height * videos[place].width for place in self._places]  # of a frame
        self._lengths = [len(videos[place].store) for place in self._places]  # frames: each has one vote
        self._distances = sorted(distances)
        fast = min(max(preset, _FASTEST), preset + _FASTER)
        self._plan = BasePlan(1.0, fast, min(distances), WHOLE, low_delay=False)
        self._longest = max(len(clip) for clip in self._clips) // min(self._distances) + 1
        self._coded: dict[BasePlan, list[_Sampled]] = {}

    def most_codings(self, crf: float | None, access: int | None) -> int:
        """How many times `survey` codes a clip at most: progress is told by each."""
        crfs = 1 if crf is not None else _MOST_TRIALS
        accesses = 1 if access is not None else 1 + sum(short <= self._longest for short in ACCESSES)
        ways = len(self._distances) * (3 if self._summaries else 1)  # own groups, and behind pictures in two ways
        tried = accesses if crf is not None else accesses + _MOST_TRIALS
        return len(self._clips) * (2 * crfs + ways * tried)  # 2: what bytes bring

    def survey(self, crf: float | None, bits_per_pixel: float | None, access: int | None) -> Survey:
        """Measure at a crf, or, for None, where a number of bits takes it; `access`: None to choose it."""
        if crf is None:
            assert bits_per_pixel is not None
            crf = self._crf_for(bits_per_pixel, access or WHOLE)
        terms = self._terms(crf)
        if access is not None:
            return _survey(terms, access, None, self._best(terms, access))
        whole = self._best(terms, WHOLE)
        for short in ACCESSES:
            if short > self._longest:
                return _survey(terms, short, 1.0, whole)
            found = self._best(terms, short)
            cost = float(10 ** ((whole.score - found.score) / terms.exchange))
            if cost <= DEAREST:
                return _survey(terms, short, cost, found)
        return _survey(terms, WHOLE, 1.0, whole)

    def _crf_for(self, bits_per_pixel: float, access: int) -> float:
        pixels = float(np.average(self._pixels, weights=self._lengths))
        found = search_crf(
            SvtAv1(),
            lambda crf: 8 * self._best(self._terms(crf), access).frame_bytes / pixels,
            bits_per_pixel,
            close_enough=_CLOSE_ENOUGH,
            most=_MOST_TRIALS,
        )
        return found.nearest

    def _terms(self, crf: float) -> _Terms:
        plan = replace(self._plan, crf=crf)
        intra = float(np.mean([sampled.first for sampled in self._code(plan)]))
        return _Terms(plan, self._exchange(crf), intra, self._choice(intra))

    def _exchange(self, crf: float) -> float:
        """What bytes bring where they are spent on plain AV1."""
        finer = SvtAv1.nearest_crf(max(SvtAv1.crf_range[0], crf - _FINER))
        low, high = (self._code(replace(self._plan, crf=each)) for each in (crf, finer))
        gained = np.mean([b.way.quality - a.way.quality for a, b in zip(low, high, strict=True)])
        spent = np.mean([log10(b.size / a.size) for a, b in zip(low, high, strict=True)])
        found = gained / spent if spent > 0 else _LEAST_EXCHANGE
        return float(np.clip(found, _LEAST_EXCHANGE, _MOST_EXCHANGE))

    def _choice(self, intra: float) -> Choice | None:
        """What the sample's clips would start from, were groups as short as they are at most."""
        if not self._summaries:
            return None
        pixels = float(np.mean([video.height * video.width for video in self._videos]))
        coded = ACCESSES[0] * max(self._distances)
        groups = [-(-len(video.store) // coded) for video in self._videos]
        sizes = [(video.height, video.width) for video in self._videos]
        return choose_pictures(self._summaries, groups, sizes, intra * pixels, 1.1 * intra * pixels)

    def _best(self, terms: _Terms, access: int) -> _Best:
        """Each clip in its best way; groups behind pictures are coded in one way for all."""
        plans = [replace(terms.plan, access=access, distance=distance) for distance in self._distances]
        own = [[sampled.way for sampled in self._code(each)] for each in plans]
        if terms.choice is None or not terms.choice.pictures:
            return _best(own, (), self._lengths, terms.exchange, low_delay=True)
        found = []
        for forward in (True, False):
            shared = [self._shared(replace(each, low_delay=forward), terms.choice) for each in plans]
            found.append(_best(own, shared, self._lengths, terms.exchange, forward))
        return max(found)

    def _code(self, plan: BasePlan) -> list[_Sampled]:
        def code(clip: NDArray[np.uint8], pixels: int) -> _Sampled:
            coded, shown = code_base(clip, plan), clip[0].size / 3
            return _Sampled(_way(coded, pixels / shown), coded.size, len(coded.packets[0]) / shown)

        if plan not in self._coded:
            clips = [*zip(self._clips, self._pixels, strict=True)]
            self._coded[plan] = [*_counted(side_by_side(lambda clip: code(*clip), clips))]
        return self._coded[plan]

    def _shared(self, plan: BasePlan, choice: Choice) -> list[_Way]:
        """The clips behind the pictures that they would share; what a picture takes is shared, too."""
        users = Counter(place for tries in choice.tries for place in set(tries) if place is not None)

        def code(place: int) -> _Way:
            video, clip = self._places[place], self._clips[place]
            first = (len(self._videos[video].store) - len(clip)) // 2
            made: dict[int, CodedReference] = {}

            def candidate(frame: int) -> CodedReference | None:
                tried = choice.of(video, self._summaries[video], first + frame)
                if tried is not None and tried not in made:
                    made[tried] = code_reference(lambda: self._cut(choice.pictures[tried]), plan)
                return None if tried is None else made[tried]

            coded = code_base(clip, plan, references_of(len(clip), plan, candidate))
            extra = sum(len(r.packet) / users[tried] for tried, r in made.items())
            return _way(coded, 3 * self._pixels[place] / clip[0].size, extra)

        return [*_counted(side_by_side(code, range(len(self._clips))))]

    def _cut(self, picture: Picture) -> NDArray[np.uint8]:
        """As much of a picture as of the clips."""
        frame = self._videos[picture.video].store[picture.frame]
        height, width = min(frame.shape[0], SAMPLE_SIDE), min(frame.shape[1], SAMPLE_SIDE)
        top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
        return frame[top : top + height, left : left + width]


def _survey(terms: _Terms, access: int, cost: float | None, found: _Best) -> Survey:
    plan, exchange, intra, _ = terms
    return Survey(plan.crf, exchange, found.frame_bytes, intra, access, cost, found.low_delay)


def _counted(codings: Iterable[Coding]) -> Iterator[Coding]:
    for coding in codings:
        progress.advance()
        yield coding


def _way(coded: CodedBase, larger: float, extra: float = 0.0) -> _Way:
    """`larger`: pixels of the video's frames over those of the clip's. `extra`: bytes that it takes beside its own."""
    return _Way(quality(coded.distortion), larger * (coded.cost + extra) / len(coded.errors))


def _best(
    own: Sequence[Sequence[_Way]],
    shared: Sequence[Sequence[_Way]],
    lengths: Sequence[int],
    exchange: float,
    low_delay: bool,
) -> _Best:
    """Of ways, each of all clips, the best for each clip, at the price of bytes where the sample then is.

    The search starts with the first of the videos' `own` groups, every frame coded, and takes other ways as they pay.
    What all take decides what a byte is worth: where each clip could take far fewer behind a picture, none does so
    alone. So it starts with the first of the `shared` ways, too; the state furthest above the corpus's curve is taken.
    """
    ways = [*own, *shared]
    return max(_settled(start, ways, lengths, exchange, low_delay) for start in [own[0], *shared[:1]])


def _settled(
    start: Sequence[_Way], ways: Sequence[Sequence[_Way]], lengths: Sequence[int], exchange: float, low_delay: bool
) -> _Best:
    """Each clip in its best way at the price that the clips themselves make, sought from a way of each."""
    found = list(start)
    for _ in range(_MOST_PRICES):
        price = Exchange(exchange, _mean([way.frame_bytes for way in found], lengths))
        taken = [
            max(clip, key=lambda way: way.quality - price.brought(way.frame_bytes)) for clip in zip(*ways, strict=True)
        ]
        if taken == found:
            break
        found = taken
    frame_bytes = _mean([way.frame_bytes for way in found], lengths)
    score = _mean([way.quality for way in found], lengths) - exchange * log10(frame_bytes)
    return _Best(score, low_delay, frame_bytes)


def _mean(values: Sequence[float], lengths: Sequence[int]) -> float:
    return float(np.average(values, weights=lengths))
