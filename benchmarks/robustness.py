"""Everything that must not break, by one command: hostile archives, shared threads, kills, encodings side by side.

    python benchmarks/robustness.py [--mutations 10000] [--rounds 4] [--kills 40] [--seed 0] [--folder FOLDER]

Makes three tiny videos and an archive of them. Then:
    fuzzing       mutations of the archive give frames or a named error, in bounded time and memory (`fuzzing.py`)
    threads       eight threads that share readers, archives, data sets, loaders get every frame right (`threads.py`)
    kills         an encoding killed at any moment and given again ends with the bytes of an undisturbed one, and
                  leaves nothing else; a decoding likewise
    side by side  three encodings at once end, each with the bytes of one alone
Prints a line for each and exits with 1 where one fails. The test suite runs a tenth.
"""

from __future__ import annotations

import argparse
import os
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Callable, Sequence
from fractions import Fraction
from pathlib import Path
from tempfile import TemporaryDirectory

import numpy as np
from numpy.typing import NDArray

from dnerv.video import Timing, write_mp4

OPTIONS = ["--epochs", "3", "--width", "3", "--every", "4", "--crf", "50", "--clip-length", "4", "--network", "always"]
LONGEST = 600.0  # seconds that a tiny encoding may take on a busy machine


def main() -> None:
    """Parse, try everything, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--mutations", type=int, default=10_000)
    parser.add_argument("--rounds", type=int, default=4, help="times that each thread reads everything")
    parser.add_argument("--kills", type=int, default=40, help="of encodings, and of decodings")
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--folder", type=Path, help="for videos and archives; a temporary one if left out")
    options = parser.parse_args()
    with TemporaryDirectory() as temporary:
        folder = options.folder or Path(temporary)
        videos = tiny_videos(folder / "videos")
        archive = folder / "alone.dnerv"
        run(encode(videos, archive))
        failed = [
            told(name, attempt)
            for name, attempt in (
                ("fuzzing", lambda: fuzzed(archive, options.mutations, options.seed)),
                ("threads", lambda: shared(archive, options.rounds)),
                ("kills", lambda: killed(videos, archive, folder / "kills", options.kills, options.seed)),
                ("side by side", lambda: side_by_side(videos, archive.read_bytes(), folder / "beside")),
            )
        ]
    sys.exit(any(failed))


def told(name: str, attempt: Callable[[], list[str]]) -> bool:
    """Print how an attempt went; whether it failed."""
    started = time.monotonic()
    problems = attempt()
    print(f"{name:<13} {time.monotonic() - started:6.0f} s  {'failed' if problems else 'as it should be'}", flush=True)
    for problem, count in Counter(problems).most_common(10):
        print(f"    {count} times: {problem}")
    return bool(problems)


def fuzzed(archive: Path, mutations: int, seed: int) -> list[str]:
    """What mutations did that they must not."""
    from fuzzing import fuzz

    return [f"{found.kind}: {found.what}" for _, found in fuzz([archive], mutations, seed) if found.is_wrong]


def shared(archive: Path, rounds: int, count: int = 8) -> list[str]:
    """Wrong frames and errors of threads."""
    from threads import SHARED

    problems = []
    for name, share in SHARED.items():
        tally = share(archive, count, rounds)
        problems += [f"{name}: {error}" for error in tally.errors] + [f"{name}: a wrong frame"] * tally.wrong
    return problems


def killed(videos: Path, archive: Path, folder: Path, kills: int, seed: int) -> list[str]:
    """Encodings and decodings killed at random moments, and given again: what was not as without."""
    dice, problems = random.Random(seed), []
    commands: list[tuple[str, Callable[[Path], list[str]]]] = [
        ("encode", lambda target: encode(videos, target / "a.dnerv")),
        ("decode to png", lambda target: decode(archive, target, "png")),
        ("decode to mp4", lambda target: decode(archive, target, "mp4")),
    ]
    for name, command in commands:
        undisturbed = folder / name / "undisturbed"
        undisturbed.mkdir(parents=True)
        started = time.monotonic()
        run(command(undisturbed))
        seconds = time.monotonic() - started
        for attempt in range(kills):
            target = folder / name / str(attempt)
            target.mkdir()
            moment = dice.uniform(0, seconds)
            kill_after(command(target), moment)
            # Decoding does not go on where it was: what is there is said, and replaced on demand.
            run(command(target) + (["--force"] if name != "encode" else []))
            if contents(target) != contents(undisturbed):
                problems.append(f"{name}: another result after a kill")
    return problems


def side_by_side(videos: Path, alone: bytes, folder: Path, count: int = 3) -> list[str]:
    """Encodings at once: what did not end, or not with the bytes of one alone."""
    folder.mkdir(parents=True, exist_ok=True)
    outputs = [folder / f"{number}.dnerv" for number in range(count)]
    quiet = {"stdout": subprocess.DEVNULL, "stderr": subprocess.DEVNULL}
    processes = [subprocess.Popen(encode(videos, output), **quiet) for output in outputs]
    problems, end = [], time.monotonic() + count * LONGEST
    for process, output in zip(processes, outputs, strict=True):
        try:
            code = process.wait(timeout=max(1.0, end - time.monotonic()))
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
            problems.append("an encoding did not end")
            continue
        if code:
            problems.append(f"an encoding ended with {code}")
        elif output.read_bytes() != alone:
            problems.append("other bytes than alone")
    return problems


def encode(videos: Path, output: Path) -> list[str]:
    """The command line of a tiny encoding whose bytes depend on nothing but the videos."""
    return [*_dnerv(), "encode", str(videos), "-o", str(output), *OPTIONS, "--precision", "fp32", "--batch", "1"]


def decode(archive: Path, folder: Path, format: str) -> list[str]:
    """The command line of a decoding."""
    return [*_dnerv(), "decode", str(archive), "-o", str(folder), "--format", format]


def run(command: Sequence[str]) -> None:
    """Run a command to its end. Raises CalledProcessError with what it said."""
    subprocess.run(command, check=True, capture_output=True, timeout=LONGEST)


def kill_after(command: Sequence[str], seconds: float) -> None:
    """Start a command and kill it, unless it ends before."""
    process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    try:
        process.wait(timeout=seconds)
    except subprocess.TimeoutExpired:
        os.kill(process.pid, signal.SIGKILL)
        process.wait()


def contents(folder: Path) -> dict[str, bytes]:
    """Every file below a folder, hidden ones too."""
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


def tiny_videos(folder: Path) -> Path:
    """Three videos of waves: a last partial clip, an odd size, one frame."""
    for name, count, size, seed in (("long", 9, (32, 32), 0), ("odd", 4, (27, 31), 1), ("still", 1, (32, 32), 2)):
        write_mp4(folder / f"{name}.mp4", waves(count, size, seed), Timing.constant(Fraction(25), count), force=True)
    return folder


def waves(count: int, size: tuple[int, int], seed: int) -> list[NDArray[np.uint8]]:
    """Frames uint8 [H, W, 3] of waves that drift."""
    y, x = np.mgrid[: size[0], : size[1]]
    shifts = np.random.default_rng(seed).uniform(0, 6, 3)
    return [
        np.stack([128 + 60 * np.sin(x / 5 + a + 0.3 * i) + 60 * np.cos(y / 7 + a) for a in shifts], -1).astype(np.uint8)
        for i in range(count)
    ]


def _dnerv() -> list[str]:
    return [sys.executable, "-m", "dnerv"]


if __name__ == "__main__":
    main()
