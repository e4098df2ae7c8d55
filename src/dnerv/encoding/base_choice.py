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

from dnerv.codecs import Frame
from dnerv.encoding.base_coding import (
    BasePlan,
    CodedBase,
    CodedReference,
    Exchange,
    Frames,
    code_base,
    group_ranges,
    measurable,
    quality,
    timeline_of,
)

Candidate = Callable[[int], CodedReference | None]  # the reference that a group around a frame should try
DISTANCES = (1, 2, 4)
_FEWEST_GROUPS = 4  # of a video for two to stand for all


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
    wanted = references_of(len(frames), plan, candidate)
    if not any(wanted):
        return ChosenBase(code_base(frames, plan), {})
    shared = code_base(frames, plan, wanted)
    sure = _sure_gains(frames, shared, exchange)
    if sure is not None:
        return ChosenBase(shared, _bytes_of(sure, shared, exchange))
    own = code_base(frames, plan)
    ours, theirs = (_group_worths(way, exchange) for way in (own, shared))
    scored = zip(ours, theirs, shared.references, strict=True)
    takes = [reference is not None and behind > alone for alone, behind, reference in scored]
    if not any(takes):
        return ChosenBase(own, {})
    best = shared
    if not all(takes) and own.header == shared.header:
        parts = [shared.groups[i] if take else own.groups[i] for i, take in enumerate(takes)]
        used = [reference if take else None for reference, take in zip(shared.references, takes, strict=True)]
        best = measurable(plan, own.header, [packet for part in parts for packet in part], used, frames, wanted)
    best = max((own, best), key=lambda way: way.worth(exchange))
    gains = [behind - alone for behind, alone in zip(theirs, ours, strict=True)]
    return ChosenBase(best, _bytes_of(gains, best, exchange))


def _sure_gains(frames: Frames, shared: CodedBase, exchange: Exchange) -> list[float] | None:
    """What each group of a video is worth more behind its reference than alone, in dB; None where that is not sure.

    Coding all groups alone, too, would take as long again. Two that stand for all are coded, and every group must be
    worth more than either.
    """
    groups = shared.groups
    if len(groups) < _FEWEST_GROUPS or None in shared.references:
        return None
    spread = len(groups) // 4, 3 * len(groups) // 4
    probes = [code_base(_frames_of(frames, place, shared), shared.plan) for place in spread]
    alone = max(_group_worths(probe, exchange)[0] for probe in probes)
    gains = [worth - alone for worth in _group_worths(shared, exchange)]
    return gains if min(gains) > 0 else None


def _frames_of(frames: Frames, group: int, coded: CodedBase) -> list[Frame]:
    """From a group's first coded frame to its last."""
    places = timeline_of(len(frames), coded.plan).keyframe_positions
    part = group_ranges(len(places), coded.plan)[group]
    return [frames[place] for place in range(places[part.start], places[part.stop - 1] + 1)]


def _group_worths(coded: CodedBase, exchange: Exchange) -> list[float]:
    """`CodedBase.worth` of each group, by the quality of its coded frames alone."""
    places = timeline_of(len(coded.errors), coded.plan).keyframe_positions
    errors = [coded.errors[places[part.start : part.stop]] for part in group_ranges(len(places), coded.plan)]
    return [
        quality(float(np.mean(error))) - exchange.brought(sum(map(len, group)) / (len(group) * coded.plan.distance))
        for error, group in zip(errors, coded.groups, strict=True)
    ]


def _bytes_of(gains: Sequence[float], coded: CodedBase, exchange: Exchange) -> dict[bytes, float]:
    """Bytes that each reference saves: those that would bring what its groups gain by it, in dB."""
    saved: dict[bytes, float] = {}
    for gain, group, digest in zip(gains, coded.groups, coded.references, strict=True):
        if digest is not None:
            saved[digest] = saved.get(digest, 0.0) + exchange.bought(gain) * len(group) * coded.plan.distance
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
