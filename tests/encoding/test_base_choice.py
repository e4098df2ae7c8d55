"""How one video is best coded, found by coding it."""

from collections.abc import Callable, Sequence
from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dnerv.encoding import base_choice, base_coding
from dnerv.encoding.base_choice import DISTANCES, ChosenBase, choose_base, references_of
from dnerv.encoding.base_coding import BasePlan, CodedBase, CodedReference, Exchange, code_base

Planned = Callable[..., BasePlan]
Referred = Callable[..., CodedReference]
EXCHANGE = Exchange(12.0, 150.0)


def none(frame: int) -> None:
    """No group has anything to try."""


def test_a_scene_that_is_shared_and_hardly_moves_takes_every_4th_frame_and_the_reference(
    made: SimpleNamespace, plan: Planned, reference: Referred
) -> None:
    frames = made.scene(24, 0, 1)
    start = reference(made.scene(24, 0)[12], plan())
    chosen = choose_base(frames, plan(), DISTANCES, EXCHANGE, lambda frame: start)
    assert chosen.base.plan.distance == 4
    assert chosen.base.references == (start.digest,)
    own = code_base(frames, chosen.base.plan)
    assert chosen.saved[start.digest] == pytest.approx(own.size - chosen.base.size, rel=0.3)


@pytest.mark.parametrize("kind", ["noise", "scene"])
def test_pictures_of_something_else_are_not_taken(
    made: SimpleNamespace, plan: Planned, reference: Referred, kind: str
) -> None:
    start = reference(getattr(made, kind)(12, 5)[6], plan())
    chosen = choose_base(made.scene(12, 0), plan(), DISTANCES, EXCHANGE, lambda frame: start)
    assert set(chosen.base.references) == {None}
    assert chosen.saved == {}


def test_groups_choose_for_themselves(made: SimpleNamespace, plan: Planned, reference: Referred) -> None:
    """The camera cuts to another place: there the reference tells nothing."""
    frames = np.concatenate([made.scene(8, 0, 1), made.scene(16, 5), made.scene(8, 0, 2)])
    start = reference(made.scene(24, 0)[12], plan())
    chosen = choose_base(frames, plan(), (1,), EXCHANGE, lambda frame: start)
    assert chosen.base.references == (start.digest, None, None, start.digest)
    ways = [code_base(frames, plan(), wanted) for wanted in ([], [start] * 4)]
    assert chosen.base.worth(EXCHANGE) > max(way.worth(EXCHANGE) for way in ways)
    shown = base_coding.shown_frames(chosen.base, frames.shape[1:3], len(frames), {start.digest: start})
    errors = [float(np.square(a.astype(int) - b).mean()) for a, b in zip(shown, frames, strict=True)]
    assert chosen.base.errors.tolist() == pytest.approx(errors)


@pytest.fixture
def codings(monkeypatch: pytest.MonkeyPatch) -> list[tuple[int, bool]]:
    """Of each coding that is made from here on: frames coded, and whether references were given."""
    made = list[tuple[int, bool]]()

    def code(frames: Any, plan: BasePlan, references: Sequence[Any] = ()) -> CodedBase:
        coded = code_base(frames, plan, references)
        made.append((len(coded.packets), bool(references)))
        return coded

    monkeypatch.setattr(base_choice, "code_base", code)
    return made


def test_where_the_reference_is_sure_to_pay_two_groups_stand_for_all_that_would_be_coded_alone(
    made: SimpleNamespace, plan: Planned, reference: Referred, codings: list[tuple[int, bool]]
) -> None:
    frames = made.scene(40, 0, 1)
    start = reference(made.scene(24, 0)[12], plan())
    chosen = choose_base(frames, plan(), (1,), EXCHANGE, lambda frame: start)
    assert codings == [(40, True), (8, False), (8, False)]
    assert chosen.base.references == (start.digest,) * 5
    own = code_base(frames, plan())
    gains = [
        behind - alone
        for behind, alone in zip(*(base_choice._group_worths(way, EXCHANGE) for way in (chosen.base, own)), strict=True)
    ]
    assert 0 < chosen.saved[start.digest] <= 8 * sum(EXCHANGE.bought(gain) for gain in gains)


def test_the_last_group_can_be_the_last_frame_alone_nearer_than_the_others(
    made: SimpleNamespace, plan: Planned, reference: Referred, codings: list[tuple[int, bool]]
) -> None:
    spaced = plan(access=5, distance=2)
    frames = made.scene(6 * spaced.group_length, 0, 1)  # coded: every second one and the last, in four groups
    start = reference(made.scene(24, 0)[12], spaced)
    chosen = choose_base(frames, spaced, (2,), EXCHANGE, lambda frame: start)
    assert codings[-1] == (1, False)
    assert chosen.base.references == (start.digest,) * 4


