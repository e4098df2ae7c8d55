"""Clips of few sources or of many: which, drawn by a seed."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from typing import NamedTuple

import numpy as np

from dnerv.errors import InputError
from dnerv.video import CachedVideo, Member


class Cut(NamedTuple):
    """Consecutive frames of a video."""

    video: CachedVideo
    first: int  # frame


def groups(members: Sequence[Member], by: str) -> dict[str, list[Member]]:
    """The sources: each video by its own, or the videos of a class together.

    Raises InputError for videos without a class.
    """
    if by == "video":
        return {member.name: [member] for member in members}
    found: dict[str, list[Member]] = {}
    for member in members:
        if member.label is None:
            raise InputError(f"{member.source_path}: has no class; --by label needs a folder of class folders")
        found.setdefault(member.label, []).append(member)
    return found


def draw_cuts(
    sources: Mapping[str, Sequence[Member]],
    count: int,
    per_source: int,
    length: int,
    seed: int,
    read: Callable[[Member], CachedVideo],
) -> list[Cut]:
    """`per_source` cuts of `length` frames from each of `count` sources; those too short are passed over.

    Raises InputError where there are too few sources that are long enough.
    """
    random, names = np.random.default_rng(seed), sorted(sources)
    cuts: list[Cut] = []
    for place in random.permutation(len(names)):
        if len(cuts) == count * per_source:
            break
        members = sources[names[place]]
        shuffled = [members[i] for i in random.permutation(len(members))]
        cuts += _cuts_of(shuffled, per_source, length, read)
    if len(cuts) < count * per_source:
        raise InputError(
            f"{count} sources with {per_source} clips of {length} frames each are needed, and of the {len(names)} "
            f"given {len(cuts) // per_source} have as many: ask for fewer or shorter clips, or for fewer sources"
        )
    return cuts


def _cuts_of(members: Sequence[Member], wanted: int, length: int, read: Callable[[Member], CachedVideo]) -> list[Cut]:
    """Cuts of one source, from as many of its videos as there are; none where it has too few.

    Those of one video do not overlap, and are spread evenly over it.
    """
    videos: list[CachedVideo] = []
    room = 0
    for member in members:
        if len(videos) == wanted:
            break
        video = read(member)
        if video.timing.num_frames >= length:
            videos.append(video)
            room += video.timing.num_frames // length
    if room < wanted:
        return []
    shares = [0] * len(videos)
    while sum(shares) < wanted:  # one of each, then a second one, ...
        for place, video in enumerate(videos):
            if sum(shares) < wanted and shares[place] < video.timing.num_frames // length:
                shares[place] += 1
    return [cut for video, share in zip(videos, shares, strict=True) for cut in _spread(video, share, length)]


def _spread(video: CachedVideo, share: int, length: int) -> list[Cut]:
    windows = video.timing.num_frames // length
    return [Cut(video, int((place + 0.5) * windows / share) * length) for place in range(share)]
