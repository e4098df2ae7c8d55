"""Real-time priority that a library takes is given back.

SVT-AV1 opened by root puts the calling thread and all of its own into SCHED_FIFO 99, and leaves them there: threads and
child processes made later inherit it, and two encodings on two cores stop each other and everything else.

Which threads are the library's is told by what turned real-time meanwhile, so one opens after the other.
"""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock

_lock = Lock()
if sys.platform == "linux":  # a child forked meanwhile would wait for a thread that it does not have
    os.register_at_fork(before=_lock.acquire, after_in_parent=_lock.release, after_in_child=_lock.release)


@contextmanager
def priority_kept() -> Iterator[None]:
    """Threads that turn real-time inside, the calling one included, are as the calling one was before.

    Threads that were real-time before stay so. Threads that come together go through one by one, and wait for what is
    inside. Does nothing where the system is not Linux.
    """
    if sys.platform != "linux":
        yield
        return
    with _lock:
        policy, parameters = os.sched_getscheduler(0), os.sched_getparam(0)
        before = real_time_threads()
        try:
            yield
        finally:
            os.sched_setscheduler(0, policy, parameters)
            for thread in real_time_threads() - before:
                with suppress(ProcessLookupError):  # it has ended
                    os.sched_setscheduler(thread, policy, parameters)


def real_time_threads() -> set[int]:
    """Threads of this process with a real-time policy, by the system's number; empty where it is not Linux."""
    found = set[int]()
    if sys.platform == "linux":
        for thread in (int(entry.name) for entry in Path("/proc/self/task").iterdir()):
            with suppress(ProcessLookupError):
                if os.sched_getscheduler(thread) & ~os.SCHED_RESET_ON_FORK in (os.SCHED_FIFO, os.SCHED_RR):
                    found.add(thread)
    return found
