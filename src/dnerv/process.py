"""How a process of ours works side by side, waits, and keeps memory.

The command line sets the last two for itself; a library must not.
"""

from __future__ import annotations

import ctypes
import os
import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from concurrent.futures import Executor, Future, ThreadPoolExecutor
from contextlib import closing
from itertools import islice
from queue import SimpleQueue
from typing import TypeVar

# Threads that wait spin a little: small networks train 1.5 times faster than with sleeping threads, and a process that
# wants the core waits a quarter longer, not 5 to 50 times as where they spin for milliseconds. Large tensors lie in
# huge pages.
_SETTINGS = {"GOMP_SPINCOUNT": "10000", "THP_MEM_ALLOC_ENABLE": "1"}
_AHEAD = 512  # pieces of work given out before the first is done: more processors than that would wait
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # of glibc's malloc.h

Result = TypeVar("Result")
Item = TypeVar("Item")


def tune_process() -> None:
    """Before torch is imported: how threads wait, and freed memory is kept for the next tensor.

    Given back to the system, memory comes back page by page and zeroed: half of the time of a large network's step.
    What the user's environment says already stays.
    """
    for name, value in _SETTINGS.items():
        os.environ.setdefault(name, value)
    if sys.platform != "linux" or any(name.startswith("MALLOC_") for name in os.environ):
        return
    mallopt = getattr(ctypes.CDLL(None), "mallopt", None)  # glibc has it, other C libraries may not
    if mallopt is not None:
        mallopt(_M_MMAP_MAX, 0)
        mallopt(_M_TRIM_THRESHOLD, -1)
        mallopt(_M_TOP_PAD, 1 << 26)


def usable_cores() -> int:
    """Cores that this process may use, at least 1."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def side_by_side(work: Callable[[Item], Result], items: Sequence[Item]) -> Generator[Result]:
    """Results in order, by as many threads as there are cores: encoders and decoders give up the interpreter's lock."""
    pool = ThreadPoolExecutor(usable_cores(), thread_name_prefix="dnerv")
    try:
        yield from pool.map(work, items)
    finally:
        pool.shutdown(wait=True, cancel_futures=True)


def as_done(
    work: Callable[[Item], Result], items: Iterable[Item], workers: Executor | None = None
) -> Generator[tuple[int, Result]]:
    """Results as they come, each with its item's place; items are taken as they are given out.

    Args:
        workers: who works; `work`, items and results are pickled where those are other processes. None: as many
            threads of this one as there are cores.

    Raises:
        Exception: whatever `work` raises; what has not begun by then never will.
    """
    if workers is None:
        with ThreadPoolExecutor(usable_cores(), thread_name_prefix="dnerv") as threads:
            yield from as_done(work, items, threads)
        return
    waiting: dict[Future[Result], int] = {}
    given, done = enumerate(items), SimpleQueue[Future[Result]]()
    try:
        while True:
            for place, item in islice(given, _AHEAD - len(waiting)):
                future = workers.submit(work, item)
                waiting[future] = place
                future.add_done_callback(done.put)
            if not waiting:
                return
            future = done.get()
            yield waiting.pop(future), future.result()
    finally:
        for future in waiting:
            future.cancel()


def in_order(numbered: Generator[tuple[int, Result]]) -> Generator[Result]:
    """Results of `as_done` in the order of their items, each once all before it are there."""
    early, place = dict[int, Result](), 0
    with closing(numbered):
        for found, result in numbered:
            early[found] = result
            while place in early:
                yield early.pop(place)
                place += 1
