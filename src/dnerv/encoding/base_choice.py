"""How one video is best coded: which frames, and which groups start from a shared picture. Measured, by coding.

    every 2nd frame, own intra frames ─┐
    every 2nd frame, from references  ─┴ group by group the better ── every 4th, or every frame ── the best of all

Ways of coding are compared by quality less the price of their bytes: what those would bring elsewhere in the corpus. So
a video is coded more softly where its bytes are many and bring little, and the corpus as a whole gains.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np

from dnerv.encoding.base_coding import (
    BasePlan,
    CodedBase,
    CodedReference,
    Exchange,
    Frames,
    code_base,
    group_ranges,
    measured,
    quality,
    timeline_of,
)

Candidate = Callable[[int], CodedReference | None]  # the reference that a group around a frame should try
DISTANCES = (1, 2, 4)


@dataclass(frozen=True)
class ChosenBase:
    """The best way that was found."""

    base: CodedBase
    saved: Mapping[bytes, float]  # by reference: bytes that the video's groups save by it, at equal quality


def choose_base(
    frames: Frames, plan: BasePlan, distances: Sequence[int], exchange: Exchange, candidate: Candidate
) -> ChosenBase:
    """Code a video, uint8 [H, W, 3] RGB each, in several ways, and keep the best.

    Args:
        plan: what all ways have in common; its distance does not count.
        distances: allowed, frames from one coded frame to the next.
        exchange: for frames of this size.
    """
    first = _nearest(distances, 2)
    chosen = _at(frames, replace(plan, distance=first), exchange, candidate)
    shares = any(chosen.base.references)
    for distance in _others(distances, first):
        tried = replace(plan, distance=distance)
        ways = [code_base(frames, tried, references_of(len(frames), tried, candidate))] if shares else []
        if not shares or distance == 1:  # plain AV1 is always among them: an archive is to be no worse
            ways.append(code_base(frames, tried))
        found = max(ways, key=lambda way: way.worth(exchange))
        if found.worth(exchange) > chosen.base.worth(exchange):
            chosen = ChosenBase(found, _carried(chosen, found))
            if distance > first:
                break  # fewer frames are better: all of them will not be
    return chosen


def references_of(num_frames: int, plan: BasePlan, candidate: Candidate) -> list[CodedReference | None]:
    """What each group of a video should try: the picture nearest to its middle frame."""
    places = timeline_of(num_frames, plan).keyframe_positions
    return [candidate(int(places[(part.start + part.stop - 1) // 2])) for part in group_ranges(len(places), plan)]


def _at(frames: Frames, plan: BasePlan, exchange: Exchange, candidate: Candidate) -> ChosenBase:
    """The best at one distance: each group from its own intra frame or from its candidate."""
    own = code_base(frames, plan)
    wanted = references_of(len(frames), plan, candidate)
    if not any(wanted):
        return ChosenBase(own, {})
    shared = code_base(frames, plan, wanted)
    ours, theirs = (_group_worths(way, exchange) for way in (own, shared))
    scored = zip(ours, theirs, shared.references, strict=True)
    takes = [reference is not None and behind > alone for alone, behind, reference in scored]
    if not any(takes):
        return ChosenBase(own, {})
    best = shared
    if not all(takes) and own.header == shared.header:
        parts = [shared.groups[i] if take else own.groups[i] for i, take in enumerate(takes)]
        used = tuple(reference if take else None for reference, take in zip(shared.references, takes, strict=True))
        mixed = replace(own, packets=tuple(packet for part in parts for packet in part), references=used)
        best = measured(mixed, frames, {r.digest: r for r in wanted if r is not None})
    best = max((own, best), key=lambda way: way.worth(exchange))
    return ChosenBase(best, _saved(best, own, theirs, ours, exchange))


def _group_worths(coded: CodedBase, exchange: Exchange) -> list[float]:
    """`CodedBase.worth` of each group, by the quality of its coded frames alone."""
    places = timeline_of(len(coded.errors), coded.plan).keyframe_positions
    errors = [coded.errors[places[part.start : part.stop]] for part in group_ranges(len(places), coded.plan)]
    return [
        quality(float(np.mean(error))) - exchange.brought(sum(map(len, group)) / (len(group) * coded.plan.distance))
        for error, group in zip(errors, coded.groups, strict=True)
    ]


def _saved(
    best: CodedBase, own: CodedBase, worths: Sequence[float], own_worths: Sequence[float], exchange: Exchange
) -> dict[bytes, float]:
    """Bytes that each reference saves: those that would bring what its groups are worth more than own ones."""
    saved: dict[bytes, float] = {}
    for place, digest in enumerate(best.references):
        if digest is not None:
            frames = len(own.groups[place]) * own.plan.distance
            gained = exchange.bought(worths[place] - own_worths[place]) * frames
            saved[digest] = saved.get(digest, 0.0) + gained
    return saved


def _carried(chosen: ChosenBase, found: CodedBase) -> dict[bytes, float]:
    """Bytes that each reference saves at another distance: for each group as much as was found at the first."""
    groups, saved = Counter(filter(None, chosen.base.references)), chosen.saved
    mean = sum(saved.values()) / max(1, groups.total())
    each = {digest: saved[digest] / count for digest, count in groups.items()}
    now = Counter(filter(None, found.references))
    return {digest: count * each.get(digest, mean) for digest, count in now.items()}


def _nearest(distances: Sequence[int], wanted: int) -> int:
    return min(distances, key=lambda distance: abs(distance - wanted))


def _others(distances: Sequence[int], first: int) -> list[int]:
    """Coarser ones first: they take the least time."""
    return sorted((distance for distance in distances if distance != first), reverse=True)
