"""Pictures to share, guessed from thumbnails."""

from collections.abc import Sequence
from types import SimpleNamespace

import numpy as np
import pytest

from dnerv.encoding import reference_choice
from dnerv.encoding.reference_choice import (
    FRAMES_A_SAMPLE,
    MOST_SAMPLES,
    THUMBNAIL,
    Choice,
    Known,
    Summary,
    choose_pictures,
    summarise,
    thumbnail,
)

INTRA, COST = 2000.0, 2200.0


def chosen(summaries: Sequence[Summary], kinds: Sequence[object] | None = None, known: Sequence[Known] = ()) -> Choice:
    """With one group in each video."""
    return choose_pictures(summaries, [1] * len(summaries), kinds or [None] * len(summaries), INTRA, COST, known)


@pytest.fixture
def two_places(made: SimpleNamespace) -> list[Summary]:
    """Three episodes at each of two places, in turn."""
    return [summarise(made.scene(12, place, episode)) for episode in range(3) for place in (0, 1)]


def test_two_places_have_a_picture_each(two_places: list[Summary]) -> None:
    choice = chosen(two_places)
    places = [picture.video % 2 for picture in choice.pictures]
    assert sorted(places) == [0, 1]
    for video, tries in enumerate(choice.tries):
        assert {places[t] for t in tries if t is not None} == {video % 2}
        assert None not in tries
    for picture in choice.pictures:
        assert picture.frame in two_places[picture.video].places


def test_unlike_videos_share_nothing(made: SimpleNamespace) -> None:
    summaries = [summarise(made.scene(12, place)) for place in range(6)]
    assert chosen(summaries) == Choice((), ((None,) * 3,) * 6)
    long = choose_pictures(summaries, [4] * 6, [None] * 6, INTRA, COST)  # many groups: each of them has its own
    assert sorted(picture.video for picture in long.pictures) == [*range(6)]
    assert [{long.pictures[t].video for t in tries if t is not None} for tries in long.tries] == [{v} for v in range(6)]


def test_videos_of_other_sizes_share_nothing(two_places: list[Summary]) -> None:
    assert chosen(two_places, kinds=range(6)).pictures == ()
    choice = chosen(two_places, kinds=["a", "b", "a", "c", "a", "d"])
    assert [picture.video % 2 for picture in choice.pictures] == [0]
    assert [set(tries) for tries in choice.tries] == [{0}, {None}] * 3


def test_a_picture_must_pay(two_places: list[Summary]) -> None:
    assert choose_pictures(two_places, [1] * 6, [None] * 6, INTRA, 4 * INTRA).pictures == ()
    assert len(choose_pictures(two_places, [9] * 6, [None] * 6, INTRA, 4 * INTRA).pictures) == 2


def test_known_pictures_come_first_and_cost_nothing(made: SimpleNamespace, two_places: list[Summary]) -> None:
    known = Known(None, thumbnail(made.scene(12, 1, 7)[5]))
    choice = chosen(two_places, known=[known])
    assert [picture.video % 2 for picture in choice.pictures] == [0]
    assert [set(tries) for tries in choice.tries] == [{1}, {0}] * 3
    alone = chosen(two_places[1:2], known=[known])
    assert (alone.pictures, set(alone.tries[0])) == ((), {0})
    other = Known("another size", known.thumbnail)
    assert chosen(two_places[1:2], known=[other]).tries == ((None,) * 3,)


def test_a_long_video_changes_its_scene(made: SimpleNamespace) -> None:
    frames = np.concatenate([made.scene(60, 0), made.scene(60, 1), made.scene(60, 0, 1)])
    summary = summarise(frames)
    choice = choose_pictures([summary], [6], [None], INTRA, COST)
    assert len(choice.pictures) == 2
    tried = [choice.of(0, summary, frame) for frame in range(180)]
    assert tried[0] == tried[59] == tried[125] == tried[179]
    assert tried[90] is not None
    assert tried[90] != tried[0]


def test_pictures_that_did_not_pay_are_not_tried(two_places: list[Summary]) -> None:
    choice = chosen(two_places)
    without = choice.without([0])
    assert without.pictures == choice.pictures
    gone = choice.pictures[0].video % 2
    assert [set(tries) for tries in without.tries] == [{None} if video % 2 == gone else {1} for video in range(6)]


@pytest.mark.parametrize(
    ("count", "places"),
    [(1, (0,)), (2, (0, 1)), (3, (0, 1, 2)), (12, (2, 6, 10)), (4 * FRAMES_A_SAMPLE, (32, 96, 160, 224))],
)
def test_samples_are_spread(made: SimpleNamespace, count: int, places: tuple[int, ...]) -> None:
    frames = made.noise(count, 0, (8, 8))
    summary = summarise(frames)
    assert summary.places == places
    assert summary.thumbnails.shape == (len(places), *THUMBNAIL, 3)
    assert (summary.thumbnails[0] == thumbnail(frames[places[0]])).all()


def test_the_longest_video_has_few_samples() -> None:
    assert len(summarise(np.zeros((100 * FRAMES_A_SAMPLE, 1, 1, 3), np.uint8)).places) == MOST_SAMPLES


@pytest.mark.parametrize("size", [(1, 1), (5, 7), (24, 32), (25, 33), (100, 90)], ids=str)
def test_thumbnails_are_means(made: SimpleNamespace, size: tuple[int, int]) -> None:
    frame = made.noise(1, 0, size)[0]
    small = thumbnail(frame)
    assert small.shape == (*THUMBNAIL, 3)
    assert small.dtype == np.uint8
    assert frame.min() <= small.min() <= small.max() <= frame.max()
    assert small.mean(axis=(0, 1)) == pytest.approx(frame.mean(axis=(0, 1)), rel=0.15)
    assert (thumbnail(np.full_like(frame, 77)) == 77).all()
    if size == THUMBNAIL:
        assert (small == frame).all()


def test_a_large_corpus_is_compared_in_parts(two_places: list[Summary], monkeypatch: pytest.MonkeyPatch) -> None:
    """Few samples say what pictures save, few pictures are considered, and every sample has what suits it."""
    monkeypatch.setattr(reference_choice, "_MOST_SAMPLES_COMPARED", 17)
    monkeypatch.setattr(reference_choice, "_MOST_CANDIDATES", 16)
    choice = chosen(two_places * 8)
    places = [picture.video % 2 for picture in choice.pictures]
    assert len(places) < 10
    assert [{places[t] for t in tries if t is not None} for tries in choice.tries] == [{0}, {1}] * 24
