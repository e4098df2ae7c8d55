"""How a process of ours waits and keeps memory. The command line sets it for itself; a library must not."""

from __future__ import annotations

import ctypes
import os
import sys

# Threads that wait spin a little: small networks train 1.5 times faster than with sleeping threads, and a process that
# wants the core waits a quarter longer, not 5 to 50 times as where they spin for milliseconds. Large tensors lie in
# huge pages.
_SETTINGS = {"GOMP_SPINCOUNT": "10000", "THP_MEM_ALLOC_ENABLE": "1"}
_M_TRIM_THRESHOLD, _M_TOP_PAD, _M_MMAP_MAX = -1, -2, -4  # of glibc's malloc.h


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
