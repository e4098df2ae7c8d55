"""Readers, archives, data sets and loaders shared by threads that change places all the time: no frame may differ.

    python benchmarks/threads.py ARCHIVE [--threads 8] [--rounds 4]

Every frame that a thread gets is compared with the same frame read by one thread alone.
"""

from __future__ import annotations

import argparse
import random
import sys
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path

import torch
from torch import Tensor

from dnerv.archive import Archive
from dnerv.loading import ClipDataset, Loader

SWITCH_SECONDS = 1e-5  # after which another thread has its turn; Python's own is 5e-3


@dataclass
class Tally:
    """What some threads saw."""

    frames: int = 0  # compared
    wrong: int = 0  # of them, not equal to what one thread reads
    errors: list[str] = field(default_factory=list)


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("--threads", type=int, default=8)
    parser.add_argument("--rounds", type=int, default=4, help="times that each thread reads everything")
    options = parser.parse_args()
    failed = False
    for name, measure in SHARED.items():
        tally = measure(options.archive, options.threads, options.rounds)
        failed |= bool(tally.wrong or tally.errors)
        print(f"{name:<10} {tally.frames:>8} frames  {tally.wrong:>6} wrong  {len(tally.errors):>4} errors")
        for error in sorted(set(tally.errors)):
            print(f"           {error}")
    sys.exit(failed)


def share_reader(path: Path, threads: int, rounds: int) -> Tally:
    """One reader of each video, all of them used by all threads at random."""
    expected = _expected(path)
    with Archive(path) as archive:
        readers = list(archive)

        def read(dice: random.Random, tally: Tally) -> None:
            for _ in range(rounds):
                for reader in dice.sample(readers, len(readers)):
                    for place in dice.sample(range(len(reader)), len(reader)):
                        _compare(tally, reader[place], expected[reader.entry.name][place])

        return _in_threads(read, threads)


def share_archive(path: Path, threads: int, rounds: int) -> Tally:
    """One archive, opened for all threads, which each make readers of their own."""
    expected = _expected(path)
    tallies = []
    for _ in range(rounds):
        with Archive(path) as archive:  # anew: what is set up on first use is set up by all at once

            def read(dice: random.Random, tally: Tally, archive: Archive = archive) -> None:
                for name in dice.sample(archive.names, len(archive)):
                    reader = archive[name]
                    places = dice.sample(range(len(reader)), len(reader))
                    frames = reader.get_frames_at(places).data
                    for frame, place in zip(frames, places, strict=True):
                        _compare(tally, frame, expected[name][place])

            tallies.append(_in_threads(read, threads))
    return _sum(tallies)


def share_dataset(path: Path, threads: int, rounds: int) -> Tally:
    """One `ClipDataset`, its clips taken at random by all threads."""
    expected = _expected(path, size="coded")
    dataset = ClipDataset(path, clip_length=3, precision="fp32")

    def read(dice: random.Random, tally: Tally) -> None:
        for _ in range(rounds):
            for index in dice.sample(range(len(dataset)), len(dataset)):
                clip, _, info = dataset[index]
                for frame, place in zip(clip, info["frames"].tolist(), strict=True):
                    _compare(tally, frame, expected[info["video"]][place])

    return _in_threads(read, threads)


def share_loader(path: Path, threads: int, rounds: int) -> Tally:
    """One `Loader`, with epochs to each thread, and one more epoch whose batches the threads share out."""
    with Archive(path) as archive:
        side = min(min(entry.coded_size) for entry in archive.entries)
    loader = Loader(path, batch_size=2, crop=side, dtype=torch.uint8, precision="fp32", threads=2)
    expected = {int(info["index"][0]): clips for clips, _, info in loader}
    together = iter(loader)

    def check(tally: Tally, clips: Tensor, info: dict[str, Tensor]) -> None:
        for clip, known in zip(clips, expected[int(info["index"][0])], strict=True):
            for frame, same in zip(clip, known, strict=True):
                _compare(tally, frame, same)

    def read(dice: random.Random, tally: Tally) -> None:
        for clips, _, info in together:
            check(tally, clips, info)
        for _ in range(rounds):
            for clips, _, info in loader:
                check(tally, clips, info)

    return _in_threads(read, threads)


SHARED: dict[str, Callable[[Path, int, int], Tally]] = {
    "reader": share_reader,
    "archive": share_archive,
    "dataset": share_dataset,
    "loader": share_loader,
}


def _expected(path: Path, size: str = "original") -> dict[str, Tensor]:
    with Archive(path, size=size) as archive:  # type: ignore[arg-type]
        return {reader.entry.name: reader[:] for reader in archive}


def _compare(tally: Tally, frame: Tensor, expected: Tensor) -> None:
    tally.frames += 1
    tally.wrong += not torch.equal(frame, expected)


def _in_threads(read: Callable[[random.Random, Tally], None], count: int) -> Tally:
    tallies = [Tally() for _ in range(count)]
    begin = threading.Barrier(count)

    def run(number: int) -> None:
        begin.wait()
        try:
            read(random.Random(number), tallies[number])
        except Exception as error:  # whatever it is, it is what is counted here
            tallies[number].errors.append(f"{type(error).__name__}: {error}")

    with switching_often():
        threads = [threading.Thread(target=run, args=(number,)) for number in range(count)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
    return _sum(tallies)


@contextmanager
def switching_often() -> Iterator[None]:
    """Let threads change places all the time, each with one thread of torch."""
    usual, pool = sys.getswitchinterval(), torch.get_num_threads()
    sys.setswitchinterval(SWITCH_SECONDS)
    torch.set_num_threads(1)
    try:
        yield
    finally:
        sys.setswitchinterval(usual)
        torch.set_num_threads(pool)


def _sum(tallies: list[Tally]) -> Tally:
    errors = [error for tally in tallies for error in tally.errors]
    return Tally(sum(t.frames for t in tallies), sum(t.wrong for t in tallies), errors)


if __name__ == "__main__":
    main()
