from fractions import Fraction

import pytest

from dnerv.errors import InputError
from dnerv.video.cadence import Clock, average_step, checked_rate, resample, stamped

MS = Fraction(1, 1000)


def stamps(pts: list[int | None], step: int = 40) -> list[int]:
    return [tick for tick, _ in stamped(pts, Clock(MS, step), lambda pts: (pts, None))]


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ([None, None, None], [0, 40, 80]),
        ([7, 47, 60, 200], [7, 47, 60, 200]),
        ([0, 0, 40, 80, 200], [0, 40, 80, 120, 200]),
        ([0, 40, 5, 120], [0, 40, 80, 120]),
        ([0, None, 80], [0, 40, 80]),
        ([0, 40, 10**9, 120], [0, 40, 80, 120]),
        ([-(2**62), 40], [0, 40]),
        ([-80, -40, 0], [-80, -40, 0]),
        ([0, 100, 1_200_000, 1_200_100], [0, 100, 1_200_000, 1_200_100]),  # a camera that waits for events
        ([0, 1_200_000, 2_400_000], [0, 1_200_000, 2_400_000]),  # a time lapse
        ([0, 1_200_000, None], [0, 1_200_000, 1_200_040]),
        ([0, 40, 10**9, 80, 120], [0, 40, 80, 120, 160]),
    ],
)
def test_times_are_repaired_and_sane_ones_kept(given: list[int | None], expected: list[int]) -> None:
    assert stamps(given) == expected


def test_duration_of_the_last_frame_falls_back_to_the_average() -> None:
    clock = Clock(MS, 40)
    clock.stamp(0, 15)
    assert clock.end == 15
    clock.stamp(20, 0)
    assert clock.end == 60


def test_without_times_durations_count() -> None:
    clock = Clock(MS, 40)
    assert [clock.stamp(None, 20) for _ in range(3)] == [0, 20, 40]


def test_a_gap_is_filled_with_copies_for_a_day_at_most() -> None:
    hour = 3_600_000
    assert len(shown([0, hour], hour + 1000, MS, Fraction(1, 60))) == 61
    with pytest.raises(InputError, match="180000 s"):
        shown([0, 50 * hour], 50 * hour + 40, MS, Fraction(1))


def shown(pts: list[int], end: int, time_base: Fraction, fps: Fraction) -> list[int]:
    ticks = list(resample(((p, i) for i, p in enumerate(pts)), lambda: end, time_base, fps))
    assert [tick for tick, _ in ticks] == list(range(ticks[0][0], ticks[0][0] + len(ticks)))
    return [index for _, index in ticks]


def test_resampling_shows_the_frame_displayed_at_each_tick() -> None:
    base = Fraction(1, 24)
    assert shown([0, 1, 2, 3, 4], 5, base, Fraction(24)) == [0, 1, 2, 3, 4]
    assert shown([0, 1, 2, 3, 4], 5, base, Fraction(12)) == [0, 2, 4]
    assert shown([0, 1, 2, 3, 4], 5, base, Fraction(30)) == [0, 0, 1, 2, 3, 4, 4]
    assert shown([0, 1, 2], 3, base, Fraction(72)) == [0, 0, 0, 1, 1, 1, 2, 2, 2]
    assert shown([0, 100, 1000], 1100, MS, Fraction(5)) == [0, 1, 1, 1, 1, 2]


def test_millisecond_rounding_neither_drops_nor_doubles() -> None:
    rate = Fraction(30000, 1001)
    pts = [round(i * 1000 / rate) for i in range(300)]
    assert shown(pts, round(300000 / rate), MS, rate) == list(range(300))


def test_resampling_edges() -> None:
    assert shown([5], 6, MS, Fraction(1)) == [0]
    assert list(resample([], lambda: 0, MS, Fraction(1))) == []
    first, _ = next(resample([(2000, "a")], lambda: 2040, MS, Fraction(25)))
    assert first == 50


def test_rates() -> None:
    assert average_step(Fraction(1, 30000), Fraction(30000, 1001)) == 1001
    assert average_step(Fraction(1, 25), None) == 1
    assert average_step(Fraction(1, 10), Fraction(90)) == 1
    for bad in (Fraction(0), Fraction(-1), Fraction(10**6), Fraction(23.976)):
        with pytest.raises(InputError, match="frame rate"):
            checked_rate(bad)
