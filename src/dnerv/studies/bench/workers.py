"""Loading by worker processes, as those of torch's DataLoader do it: each opens everything for itself, on one core.

What a worker then hands over to the process that trains is the same for all ways to load, and is left out.
"""

from __future__ import annotations

import os
import resource
import sys
from collections.abc import Sequence
from functools import partial
from multiprocessing import connection, get_context
from multiprocessing.synchronize import Barrier
from statistics import mean
from typing import Any, NamedTuple

import torch

from dnerv import progress
from dnerv.errors import DnervError
from dnerv.evaluation.timing import interleaved
from dnerv.studies.bench.candidate import Candidate, ClipPlace, measure_round

_LONGEST_WAIT = 600  # seconds, for the others to be ready
_NOT_IN_WORKERS = ("reference", "loader", "command")  # what is compared with, what has threads or processes of its own


class Worked(NamedTuple):
    """What one worker found."""

    first_batch: float  # seconds, from opening to the first batch
    clips_per_second: float  # after that
    peak_bytes: int  # of memory, all of the process


def in_workers(candidates: Sequence[Candidate]) -> list[Candidate]:
    """Those that are measured in workers: one of each name, the one with the largest batches."""
    largest = {one.name: one for one in sorted(candidates, key=lambda one: one.batch_size)}
    return [one for one in candidates if one.kind not in _NOT_IN_WORKERS and largest[one.name] is one]


def measured_workers(
    candidates: Sequence[Candidate],
    places: Sequence[ClipPlace],
    counts: Sequence[int],
    seconds: float,
    seed: int,
    device: torch.device,
) -> dict[str, Any]:
    """One round of all candidates in each number of processes, in an order by `seed`: by candidate, by number.

    Processes are forks of this one, which has imported everything and computed nothing.
    """
    progress.stage("measuring worker processes", len(candidates) * len(counts))
    subjects = [
        partial(_together, candidate, places, count, seconds, seed, device)
        for candidate in candidates
        for count in counts
    ]
    found = iter(interleaved(subjects, 1, seed))
    return {"workers": [{str(count): next(found)[0] for count in counts} for _ in candidates]}


def _together(
    candidate: Candidate,
    places: Sequence[ClipPlace],
    count: int,
    seconds: float,
    seed: int,
    device: torch.device,
    _: int,
) -> dict[str, float]:
    context = get_context("fork")
    ready = context.Barrier(count)
    workers: dict[connection.Connection, Any] = {}
    try:
        for number in range(count):
            ours, theirs = context.Pipe(duplex=False)
            arguments = theirs, ready, number, candidate, places, seconds, seed + number, device
            workers[ours] = context.Process(target=_work, args=arguments, daemon=True)
            workers[ours].start()
            theirs.close()
        found = _answers(list(workers))
    finally:
        for pipe, worker in workers.items():
            worker.terminate()
            worker.join()
            pipe.close()
    return {
        "samples_per_second": sum(one.clips_per_second for one in found),
        "first_batch_milliseconds": 1000 * mean(one.first_batch for one in found),
        "peak_bytes": mean(one.peak_bytes for one in found),
    }


def _answers(pipes: Sequence[connection.Connection]) -> list[Worked]:
    found, waiting = list[Worked](), set(pipes)
    while waiting:
        for pipe in connection.wait(list(waiting)):
            assert isinstance(pipe, connection.Connection)
            try:
                answer = pipe.recv()
            except EOFError:
                raise DnervError("a process that loads clips ended without an answer") from None
            if isinstance(answer, Exception):
                raise answer
            found.append(answer)
            waiting.discard(pipe)
    return found


def _work(
    pipe: connection.Connection,
    ready: Barrier,
    number: int,
    candidate: Candidate,
    places: Sequence[ClipPlace],
    seconds: float,
    seed: int,
    device: torch.device,
) -> None:
    """In a worker: once without counting, since libraries set up in it; then, with the others, for the record."""
    try:
        if hasattr(os, "sched_setaffinity"):
            cores = sorted(os.sched_getaffinity(0))
            os.sched_setaffinity(0, {cores[number % len(cores)]})
        torch.set_num_threads(1)
        measure_round(candidate, places, 0.0, seed, device, threads=1)
        ready.wait(_LONGEST_WAIT)
        found = measure_round(candidate, places, seconds, seed, device, threads=1)
        speed = found.warm.clips / found.warm.seconds
        pipe.send(Worked(found.cold.seconds, speed, _peak_bytes()))
    except KeyboardInterrupt:
        return  # the process that waits was interrupted too, and says so
    except Exception as error:
        pipe.send(error)


def _peak_bytes() -> int:
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak
