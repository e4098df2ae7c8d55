"""Timing of several ways to do one thing, in turns, so that a machine's moods fall on all of them alike.

With `--tuned` on a benchmark's command line the process is set up as the command line of dnerv sets up its own.
"""

from __future__ import annotations

import argparse
import platform
import statistics
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from dnerv.process import tune_process

if "--tuned" in sys.argv:
    tune_process()  # before torch is imported

import torch


def parser(description: str) -> argparse.ArgumentParser:
    """What all benchmarks understand."""
    made = argparse.ArgumentParser(description=description, formatter_class=argparse.RawDescriptionHelpFormatter)
    made.add_argument("--tuned", action="store_true", help="threads and memory as the command line of dnerv sets them")
    return made


def race(
    candidates: Mapping[str, Callable[[], object]],
    *,
    repeats: int,
    warmup: int = 1,
    clock: Callable[[], float] = time.perf_counter,
) -> dict[str, list[float]]:
    """Seconds of each run of each candidate, by a clock of your choice."""
    seconds: dict[str, list[float]] = {name: [] for name in candidates}
    for turn in range(warmup + repeats):
        for name, run in candidates.items():
            started = clock()
            run()
            if turn >= warmup:
                seconds[name].append(clock() - started)
    return seconds


def show(seconds: Mapping[str, list[float]], *, work: float, unit: str, reference: str) -> None:
    """A row per candidate: median time, rate, and how many times the reference's rate, turn by turn."""
    print(f"{'':28}{'median':>10}{unit:>12}{'ratio':>8}   lowest and highest ratio")
    for name, runs in seconds.items():
        ratios = [theirs / ours for theirs, ours in zip(seconds[reference], runs, strict=True)]
        median = statistics.median(runs)
        print(
            f"{name:28}{1e3 * median:7.0f} ms{work / median:12.1f}{statistics.median(ratios):8.2f}"
            f"   {min(ratios):.2f} {max(ratios):.2f}"
        )


def machine() -> str:
    """Processor, threads and torch, in a line."""
    info = Path("/proc/cpuinfo")
    models = [line.split(":", 1)[1].strip() for line in info.read_text().splitlines() if line.startswith("model name")]
    return (
        f"{models[0] if models else platform.processor()}, {torch.get_num_threads()} threads, torch {torch.__version__}"
    )
