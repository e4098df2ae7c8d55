"""Windows of a file: the file's own bytes, each fetched once, in few requests, whoever asks."""

from __future__ import annotations

import os
import random
import threading
from collections.abc import Callable, Sequence
from itertools import pairwise

import pytest

from dnerv.bitstream import windows
from dnerv.bitstream.storage import Span
from dnerv.bitstream.windows import Windows
from dnerv.errors import ArchiveError

DATA = random.Random(0).randbytes(100_000)


class Source:
    """A file whose fetches are written down."""

    def __init__(self, data: bytes = DATA) -> None:
        self.data, self.fetched = data, list[list[Span]]()
        self.fails = False

    def __call__(self, spans: Sequence[Span]) -> Sequence[bytes]:
        self.fetched.append(list(spans))
        if self.fails:
            raise ArchiveError("far away")
        return [self.data[offset : offset + length] for offset, length in spans]

    @property
    def bytes(self) -> int:
        return sum(length for spans in self.fetched for _, length in spans)


@pytest.fixture
def source() -> Source:
    return Source()


@pytest.fixture(autouse=True)
def near(monkeypatch: pytest.MonkeyPatch) -> Callable[[int], None]:
    """How near spans are joined: nothing but what touches, unless a test says more."""
    monkeypatch.setattr(windows, "NEAR_BYTES", 0)
    return lambda count: monkeypatch.setattr(windows, "NEAR_BYTES", count)


def test_near_spans_are_one_request_and_far_ones_are_asked_for_at_once(
    source: Source, near: Callable[[int], None]
) -> None:
    near(100)
    read = Windows(source, len(DATA))
    read.prepare([(5000, 50), (1150, 50), (1000, 50), (1020, 40), (5050, 50), (1000, 0)])
    assert source.fetched == [[(1000, 200), (5000, 100)]]
    assert [read.read(*span) for span in ((1000, 200), (1020, 40), (5050, 50), (5010, 0))] == [
        DATA[1000:1200],
        DATA[1020:1060],
        DATA[5050:5100],
        b"",
    ]
    assert len(source.fetched) == 1


def test_what_is_there_is_not_fetched_again(source: Source) -> None:
    read = Windows(source, len(DATA))
    read.prepare([(1000, 100), (1300, 100)])
    assert read.read(900, 700) == DATA[900:1600]
    assert source.fetched[1:] == [[(900, 100), (1100, 200), (1400, 200)]]


def test_a_request_that_joins_does_not_fetch_what_lies_between_once_more(
    source: Source, near: Callable[[int], None]
) -> None:
    near(1000)
    read = Windows(source, len(DATA))
    read.read(1000, 10)
    read.prepare([(900, 10), (1100, 10)])
    assert source.fetched[1:] == [[(900, 10), (1100, 10)]]


def test_reading_on_doubles_and_ends_where_it_must(source: Source, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(windows, "MOST_AHEAD", 4000)
    read = Windows(source, 20_000)
    read.read(19_000, 500)
    for start in range(1000, 19_000, 100):
        assert read.read(start, 100) == DATA[start : start + 100]
    steps = [length for ((_, length),) in source.fetched[1:]]
    assert steps == [100, 200, 400, 800, 1600, 3200, 4000, 4000, 3700]
    read.read(19_500, 10)
    assert source.fetched[-1] == [(19_500, 500)]  # the file's end


def test_those_used_longest_ago_make_room(source: Source) -> None:
    read = Windows(source, len(DATA), kept_bytes=4000)
    for start in (0, 2000, 4000, 6000):
        read.read(start, 1000)
    read.read(0, 1000)
    read.read(8000, 1000)  # in place of the one at 2000
    before = len(source.fetched)
    assert [read.read(start, 1000) for start in (0, 4000, 6000, 8000)] == [
        DATA[start : start + 1000] for start in (0, 4000, 6000, 8000)
    ]
    assert len(source.fetched) == before
    assert read.read(2000, 1000) == DATA[2000:3000]
    assert len(source.fetched) == before + 1


def test_what_would_push_all_others_out_is_not_kept(source: Source) -> None:
    read = Windows(source, len(DATA), kept_bytes=4000)
    read.read(0, 900)
    read.prepare([(10_000, 5000)])
    assert len(source.fetched) == 1
    assert read.read(10_000, 5000) == DATA[10_000:15_000]
    read.read(0, 900)
    assert len(source.fetched) == 2


def test_a_failure_is_told_and_not_kept(source: Source) -> None:
    read = Windows(source, len(DATA))
    source.fails = True
    with pytest.raises(ArchiveError, match="far away"):
        read.read(0, 10)
    source.fails = False
    assert read.read(0, 10) == DATA[:10]


def test_at_random_and_from_threads_every_byte_comes_once(source: Source) -> None:
    read = Windows(source, len(DATA))
    wrong: list[Span] = []

    def run(seed: int) -> None:
        own = random.Random(seed)
        for _ in range(200):
            spans = [(own.randrange(len(DATA) - 500), own.randrange(500)) for _ in range(own.randrange(1, 4))]
            if own.random() < 0.5:
                read.prepare(spans)
            wrong.extend(s for s in spans if read.read(*s) != DATA[s[0] : s[0] + s[1]])

    threads = [threading.Thread(target=run, args=(seed,)) for seed in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not wrong
    fetched = sorted(span for spans in source.fetched for span in spans)
    assert all(a[0] + a[1] <= b[0] for a, b in pairwise(fetched))
    assert source.bytes <= len(DATA)


def test_threads_wait_for_what_is_on_its_way_and_hear_of_its_failure() -> None:
    entered, go = threading.Event(), threading.Event()
    answers: list[object] = []

    def fetch(spans: Sequence[Span]) -> Sequence[bytes]:
        entered.set()
        go.wait(10)
        raise ArchiveError("far away")

    read = Windows(fetch, len(DATA))

    def run() -> None:
        try:
            answers.append(read.read(0, 10))
        except ArchiveError as error:
            answers.append(str(error))

    threads = [threading.Thread(target=run) for _ in range(2)]
    threads[0].start()
    entered.wait(10)
    threads[1].start()
    threads[1].join(0.05)  # waits for the first one's, whose fetch it does not repeat
    assert not answers
    go.set()
    for thread in threads:
        thread.join()
    assert answers == ["far away"] * 2


@pytest.mark.filterwarnings("ignore:.*fork.*:DeprecationWarning")
def test_a_forked_child_begins_with_nothing(source: Source) -> None:
    read = Windows(source, len(DATA))
    read.read(0, 10)
    child = os.fork()
    if not child:
        same = read.read(0, 10) == DATA[:10] and len(source.fetched) == 2
        os._exit(0 if same else 1)
    assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 0
