"""The base layers of a whole corpus: which pictures they share, how each video is coded, at which quality.

    thumbnails ── pictures to share ── each video, in several ways ── pictures that were not worth it, out ── the dial

Videos are coded side by side, one on each processor. What is done is kept on disk, video by video, and found again when
the same thing is to be done once more.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, TypeVar

import numpy as np

from dnerv import progress
from dnerv.codecs import SvtAv1, search_crf
from dnerv.encoding.base_choice import choose_base
from dnerv.encoding.base_coding import (
    BasePlan,
    CodedBase,
    CodedReference,
    Exchange,
    Frames,
    code_base,
    code_reference,
    coded_frames,
    group_ranges,
    timeline_of,
)
from dnerv.encoding.reference_choice import Choice, Known, Summary, choose_pictures, summarise, thumbnail
from dnerv.files import write_atomically
from dnerv.process import side_by_side, usable_cores
from dnerv.video import CachedVideo, FrameStore, FrameStoreWriter
from dnerv.video.content import digest_of

_HELD_BYTES = 1 << 26  # of frames: a shorter video is read once, a longer one frame by frame
_CLOSE_ENOUGH = 0.012  # in log bytes: a quarter step of crf moves them by about as much
_MOST_ROUNDS = 7  # codings of the corpus until the bytes fit
_DB_OF_CRF = 0.2  # that a step of crf takes, about
_SAME_WAY = 8.0  # of crf: within it what was found to be the best way to code a video stays so

Result = TypeVar("Result")


@dataclass(frozen=True)
class BaseSettings:
    """What all videos of a corpus have in common."""

    preset: int  # SVT-AV1's
    access: int  # coded frames
    low_delay: bool
    distances: tuple[int, ...]  # that may be chosen
    exchange: float  # dB that ten times the bytes bring
    density: float  # bytes a pixel that the corpus takes ...
    density_crf: float  # ... at this crf
    intra_bytes: float  # of an intra frame over its pixels; 0: pictures are not shared

    def plan(self, crf: float, threads: int = 1) -> BasePlan:
        """Of one video; its distance is the first that is allowed."""
        return BasePlan(crf, self.preset, self.distances[0], self.access, self.low_delay, threads)

    def exchange_of(self, crf: float, pixels: int) -> Exchange:
        """What bytes bring, for a video whose frames have so many pixels."""
        density = self.density * 10 ** ((self.density_crf - crf) * _DB_OF_CRF / self.exchange)
        return Exchange(self.exchange, density * pixels)


@dataclass(frozen=True)
class StoredBase:
    """A video's base layer on disk."""

    plan: BasePlan
    header: bytes
    packet_lengths: tuple[int, ...]
    references: tuple[bytes | None, ...]  # of each group
    checksums: tuple[int, ...]  # of each group
    saved: Mapping[bytes, float]  # by reference: bytes, at equal quality
    path: Path  # its packets back to back

    def decoded(self, video: CachedVideo, references: Mapping[bytes, CodedReference], folder: Path) -> FrameStore:
        """Its coded frames, decoded, on disk in `folder`; what an earlier run has left there is taken."""
        count = len(self.packet_lengths)
        store = FrameStore(folder / f"{self.path.stem}.rgb", video.height, video.width, count)
        if not store.is_complete():
            with FrameStoreWriter(store.path) as writer:
                for frame in coded_frames(self._load(), (video.height, video.width), references):
                    writer.append(frame)
        return store

    def _load(self) -> CodedBase:
        data, ends = self.path.read_bytes(), accumulate(self.packet_lengths, initial=0)
        packets = tuple(data[a:b] for a, b in pairwise(ends))
        return CodedBase(self.plan, self.header, packets, self.references, lambda: np.zeros(0))


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
    ) -> None:
        """Lay out the work; nothing is coded yet.

        Args:
            summaries: of all videos; none where pictures are not shared.
            given: references that may be used, too; the videos are then coded at their crf.
            num_free: so many of those, the first, cost nothing.
        """
        self.videos, self._folder, self.settings, self._given = videos, folder, settings, tuple(given)
        self._num_free = num_free
        self._threads = max(1, usable_cores() // max(1, len(videos)))
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
            again = self._all(lambda place: self._again(place, crf, ways[place], references))
            return _corpus(crf, again, references)
        known = [Known(reference.size, thumbnail(reference.draw())) for reference in self._given]
        choice = self.choice(known)
        references = self._references(choice, crf)
        progress.stage(f"coding videos, crf {crf:g}", len(self.videos))
        coded = self._all(lambda place: self._choose(place, crf, choice, references))
        gone = _not_worth_it(coded, references, self._num_free)
        if gone:
            choice = choice.without(gone)
            dropped = {references[place].digest for place in gone}
            affected = [place for place, video in enumerate(coded) if dropped & set(video.references)]
            progress.stage("coding videos without pictures that did not pay", len(affected))
            again = self._all(lambda place: self._choose(place, crf, choice, references), affected)
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

    def _choose(self, place: int, crf: float, choice: Choice, references: Sequence[CodedReference]) -> StoredBase:
        """The video coded in the way that is best for it."""
        video, settings = self.videos[place], self.settings
        plan = settings.plan(crf, self._threads)
        tries = [None if t is None else references[t].digest.hex() for t in choice.tries[place]]
        exchange = settings.exchange_of(plan.crf, video.height * video.width)
        key = {"distances": list(settings.distances), "exchange": asdict(exchange), "tries": tries}

        def candidate(frame: int) -> CodedReference | None:
            tried = choice.of(place, self._summaries[place], frame) if self._summaries else None
            return None if tried is None else references[tried]

        def make(frames: Frames) -> tuple[CodedBase, Mapping[bytes, float]]:
            chosen = choose_base(frames, plan, settings.distances, exchange, candidate)
            return chosen.base, chosen.saved

        return self._stored(video, plan, key, make)

    def _again(self, place: int, crf: float, way: _Way, references: Sequence[CodedReference]) -> StoredBase:
        """The video coded in a given way."""
        video = self.videos[place]
        plan = replace(self.settings.plan(crf, self._threads), distance=way.distance)
        wanted = [None if p is None else references[p] for p in way.pictures]
        key = {"groups": [None if r is None else r.digest.hex() for r in wanted]}
        saved = {references[p].digest: count for p, count in way.saved}
        return self._stored(video, plan, key, lambda frames: (code_base(frames, plan, wanted), saved))

    def _stored(
        self,
        video: CachedVideo,
        plan: BasePlan,
        key: dict[str, Any],
        make: Callable[[Frames], tuple[CodedBase, Mapping[bytes, float]]],
    ) -> StoredBase:
        """What an earlier run has made of the same, or what is made now."""
        digest = digest_of([key, asdict(replace(plan, threads=1)), video.digest])
        record, packets = self._folder / f"{digest[:32]}.json", self._folder / f"{digest[:32]}.av1"
        if not record.exists():
            short = video.store.frame_bytes * len(video.store) <= _HELD_BYTES
            coded, saved = make(video.store.read(range(len(video.store))) if short else video.store)
            write_atomically(packets, b"".join(coded.packets))
            write_atomically(record, json.dumps(_to_json(coded, saved)).encode())
        return _from_json(json.loads(record.read_bytes()), plan, packets)

    def _all(self, work: Callable[[int], Result], places: Sequence[int] | None = None) -> list[Result]:
        """For each video, side by side; progress is by video."""
        done = []
        for result in side_by_side(work, range(len(self.videos)) if places is None else places):
            done.append(result)
            progress.advance()
        return done


def summaries_of(videos: Sequence[CachedVideo]) -> list[Summary]:
    """Thumbnails of all videos, to find what they share; progress is by video."""
    progress.stage("comparing videos", len(videos))
    summaries = []
    for summary in side_by_side(lambda video: summarise(video.store), videos):
        summaries.append(summary)
        progress.advance()
    return summaries


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


def _to_json(coded: CodedBase, saved: Mapping[bytes, float]) -> dict[str, Any]:
    return {
        "distance": coded.plan.distance,
        "header": coded.header.hex(),
        "packets": [len(packet) for packet in coded.packets],
        "references": [None if digest is None else digest.hex() for digest in coded.references],
        "checksums": list(coded.checksums),
        "saved": {digest.hex(): count for digest, count in saved.items()},
    }


def _from_json(record: dict[str, Any], plan: BasePlan, path: Path) -> StoredBase:
    return StoredBase(
        replace(plan, distance=record["distance"]),
        bytes.fromhex(record["header"]),
        tuple(record["packets"]),
        tuple(None if digest is None else bytes.fromhex(digest) for digest in record["references"]),
        tuple(record["checksums"]),
        {bytes.fromhex(digest): count for digest, count in record["saved"].items()},
        path,
    )
