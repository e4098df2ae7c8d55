"""What a corpus is like, measured on a sample."""

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from dnerv.encoding.base_coding import WHOLE, BasePlan, code_base
from dnerv.encoding.base_stage import summaries_of
from dnerv.encoding.survey import ACCESSES, DEAREST, Survey, Surveyor, _best, _Way
from dnerv.progress import listening
from dnerv.video import CachedVideo

CRF, PRESET = 45.0, 8
Cached = Callable[..., CachedVideo]


def surveyed(
    videos: list[CachedVideo], access: int | None = None, *, shares: bool = False, distances: tuple[int, ...] = (1,)
) -> Survey:
    summaries = summaries_of(videos) if shares else []
    return Surveyor(videos, summaries, PRESET, distances).survey(CRF, None, access)


@pytest.fixture(scope="module")
def still(made: SimpleNamespace) -> np.ndarray:
    """33 frames that hardly change: every intra frame is felt."""
    frames: np.ndarray = made.scene(33, 0, size=(32, 40))
    return frames


def test_still_videos_have_long_groups_and_moving_ones_short(
    made: SimpleNamespace, cached: Cached, still: np.ndarray
) -> None:
    long = surveyed([cached("still", still)])
    short = surveyed([cached("moving", made.noise(33, 0, (32, 40)))])
    assert long.access > short.access == ACCESSES[0]
    for survey in (long, short):
        assert survey.cost is not None
        assert survey.cost <= DEAREST
        assert survey.crf == CRF


@pytest.mark.parametrize("shares", [False, True], ids=["alone", "shared"])
@pytest.mark.parametrize("access", [None, 8, WHOLE])
@pytest.mark.parametrize("crf", [CRF, None], ids=["crf", "bits"])
def test_codings_are_counted_and_there_are_no_more_than_were_said(
    made: SimpleNamespace, cached: Cached, recorder: Any, shares: bool, access: int | None, crf: float | None
) -> None:
    videos = [cached(str(episode), made.scene(33, 0, episode, (32, 40))) for episode in range(2)]
    surveyor = Surveyor(videos, summaries_of(videos) if shares else [], PRESET, (1, 2))
    with listening(recorder):
        surveyor.survey(crf, None if crf is not None else 0.1, access)
    most = surveyor.most_codings(crf, access)
    assert most / 12 < recorder.advanced <= most


def test_pictures_that_are_shared_make_short_groups_cheap(made: SimpleNamespace, cached: Cached) -> None:
    videos = [cached(str(episode), made.scene(33, 0, episode, (32, 40))) for episode in range(3)]
    shared, alone = surveyed(videos, shares=True), surveyed(videos)
    assert shared.access < alone.access


def test_the_access_is_the_shortest_that_is_cheap_enough(cached: Cached, still: np.ndarray) -> None:
    surveyor = Surveyor([cached("still", still)], [], PRESET, (1,))
    chosen = surveyor.survey(CRF, None, None)
    scores = {}
    for access in (*ACCESSES[:3], WHOLE):
        scores[access] = surveyor._best(surveyor._terms(CRF), access).score
    costs = {access: 10 ** ((scores[WHOLE] - score) / chosen.exchange) for access, score in scores.items()}
    cheap = [access for access, cost in costs.items() if cost <= DEAREST]
    assert chosen.access == min(cheap[0], 64)


@pytest.mark.parametrize("access", [1, 5, WHOLE])
def test_an_access_that_is_asked_for_is_kept(cached: Cached, still: np.ndarray, access: int) -> None:
    survey = surveyed([cached("still", still[:9])], access)
    assert (survey.access, survey.cost) == (access, None)


def test_groups_are_no_longer_than_the_videos(made: SimpleNamespace, cached: Cached) -> None:
    assert surveyed([cached("short", made.scene(6, 0))]).access == ACCESSES[0]
    assert surveyed([cached("one", made.scene(1, 0))]).access == ACCESSES[0]


def test_bits_lead_to_a_quality(made: SimpleNamespace, cached: Cached) -> None:
    videos = [cached(str(place), made.scene(12, place)) for place in range(2)]
    surveyor = Surveyor(videos, [], PRESET, (1, 2, 4))
    few, many = (surveyor.survey(None, bits, 8).crf for bits in (0.3, 1.2))
    assert 1 <= many < few <= 70


def test_what_was_found_is_in_bounds_and_plain(made: SimpleNamespace, cached: Cached) -> None:
    videos = [cached(str(place), made.scene(8, place)) for place in range(9)]
    survey = surveyed(videos, shares=True, distances=(1, 2, 4))
    assert 6 <= survey.exchange <= 20
    assert 0.1 < survey.intra_bytes < 1
    assert Survey(**survey.to_json()) == survey
    assert surveyed(videos, shares=True, distances=(1, 2, 4)) == survey


def test_bytes_are_priced_where_the_sample_is(made: SimpleNamespace, cached: Cached) -> None:
    """With one way to code videos, a frame takes what that way takes: bytes of all over frames of all."""
    clips = [made.scene(12, 0), made.scene(6, 1), made.scene(9, 2, size=(64, 96))]
    videos = [cached(str(place), clip) for place, clip in enumerate(clips)]
    plan = BasePlan(CRF, PRESET, 1, WHOLE, low_delay=False)
    taken = [code_base(clip, plan).cost for clip in clips]
    assert surveyed(videos, WHOLE).frame_bytes == pytest.approx(sum(taken) / 27)


def test_ways_are_taken_as_they_pay_from_every_frame_on() -> None:
    """Half the bytes for 2.5 dB do not pay at 10 dB a decade, until others have made bytes rare."""
    every, dear, cheap = _Way(40.0, 1.0), _Way(37.5, 0.5), _Way(39.0, 0.5)
    alone = _best([[every], [dear]], (), [7], 10.0, low_delay=True)
    assert alone == (40.0, True, 1.0)
    among = _best([[every] * 3, [dear, cheap, cheap]], (), [7] * 3, 10.0, low_delay=True)
    assert among.frame_bytes == 0.5
    assert among.score == pytest.approx((37.5 + 39 + 39) / 3 - 10 * np.log10(0.5))


def test_every_frame_has_one_vote_and_a_byte_one_price() -> None:
    """A small video whose bytes are few keeps its quality: large ones have the bytes, long ones the votes."""
    small, large = [_Way(28.0, 50.0), _Way(25.0, 18.0)], [_Way(31.0, 450.0), _Way(30.0, 180.0)]
    found = _best([*zip(small, large, strict=True)], (), [30, 10], 11.0, low_delay=True)
    assert found.frame_bytes == (3 * 50 + 180) / 4
    assert found.score == pytest.approx((3 * 28 + 30) / 4 - 11 * np.log10(found.frame_bytes))


def test_what_pays_where_all_do_it_is_found() -> None:
    """Meta-World at crf 56: behind pictures half the bytes, which no clip takes while the others do not."""
    own, shared = _Way(33.59, 70.0), _Way(31.0, 31.0)
    assert _best([[own] * 6], (), [40] * 6, 9.9, low_delay=True).frame_bytes == 70
    assert _best([[own] * 6], [[shared] * 6], [40] * 6, 9.9, low_delay=True).frame_bytes == 31
    dear = _Way(29.5, 31.0)  # below the curve
    assert _best([[own] * 6], [[dear] * 6], [40] * 6, 9.9, low_delay=True).frame_bytes == 70
