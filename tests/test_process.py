"""How the process is set up; what the user says stays."""

from __future__ import annotations

import ctypes
import os
import subprocess
import sys

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