@pytest.mark.parametrize("cut", [0, 2, 4])
def test_one_group_of_another_scene_has_all_coded_alone_too(
    made: SimpleNamespace, plan: Planned, reference: Referred, codings: list[tuple[int, bool]], cut: int
) -> None:
    """Also where it is none of the two that stand for all."""
    frames = made.scene(40, 0, 1)
    frames[8 * cut : 8 * cut + 8] = made.scene(8, 5)
    start = reference(made.scene(24, 0)[12], plan())
    chosen = choose_base(frames, plan(), (1,), EXCHANGE, lambda frame: start)
    assert codings[-1] == (40, False)
    assert [place for place, digest in enumerate(chosen.base.references) if digest is None] == [cut]


def test_groups_of_one_frame_take_the_reference_together_or_not_at_all(
    made: SimpleNamespace, plan: Planned, reference: Referred
) -> None:
    frames = np.concatenate([made.scene(3, 0, 1), made.scene(1, 5)])
    start = reference(made.scene(24, 0)[12], plan(access=1))
    chosen = choose_base(frames, plan(access=1), (1,), EXCHANGE, lambda frame: start)
    assert chosen.base.references == (start.digest,) * 4


def test_a_few_frames_that_a_blend_misses_count(
    made: SimpleNamespace, plan: Planned, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Two of forty frames are brighter: the mean alone would still code every second frame."""
    frames = np.repeat(made.scene(1, 0), 40, axis=0)
    frames[[7, 21]] = np.clip(frames[[7, 21]].astype(int) + 32, 0, 255)
    exchange = Exchange(12.0, code_base(frames, plan()).cost / len(frames))

    def distance() -> int:
        return choose_base(frames, plan(), (1, 2), exchange, none).base.plan.distance

    assert distance() == 1
    monkeypatch.setattr(base_coding, "_WEIGHT_OF_WORST", 0.0)
    assert distance() == 2


@pytest.mark.parametrize("allowed", [(1,), (2,), (8,), (1, 4)])
def test_only_distances_that_are_allowed(made: SimpleNamespace, plan: Planned, allowed: tuple[int, ...]) -> None:
    chosen = choose_base(made.scene(9, 0), plan(), allowed, EXCHANGE, none)
    assert chosen.base.plan.distance in allowed
    assert chosen.base.plan == replace(plan(), distance=chosen.base.plan.distance)


def test_the_best_of_all_ways_is_kept(made: SimpleNamespace, plan: Planned) -> None:
    for frames in (made.scene(12, 0), made.noise(12, 0), np.stack(made.drifting(12, 64, 80))):
        ways = [code_base(frames, plan(distance=distance)) for distance in DISTANCES]
        best = max(ways, key=lambda way: way.worth(EXCHANGE))
        assert choose_base(frames, plan(), DISTANCES, EXCHANGE, none).base.packets == best.packets


def test_one_frame(made: SimpleNamespace, plan: Planned, reference: Referred) -> None:
    frames = made.scene(1, 0, 1)
    assert choose_base(frames, plan(), DISTANCES, EXCHANGE, none).base.references == (None,)
    start = reference(made.scene(24, 0)[12], plan())
    chosen = choose_base(frames, plan(), DISTANCES, EXCHANGE, lambda frame: start)
    assert chosen.base.references == (start.digest,)


@pytest.mark.parametrize(("distance", "middles"), [(1, [3, 11, 17]), (2, [6, 16]), (4, [8])])
def test_a_group_tries_what_suits_its_middle_frame(plan: Planned, distance: int, middles: list[int]) -> None:
    asked: list[int] = []

    def candidate(frame: int) -> None:
        asked.append(frame)

    assert references_of(20, plan(distance=distance), candidate) == [None] * len(middles)
    assert asked == middles


def test_what_a_reference_saves_counts_for_the_groups_that_there_are(plan: Planned) -> None:
    """At twice the distance there are half as many groups to save anything."""
    base = CodedBase(plan(), b"", (b"x",) * 32, (b"a", b"a", b"b", None), lambda: np.zeros(32))
    chosen = ChosenBase(base, {b"a": 400.0, b"b": 50.0})
    found = replace(base, packets=(b"x",) * 16, references=(b"a", b"c"))
    assert base_choice._carried(chosen, found) == {b"a": 200.0, b"c": 150.0}


def test_a_video_of_many_bytes_is_coded_more_softly_than_the_same_among_its_like(
    made: SimpleNamespace, plan: Planned
) -> None:
    """What its bytes would bring to others is what they cost."""
    frames = np.stack(made.drifting(12, 64, 80))
    ways = [code_base(frames, plan(distance=distance)) for distance in DISTANCES]
    taken = [
        choose_base(frames, plan(), DISTANCES, Exchange(12.0, spent), none).base.plan.distance
        for spent in (1e4 * ways[0].cost, 1e-4 * ways[0].cost)
    ]
    assert taken == [1, min(zip(ways, DISTANCES, strict=True), key=lambda way: way[0].cost)[1]]
