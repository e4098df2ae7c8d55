"""The base layers of a whole corpus: which pictures they share, how each video is coded, at which quality.

    thumbnails ── pictures to share ── each video, in several ways ── pictures that were not worth it, out ── the dial

Videos are coded side by side, one on each processor. What is done is kept on disk, video by video, and found again when
the same thing is to be done once more.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from dnerv import progress
from dnerv.codecs import SvtAv1, search_crf
from dnerv.encoding.base_coding import (
    BasePlan,
    CodedReference,
    Exchange,
    code_reference,
    group_ranges,
    timeline_of,
)
from dnerv.encoding.reference_choice import Choice, Known, Summary, choose_pictures, summarise, thumbnail
from dnerv.encoding.video_coding import BestWay, KnownWay, Order, Shelf, StoredBase, code_video
from dnerv.encoding.workers import for_each
from dnerv.process import in_order, side_by_side, usable_cores
from dnerv.video import CachedVideo
from dnerv.video.source_frames import at_hand

_CLOSE_ENOUGH = 0.012  # in log bytes: a quarter step of crf moves them by about as much
_MOST_ROUNDS = 7  # codings of the corpus until the bytes fit
_DB_OF_CRF = 0.2  # that a step of crf takes, about
_SAME_WAY = 8.0  # of crf: within it what was found to be the best way to code a video stays so


@dataclass(frozen=True)
class BaseSettings:
    """What all videos of a corpus have in common."""

    preset: int  # SVT-AV1's
    access: int  # coded frames
    low_delay: bool
    distances: tuple[int, ...]  # that may be chosen
    exchange: float  # dB that ten times the bytes bring
    frame_bytes: float  # that the corpus spends on a frame, the mean of all ...
    frame_bytes_crf: float  # ... at this crf
    intra_bytes: float  # of an intra frame over its pixels; 0: pictures are not shared

    def plan(self, crf: float, threads: int = 1) -> BasePlan:
        """Of one video; its distance is the first that is allowed."""
        return BasePlan(crf, self.preset, self.distances[0], self.access, self.low_delay, threads)

    def exchange_of(self, crf: float) -> Exchange:
        """What bytes bring."""
        lower = (self.frame_bytes_crf - crf) * _DB_OF_CRF / self.exchange
        return Exchange(self.exchange, self.frame_bytes * 10**lower)


@dataclass(frozen=True)
class CodedCorpus:
    """All base layers, and the references that they need."""

    crf: float
    videos: tuple[StoredBase, ...]
    references: tuple[CodedReference, ...]

    @property
    def saved(self) -> Mapping[bytes, float]:
        """Bytes that each reference saves, at equal quality."""
        saved = Counter[bytes]()
        for video in self.videos:
            saved.update(video.saved)
        return saved

    @property
    def by_digest(self) -> dict[bytes, CodedReference]:
        """References by name."""
        return {reference.digest: reference for reference in self.references}


@dataclass(frozen=True)
class _Way:
    """How a video is coded: what choosing found, to be done again at another crf."""

    distance: int
    pictures: tuple[int | None, ...]  # of each group: place among the choice's
    saved: tuple[tuple[int, float], ...]  # bytes by such a place


class BaseStage:
    """Codes one corpus, again and again where a number of bytes is asked for."""

    def __init__(
        self,
        videos: Sequence[CachedVideo],
        folder: Path,
        settings: BaseSettings,
        summaries: Sequence[Summary] = (),
        given: Sequence[CodedReference] = (),
        num_free: int = 0,
        workers: Executor | None = None,
    ) -> None:
        """Lay out the work; nothing is coded yet.

        Args:
            summaries: of all videos; none where pictures are not shared.
            given: references that may be used, too; the videos are then coded at their crf.
            num_free: so many of those, the first, cost nothing.
            workers: who codes videos; None: threads of this process.
        """
        self.videos, self._folder, self.settings, self._given = videos, folder, settings, tuple(given)
        self._num_free, self._workers = num_free, workers
        self._threads = 1 if workers is not None else max(1, usable_cores() // max(1, len(videos)))
        self._summaries = summaries
        self._ways: tuple[float, Choice, list[_Way]] | None = None

    def code_to(self, target: float, start: float, file_bytes: Callable[[CodedCorpus], int]) -> CodedCorpus:
        """At the crf whose file comes closest to a number of bytes.

        Args:
            target: bytes.
            start: the first crf that is tried.
            file_bytes: writes the file and gives its size: what it takes beside packets is not guessed.
        """
        made: dict[float, CodedCorpus] = {}

        def coded_bytes(crf: float) -> int:
            made[crf] = self.code(crf)
            return file_bytes(made[crf])

        found = search_crf(SvtAv1(), coded_bytes, target, start=start, close_enough=_CLOSE_ENOUGH, most=_MOST_ROUNDS)
        return made[found.nearest]

    def code(self, crf: float) -> CodedCorpus:
        """At one crf. Ways that were chosen at a crf close by are taken again."""
        if self._ways is not None and abs(self._ways[0] - crf) <= _SAME_WAY:
            _, choice, ways = self._ways
            progress.stage(f"coding videos, crf {crf:g}", len(self.videos))
            references = self._references(choice, crf)
            again = self._code(lambda place: self._known_way(place, crf, ways[place], references))
            return _corpus(crf, again, references)
        known = [Known(reference.size, thumbnail(reference.draw())) for reference in self._given]
        choice = self.choice(known)
        references = self._references(choice, crf)
        progress.stage(f"coding videos, crf {crf:g}", len(self.videos))
        coded = self._code(lambda place: self._best_way(place, crf, choice, references))
        gone = _not_worth_it(coded, references, self._num_free)
        if gone:
            choice = choice.without(gone)
            dropped = {references[place].digest for place in gone}
            affected = [place for place, video in enumerate(coded) if dropped & set(video.references)]
            progress.stage("coding videos without pictures that did not pay", len(affected))
            again = self._code(lambda place: self._best_way(place, crf, choice, references), affected)
            for place, video in zip(affected, again, strict=True):
                coded[place] = video
        places = {reference.digest: place for place, reference in enumerate(references)}
        self._ways = (crf, choice, [_way(video, places) for video in coded])
        return _corpus(crf, coded, references)

    def choice(self, known: Sequence[Known]) -> Choice:
        """Pictures to share, `known` ones first, and which of them each video should try."""
        if not self._summaries:
            return Choice((), tuple((None,) for _ in self.videos))
        plan = replace(self.settings.plan(1.0), distance=max(self.settings.distances))
        pixels = float(np.mean([v.height * v.width for v in self.videos]))
        intra = self.settings.intra_bytes * pixels
        return choose_pictures(
            self._summaries,
            [len(group_ranges(len(timeline_of(len(v.store), plan).keyframe_positions), plan)) for v in self.videos],
            [(v.height, v.width) for v in self.videos],
            intra,
            1.1 * intra,  # a reference is a little finer than an intra frame
            known,
        )

    def _references(self, choice: Choice, crf: float) -> list[CodedReference]:
        def code(place: int) -> CodedReference:
            picture = choice.pictures[place]
            store = self.videos[picture.video].store
            made = code_reference(lambda: store[picture.frame], self.settings.plan(crf, self._threads))
            return replace(made, made_of=(self.videos[picture.video].name, picture.frame))

        return [*self._given, *side_by_side(code, range(len(choice.pictures)))]

    def _best_way(self, place: int, crf: float, choice: Choice, references: Sequence[CodedReference]) -> BestWay:
        settings = self.settings
        plan = settings.plan(crf, self._threads)
        return BestWay(
            plan,
            settings.distances,
            settings.exchange_of(plan.crf),
            self._summaries[place].places if self._summaries else (),
            tuple(None if tried is None else references[tried] for tried in choice.tries[place]),
        )

    def _known_way(self, place: int, crf: float, way: _Way, references: Sequence[CodedReference]) -> KnownWay:
        return KnownWay(
            replace(self.settings.plan(crf, self._threads), distance=way.distance),
            tuple(None if picture is None else references[picture] for picture in way.pictures),
            {references[picture].digest: count for picture, count in way.saved},
        )

    def _code(self, order_of: Callable[[int], Order], places: Sequence[int] | None = None) -> list[StoredBase]:
        """Videos as ordered; what an earlier run has made of the same order is taken. Progress is by video."""
        places = range(len(self.videos)) if places is None else places
        shelves, ordered, names = list[Shelf](), list[Shelf](), set[str]()

        def orders() -> Iterator[tuple[CachedVideo, Order]]:
            for place in places:
                order = order_of(place)
                shelf = Shelf(self._folder, self.videos[place], order)
                shelves.append(shelf)
                if shelf.is_full or shelf.name in names:  # equal videos are coded once
                    progress.advance()
                else:
                    ordered.append(shelf)
                    names.add(shelf.name)
                    yield self.videos[place], order if self._workers is None else order.sendable()

        for number, made in for_each(code_video, orders(), self._workers):
            ordered[number].put(made)
            progress.advance()
        return [shelf.take() for shelf in shelves]


def summaries_of(videos: Sequence[CachedVideo], workers: Executor | None = None) -> list[Summary]:
    """Thumbnails of all videos, to find what they share; progress is by video. `workers`: see `BaseStage`."""
    progress.stage("comparing videos", len(videos))
    found = []
    for summary in in_order(for_each(_summary_of, videos, workers)):
        found.append(summary)
        progress.advance()
    return found


def _summary_of(video: CachedVideo) -> Summary:
    with at_hand(video.store) as frames:
        return summarise(frames)


def _not_worth_it(coded: Sequence[StoredBase], references: Sequence[CodedReference], num_free: int) -> list[int]:
    """References, by place, that save less than they cost and yet are used."""
    saved = CodedCorpus(0.0, tuple(coded), ()).saved
    return [
        place
        for place, reference in enumerate(references)
        if place >= num_free and reference.digest in saved and saved[reference.digest] <= len(reference.packet)
    ]


def _way(video: StoredBase, places: Mapping[bytes, int]) -> _Way:
    return _Way(
        video.plan.distance,
        tuple(None if digest is None else places[digest] for digest in video.references),
        tuple((places[digest], count) for digest, count in video.saved.items()),
    )


def _corpus(crf: float, videos: Sequence[StoredBase], references: Sequence[CodedReference]) -> CodedCorpus:
    """With the references that are used."""
    used = {digest for video in videos for digest in video.references}
    kept = {reference.digest: reference for reference in references if reference.digest in used}
    return CodedCorpus(crf, tuple(videos), tuple(kept.values()))
