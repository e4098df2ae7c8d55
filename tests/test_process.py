"""How the process is set up; what the user says stays."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys
from collections.abc import Generator, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from threading import Event

import pytest

from dnerv import process


class _Recorder:
    def __init__(self) -> None:
        self.calls: list[tuple[int, int]] = []

    def mallopt(self, name: int, value: int) -> int:
        self.calls.append((name, value))
        return 1


@pytest.fixture
def library(monkeypatch: pytest.MonkeyPatch) -> _Recorder:
    recorder = _Recorder()
    monkeypatch.setattr(ctypes, "CDLL", lambda name: recorder)
    monkeypatch.setattr(sys, "platform", "linux")
    for name in [*os.environ]:
        if name.startswith("MALLOC_") or name in process._SETTINGS:
            monkeypatch.delenv(name)
    return recorder


def test_settings_are_made(library: _Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "0")
    monkeypatch.delenv("THP_MEM_ALLOC_ENABLE")
    process.tune_process()
    assert os.environ["GOMP_SPINCOUNT"] == "7"
    assert os.environ["THP_MEM_ALLOC_ENABLE"] == "1"
    assert (-4, 0) in library.calls


def test_memory_is_the_users_where_the_environment_says_so(library: _Recorder, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("THP_MEM_ALLOC_ENABLE", "1")
    monkeypatch.setenv("GOMP_SPINCOUNT", "7")
    monkeypatch.setenv("MALLOC_ARENA_MAX", "2")
    process.tune_process()
    assert not library.calls


def test_large_tensors_still_come_and_go_in_threads_too() -> None:
    """Without a map for large blocks, glibc has to find room in its heaps."""
    code = (
        "from dnerv.process import tune_process; tune_process()\n"
        "import threading, torch\n"
        "def work():\n"
        "    for _ in range(3): assert torch.ones(40_000_000).sum() == 40_000_000\n"
        "threads = [threading.Thread(target=work) for _ in range(3)]\n"
        "[t.start() for t in threads]; [t.join() for t in threads]; work(); print('done')\n"
    )
    ended = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, timeout=300)
    assert (ended.returncode, ended.stdout) == (0, "done\n"), ended.stderr


def test_side_by_side_keeps_the_order_and_tells_errors() -> None:
    assert list(process.side_by_side(lambda item: item * item, range(50))) == [item * item for item in range(50)]
    with pytest.raises(ZeroDivisionError):
        list(process.side_by_side(lambda item: 1 // item, [1, 0, 1]))


def test_results_come_in_order_as_early_as_they_can_and_the_rest_is_given_up() -> None:
    said = []

    def numbered() -> Generator[tuple[int, str]]:
        try:
            for place in (2, 0, 1, 4, 3, 5):
                said.append(place)
                yield place, "abcdef"[place]
        finally:
            said.append(-1)

    found = process.in_order(numbered())
    assert [next(found), said] == ["a", [2, 0]]
    assert [next(found), next(found), said] == ["b", "c", [2, 0, 1]]
    found.close()
    assert said == [2, 0, 1, -1]
    assert list(process.in_order(numbered())) == [*"abcdef"]


@pytest.mark.parametrize("others", [None, 3])
def test_work_is_told_as_it_is_done_and_taken_as_it_is_given(
    others: int | None, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(process, "_AHEAD", 4)
    with ExitStack() as stack:
        workers = None if others is None else stack.enter_context(ThreadPoolExecutor(others))
        taken, told = 0, 0

        def items() -> Iterator[int]:
            nonlocal taken
            for taken in range(1, 51):
                assert taken - told <= 4
                yield taken

        squares = {}
        for place, square in process.as_done(lambda item: item * item, items(), workers):
            told += 1
            squares[place] = square
        assert squares == {place: (place + 1) ** 2 for place in range(50)}
        assert list(process.as_done(abs, [], workers)) == []
        begun = list[int]()
        with pytest.raises(ZeroDivisionError):
            list(process.as_done(lambda item: begun.append(item) or 1 // item, [0] * 50, workers))
        assert len(begun) <= 4 + 4


def test_what_others_do_is_not_waited_for_in_order() -> None:
    late = Event()
    with ThreadPoolExecutor(2) as workers:
        done = process.as_done(lambda item: late.wait(60) if item == 0 else item, [0, 1, 2], workers)
        assert [next(done), next(done)] == [(1, 1), (2, 2)]
        late.set()
        assert list(done) == [(0, True)]
