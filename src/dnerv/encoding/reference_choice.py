"""Which pictures are worth storing once for many groups: guessed from thumbnails, then measured by coding.

A group that starts from a picture like its own saves most of an intra frame. How much is guessed from the distance of
thumbnails, against what the thumbnail's own detail would cost; pictures are taken one by one, the one that saves most
first, until the next would save less than it costs. What a group really takes is measured afterwards (`base_choice`).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import NDArray

from dnerv.encoding.base_coding import Frames

THUMBNAIL = (24, 32)  # height, width in pixels
FEWEST_SAMPLES, MOST_SAMPLES = 3, 32  # frames that stand for all of a video
FRAMES_A_SAMPLE = 64  # of a long video: scenes change
_MOST_CANDIDATES = 768  # pictures that are considered, spread over the corpus
_MOST_SAMPLES_COMPARED = 4096  # samples that say what those would save
_NOISE = 12.0  # squared error below which pictures are alike as far as a coarse quantiser can tell
# Of an intra frame, what starting from a picture saves: measured on robot episodes and surveillance (docs/log.md).
# Motion makes up for most of the difference between pictures of one scene, and for none between two scenes.
_MOST_SAVED, _SAVED = 0.9, 1.8
_LEAST_SAVED = 0.15  # a picture that is guessed to save less is not tried


@dataclass(frozen=True)
class Summary:
    """What is kept of a video to compare it with others."""

    places: tuple[int, ...]  # of the frames sampled, evenly spread
    thumbnails: NDArray[np.uint8]  # [samples, 24, 32, 3]


@dataclass(frozen=True)
class Picture:
    """A frame of the corpus that becomes a reference."""

    video: int  # place in the corpus
    frame: int


@dataclass(frozen=True)
class Known:
    """A picture that is there already."""

    kind: object  # see `choose_pictures`
    thumbnail: NDArray[np.uint8]  # [24, 32, 3]


@dataclass(frozen=True)
class Choice:
    """Pictures, and which of them each sample of each video should try."""

    pictures: tuple[Picture, ...]
    tries: tuple[tuple[int | None, ...], ...]  # of each video, for each sample: place in `pictures`, or None

    def of(self, video: int, summary: Summary, frame: int) -> int | None:
        """The picture that a group around `frame` should try."""
        return self.tries[video][nearest_sample(summary.places, frame)]

    def without(self, gone: Sequence[int]) -> Choice:
        """The same, but these pictures are not tried."""
        tries = tuple(tuple(None if place in gone else place for place in video) for video in self.tries)
        return Choice(self.pictures, tries)


def nearest_sample(places: Sequence[int], frame: int) -> int:
    """Which of the samples, frames at these places, stands for a frame."""
    return min(range(len(places)), key=lambda sample: abs(places[sample] - frame))


def summarise(frames: Frames) -> Summary:
    """Of frames uint8 [H, W, 3]."""
    count = len(frames)
    samples = min(count, MOST_SAMPLES, max(FEWEST_SAMPLES, -(-count // FRAMES_A_SAMPLE)))
    edges = np.linspace(0, count, samples + 1)
    places = ((edges[:-1] + edges[1:]) / 2).astype(int).tolist()
    return Summary(tuple(places), np.stack([thumbnail(frames[place]) for place in places]))


def choose_pictures(
    summaries: Sequence[Summary],
    num_groups: Sequence[int],
    kinds: Sequence[object],
    intra_bytes: float,
    cost_bytes: float,
    known: Sequence[Known] = (),
) -> Choice:
    """The pictures that save most, and what each sample of each video should try.

    Args:
        num_groups: of each video, that could start from a reference.
        kinds: of each video: only videos of one kind, those of a size, can share a picture.
        intra_bytes: what an intra frame takes, on average. cost_bytes: what a reference takes, its seed included.
        known: pictures that are there already and cost nothing: the first places of `tries`, and not in `pictures`.
    """
    owners = np.concatenate([np.full(len(s.places), video) for video, s in enumerate(summaries)])
    thumbnails = np.concatenate([s.thumbnails for s in summaries])
    weights = np.array([num_groups[v] / len(summaries[v].places) for v in owners], np.float32)
    numbers = {kind: number for number, kind in enumerate(dict.fromkeys([*kinds, *(each.kind for each in known)]))}
    kind_of = np.array([numbers[kinds[video]] for video in owners])
    sample, pool = _spread(len(owners), _MOST_SAMPLES_COMPARED), _spread(len(owners), _MOST_CANDIDATES)
    pictures = np.concatenate([*(each.thumbnail[None] for each in known), thumbnails[pool]])
    kinds_of_pictures = np.array([*(numbers[each.kind] for each in known), *kind_of[pool]])

    def saved(rows: NDArray[np.int64], columns: NDArray[np.int64] | list[int]) -> NDArray[np.float32]:
        """Bytes that samples would save by starting from pictures, float32 [rows, columns]."""
        share = _shares(thumbnails[rows], pictures[columns])
        share[kind_of[rows, None] != kinds_of_pictures[None, columns]] = 0
        return intra_bytes * weights[rows, None] * share

    gain = saved(sample, np.arange(len(pictures))) * np.float32(len(owners) / len(sample))
    chosen = list(range(len(known)))
    best = gain[:, chosen].max(1, initial=0)
    while len(chosen) < gain.shape[1]:
        added = np.maximum(gain - best[:, None], 0).sum(0)
        column = int(added.argmax())
        if added[column] <= cost_bytes:
            break
        chosen.append(column)
        best = np.maximum(best, gain[:, column])
    starts = np.concatenate([[0], np.cumsum([len(s.places) for s in summaries])])
    tries: list[int | None] = [None] * len(owners)
    for rows in np.array_split(np.arange(len(owners)), -(-len(owners) // _MOST_SAMPLES_COMPARED)) if chosen else ():
        gain = saved(rows, chosen)
        for row, place, is_worth_it in zip(rows, gain.argmax(1).tolist(), gain.max(1) > 0, strict=True):
            tries[row] = place if is_worth_it else None
    made = [int(pool[column - len(known)]) for column in chosen[len(known) :]]
    return Choice(
        tuple(Picture(int(owners[at]), summaries[owners[at]].places[at - starts[owners[at]]]) for at in made),
        tuple(tuple(tries[a:b]) for a, b in pairwise(starts)),
    )


def _spread(count: int, most: int) -> NDArray[np.int64]:
    """Up to `most` places among `count`, evenly spread."""
    return np.unique(np.linspace(0, count - 1, min(count, most)).round().astype(np.int64))


def _shares(thumbnails: NDArray[np.uint8], pictures: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Of an intra frame, what each thumbnail's group would save by starting from each picture: float32 [n, m]."""
    a, b = (each.reshape(len(each), -1).astype(np.float32) - 128 for each in (thumbnails, pictures))
    errors = np.square(a).mean(1)[:, None] + np.square(b).mean(1)[None] - 2 / a.shape[1] * (a @ b.T)
    detail = np.log2(1 + a.var(axis=1) / _NOISE)
    # 0: the same picture; 1: it tells nothing
    unlike = np.log2(1 + np.maximum(errors, 0) / _NOISE) / np.maximum(detail, 1e-6)[:, None]
    share: NDArray[np.float32] = np.minimum(_MOST_SAVED, _SAVED * (1 - unlike)).astype(np.float32)
    share[share < _LEAST_SAVED] = 0
    return share


def thumbnail(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Means over a grid of cells, uint8 [24, 32, 3]; smaller frames are repeated up to it."""
    height, width = THUMBNAIL
    factors = [max(1, -(-side // have)) for side, have in zip(THUMBNAIL, frame.shape[:2], strict=True)]
    large = frame.repeat(factors[0], 0).repeat(factors[1], 1)
    rows = np.linspace(0, large.shape[0], height + 1).astype(int)[:-1]
    columns = np.linspace(0, large.shape[1], width + 1).astype(int)[:-1]
    sums = np.add.reduceat(np.add.reduceat(large.astype(np.float32), rows, axis=0), columns, axis=1)
    cells = np.diff([*rows, large.shape[0]])[:, None] * np.diff([*columns, large.shape[1]])[None]
    means: NDArray[np.uint8] = np.rint(sums / cells[..., None]).astype(np.uint8)
    return means
