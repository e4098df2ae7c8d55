import json
import pickle
from fractions import Fraction

import numpy as np
import pytest

from dnerv.errors import ArchiveError, InputError
from dnerv.video import Timing

MS = Fraction(1, 1000)


def through_json(timing: Timing) -> Timing:
    return Timing.from_json(json.loads(json.dumps(timing.to_json())))


@pytest.mark.parametrize(
    "timing",
    [
        Timing(MS, [7], 3),
        Timing(MS, [-40, 0], 40),
        Timing.constant(Fraction(30000, 1001), 300),
        Timing(MS, [5, 38, 71, 105], 1),
    ],
)
def test_json_and_pickle_give_back_the_same(timing: Timing) -> None:
    assert through_json(timing) == timing == pickle.loads(pickle.dumps(timing))


def test_constant_step_is_stored_without_a_list() -> None:
    timing = Timing(MS, np.arange(100, 100 + 40 * 5000, 40), 40)
    assert timing.pts == range(100, 100 + 40 * 5000, 40)
    assert len(json.dumps(timing.to_json())) < 120
    assert "deltas" in Timing(MS, [0, 1, 3], 1).to_json()


def test_one_frame() -> None:
    timing = Timing(MS, [500], 250)
    assert timing.num_frames == 1
    assert (timing.begin_seconds, timing.end_seconds) == (0.5, 0.75)
    assert timing.average_fps == 4
    assert timing.index_at(0.74) == 0


def test_index_at_agrees_with_seconds_and_is_closed_on_the_left() -> None:
    timing = Timing(Fraction(1001, 30000), [1, 2, 5, 6], 2)
    seconds = timing.seconds
    assert seconds.dtype == np.float64
    assert [timing.index_at(s) for s in seconds] == [0, 1, 2, 3]
    assert [timing.index_at(s - 2e-6) for s in seconds[1:]] == [0, 1, 2]
    for outside in (timing.begin_seconds - 2e-6, timing.end_seconds, float("nan")):
        with pytest.raises(InputError, match="outside"):
            timing.index_at(float(outside))


@pytest.mark.parametrize("fps", [Fraction(24), Fraction(30000, 1001), Fraction(25)])
def test_times_in_float32_find_their_frames(fps: Fraction) -> None:
    timing = Timing.constant(fps, 48)
    rounded = timing.seconds.astype(np.float32)
    assert [timing.index_at(s) for s in rounded.tolist()] == list(range(48))
    assert timing.played_in(float(rounded[5]), float(rounded[9])) == range(5, 9)


def test_frames_closer_than_the_rounding_are_told_apart() -> None:
    timing = Timing(Fraction(1, 10_000_000), [0, 3, 5, 100], 3)
    assert [timing.index_at(s) for s in timing.seconds] == [0, 1, 2, 3]
    assert [timing.index_at(s) for s in (1.4e-7, 1.6e-7)] == [0, 1]  # the nearest


def test_ranges_of_time() -> None:
    timing = Timing(MS, [0, 40, 90, 300], 60)
    assert timing.played_in(0.05, 0.3) == range(1, 3)
    assert timing.played_in(0.05, 0.300002) == range(1, 4)
    assert timing.played_in(0, 0.36) == range(4)
    assert len(timing.played_in(0.1, 0.1)) == 0
    for outside in ((-0.1, 0.1), (0.2, 0.1), (0.1, 0.4), (float("nan"), 0.1)):
        with pytest.raises(InputError, match="plays from"):
            timing.played_in(*outside)


def test_average_rate_counts_the_last_frame() -> None:
    assert Timing.constant(Fraction(24), 48).average_fps == 24
    assert Timing(MS, [0, 100, 300], 100).average_fps == Fraction(3 * 1000, 400)


@pytest.mark.parametrize(
    ("time_base", "pts", "last"),
    [
        (MS, [], 1),
        (MS, [0, 0], 1),
        (MS, [0, 5, 4], 1),
        (MS, [0], 0),
        (Fraction(0), [0], 1),
        (MS, [2**53], 1),
        (MS, [-(2**60)], 1),
        (Fraction(1, 2**40), [0], 1),
    ],
)
def test_nonsense_is_refused(time_base: Fraction, pts: list[int], last: int) -> None:
    with pytest.raises(InputError):
        Timing(time_base, pts, last)


GOOD: dict[str, object] = {"time_base": [1, 25], "start": 0, "step": 1, "count": 3, "last_duration": 1}


@pytest.mark.parametrize(
    "change",
    [
        {"time_base": [1, 0]},
        {"time_base": [1]},
        {"time_base": [1.5, 2]},
        {"time_base": "1/25"},
        {"start": None},
        {"start": True},
        {"start": 2**60},
        {"step": 0},
        {"step": -1},
        {"step": 2**53},
        {"count": 0},
        {"count": 10**12},
        {"count": 3.0},
        {"last_duration": 0},
        {"last_duration": "1"},
        {"deltas": [1, 0]},
        {"deltas": [1, "x"]},
        {"deltas": 5},
        {"deltas": [2**52, 2**52, 2**52]},
    ],
)
def test_untrusted_json_is_refused_by_name(change: dict[str, object]) -> None:
    assert Timing.from_json(GOOD).num_frames == 3
    with pytest.raises(ArchiveError, match="timing"):
        Timing.from_json(GOOD | change)


@pytest.mark.parametrize("value", [None, [], 3, "x", {}])
def test_json_of_another_kind_is_refused(value: object) -> None:
    with pytest.raises(ArchiveError):
        Timing.from_json(value)


def test_seconds_of_some_frames_are_those_of_all() -> None:
    timing = Timing(Fraction(1, 1000), (0, 40, 90, 91), 9)
    assert timing.seconds_at([3, 0, 3]).tolist() == timing.seconds[[3, 0, 3]].tolist()
    assert timing.seconds_at([]).shape == (0,)


@pytest.mark.parametrize("base", [Fraction(1, 1000), Fraction(1001, 30000), Fraction(2**31 - 1, 3)])
@pytest.mark.parametrize("first", [0, -7, 2**40])
def test_seconds_are_rounded_once(base: Fraction, first: int) -> None:
    timing = Timing(base, [first, first + 1, first + 3, first + 1000], 5)
    assert timing.seconds.tolist() == [float(tick * base) for tick in timing.pts]
    assert all(timing.index_at(second) == i for i, second in enumerate(timing.seconds.tolist()))
