"""The search of a crf for a number of bytes, on made up codecs and on a true one."""

from math import exp, log

import pytest

from dnerv.codecs import CODECS, CrfSearch, search_crf
from dnerv.errors import InputError


class Coder:
    """Bytes by crf, and what was asked for."""

    def __init__(self, size):
        self.size, self.asked = size, []

    def __call__(self, crf):
        self.asked.append(crf)
        return self.size(crf)


def even(slope):
    return Coder(lambda crf: 1e6 * exp(slope * crf))


@pytest.mark.parametrize("name", ["x264", "svtav1"])
@pytest.mark.parametrize("slope", [-0.03, -0.06, -0.12, -0.2])
@pytest.mark.parametrize("wanted", [8.3, 29.0, 47.77])
def test_even_bytes_need_few_codings(name, slope, wanted):
    coder, target = even(slope), 1e6 * exp(slope * wanted)
    found = search_crf(CODECS[name], coder, target, close_enough=0.02 + abs(slope) * CODECS[name].crf_step)
    assert found.nearest == pytest.approx(wanted, abs=0.03 / -slope + 2 * CODECS[name].crf_step)
    assert len(coder.asked) <= 3
    assert list(found.sizes) == coder.asked


def test_every_crf_is_on_the_grid_and_coded_once():
    coder = Coder(lambda crf: 1e5 if crf < 33.3 else 1e4)  # it jumps
    found = search_crf(CODECS["svtav1"], coder, 3e4, goal="around", close_enough=0, most=40)
    assert all(crf % 0.25 == 0 for crf in coder.asked)
    assert len(coder.asked) == len(set(coder.asked))
    assert (found.above, found.below) == (33.25, 33.5)


@pytest.mark.parametrize("name", list(CODECS))
def test_without_tolerance_it_ends_at_neighbours_around_the_target(name):
    codec = CODECS[name]
    found = search_crf(codec, even(-0.11), 1e6 * exp(-0.11 * 30.03), goal="around", close_enough=0, most=40)
    assert found.below - found.above == codec.crf_step
    assert found.above <= 30.03 <= found.below
    assert found.gap == pytest.approx(0.11 * codec.crf_step)


def test_around_stops_when_both_sides_are_close_enough():
    found = search_crf(CODECS["x264"], even(-0.1), 1e6 * exp(-3.333), goal="around", close_enough=0.05)
    assert found.gap < 0.05
    assert len(found.sizes) <= 4


def test_not_above_comes_from_below():
    for wanted in (20.1, 33.3, 58.8):
        target = 1e6 * exp(-0.06 * wanted)
        found = search_crf(CODECS["svtav1"], even(-0.06), target, goal="not above", close_enough=0.02, most=5)
        assert 0.98 < found.sizes[found.not_above] / target <= 1


def test_a_little_too_many_bytes_are_one_step_too_many():
    coder = even(-0.06)
    target = 0.999 * coder.size(40.0)
    found = search_crf(CODECS["svtav1"], coder, target, start=40.0, goal="not above", close_enough=0.02)
    assert found.not_above == 40.25


@pytest.mark.parametrize("goal", ["near", "not above", "around"])
def test_a_target_out_of_reach_gives_the_end(goal):
    for target, end in ((1, 51), (1e9, 1)):
        found = search_crf(CODECS["x264"], even(-0.1), target, goal=goal, most=20)
        assert found.nearest == found.not_above == end
        assert found.at_target({crf: crf for crf in found.sizes}) == end
        assert None in (found.below, found.above)
        assert found.gap is None


def test_no_more_codings_than_allowed():
    coder = Coder(lambda crf: 1e6 * exp(-0.1 * crf) * (1 + (crf % 0.3)))
    assert len(search_crf(CODECS["x264"], coder, 3e4, goal="around", close_enough=0, most=5).sizes) == 5


def test_rising_noise_does_not_send_it_the_wrong_way():
    coder = Coder(lambda crf: 1000 + (crf * 7919 % 13) - crf / 10)
    found = search_crf(CODECS["svtav1"], coder, 1003, goal="not above", most=20)
    assert found.sizes[found.not_above] <= 1003 or min(found.sizes.values()) > 1003


def test_interpolation_is_linear_in_log_bytes():
    found = CrfSearch(2000, {20.0: 4000, 21.0: 1000})
    assert found.at_target({20.0: 36.0, 21.0: 30.0}) == pytest.approx(33)
    found = CrfSearch(3000, {20.0: 4000, 21.0: 1000})
    assert found.at_target({20.0: 36.0, 21.0: 30.0}) == pytest.approx(30 + 6 * log(3) / log(4))
    assert CrfSearch(4000, {20.0: 4000, 19.0: 4100}).at_target({20.0: 36.0, 19.0: 37.0}) == 36


def test_of_equal_bytes_the_crf_next_to_the_other_side_is_taken():
    found = CrfSearch(100, {50.0: 90, 40.0: 90, 30.0: 120, 35.0: 120})
    assert (found.below, found.above, found.not_above) == (40, 35, 40)
    assert CrfSearch(10, {50.0: 90, 40.0: 90, 30.0: 120}).not_above == 40


@pytest.mark.parametrize("target", [0, -5])
def test_a_target_is_positive(target):
    with pytest.raises(InputError, match="positive"):
        search_crf(CODECS["x264"], even(-0.1), target)


def test_on_a_true_codec(moving_frames):
    frames, codec = moving_frames(8, 48, 64), CODECS["x265"]

    def coded_bytes(crf):
        return codec.encode(frames, fps=25, crf=crf, effort="ultrafast").size

    target = coded_bytes(33) + 1
    found = search_crf(codec, coded_bytes, target, goal="around", close_enough=0.1)
    assert found.sizes[found.below] < target <= found.sizes[found.above]
    assert 30 < found.above < found.below < 36
