"""Kills at random moments while an archive changes, by the commands that people type.

    python benchmarks/kills.py FOLDER|VIDEO... [--kills 50] [--seed 0] [--json FILE]

The first half of the videos are encoded; the others are added and, where that ended in time, removed again. `dnerv add`
is killed by SIGKILL at a moment drawn evenly from the time that it takes undisturbed, every tenth time `remove` or
`compact` instead. After each kill the archive is opened anew: it must verify, hold the videos of before or of after,
and give the frames of before to the bit. At the end one more addition must succeed and leave nothing beside it.

Prints a line for each outcome and exits with 1 where an archive was not whole.
"""

from __future__ import annotations

import argparse
import json
import random
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Sequence
from hashlib import sha256
from pathlib import Path
from tempfile import TemporaryDirectory

from dnerv.archive import Archive, verify_archive
from dnerv.video import discover
from dnerv.video.corpus import files_of

Digests = dict[str, str]  # sha256 of all frames, by video


def main() -> None:
    """Parse, kill, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("inputs", type=Path, nargs="+")
    parser.add_argument("--kills", type=int, default=50)
    parser.add_argument("--seed", type=int, default=0)
    parser.add_argument("--json", type=Path)
    options = parser.parse_args()
    files = [file for member in discover(options.inputs) for file in files_of(member)]
    if len(files) < 2:
        parser.error("give two videos or more: some are encoded, the others added")
    with TemporaryDirectory() as folder:
        found = killed(files, Path(folder), options.kills, random.Random(options.seed))
    for outcome, count in found.most_common():
        print(f"{count:4} {outcome}")
    if options.json:
        options.json.write_text(json.dumps({"kills": options.kills, "seed": options.seed, "outcomes": found}, indent=2))
    sys.exit(any(outcome.startswith("WRONG") for outcome in found))


def killed(files: Sequence[Path], folder: Path, kills: int, random_: random.Random) -> Counter[str]:
    """Encode half of the videos, kill changes, and count how the archive was left."""
    archive, outcomes = folder / "a.dnerv", Counter[str]()
    half = (len(files) + 1) // 2
    run("encode", *files[:half], "-o", archive, "--effort", "fast")
    before = digests(archive)
    seconds = run("add", archive, *files[half:])
    after = digests(archive)
    for name, digest in before.items():
        if after.get(name) != digest:
            outcomes[f"WRONG: adding changed {name}"] += 1
    new = sorted(after.keys() - before.keys())
    durations = {"remove": run("remove", archive, *new), "compact": run("compact", archive), "add": seconds}
    for number in range(kills):
        command = "add" if number % 10 else random_.choice(["remove", "compact"])
        if command == "add" and digests(archive) == after:
            run("remove", archive, *new)
        if command == "remove" and digests(archive) == before:
            run("add", archive, *files[half:])
        words = {"add": files[half:], "remove": new, "compact": []}[command]
        kill(random_.uniform(0, 1.05 * durations[command]), command, archive, *words)
        outcomes[f"{command}: {judged(archive, before, after)}"] += 1
    if digests(archive) == before:
        run("add", archive, *files[half:])
    outcomes[f"the last: {judged(archive, before, after)}"] += 1
    left = [path.name for path in folder.iterdir() if path != archive]
    outcomes.update(f"WRONG: left behind {name}" for name in left)
    return outcomes


def judged(archive: Path, before: Digests, after: Digests) -> str:
    """Which state the archive is in."""
    if not verify_archive(archive)["intact"]:
        return "WRONG: it does not verify"
    found = digests(archive)
    return "the old" if found == before else "the new" if found == after else "WRONG: neither the old nor the new"


def digests(archive: Path) -> Digests:
    """Of the frames of every video, in a fresh archive."""
    with Archive(archive) as opened:
        return {
            reader.entry.name: sha256(b"".join(frame.numpy().tobytes() for frame in reader)).hexdigest()
            for reader in opened
        }


def run(*words: object) -> float:
    """Run a command to its end; seconds that it took."""
    started = time.monotonic()
    subprocess.run([sys.executable, "-m", "dnerv", *map(str, words)], check=True, capture_output=True)
    return time.monotonic() - started


def kill(seconds: float, *words: object) -> None:
    """Run a command for so long at most."""
    command = [sys.executable, "-m", "dnerv", *map(str, words)]
    with subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) as process:
        try:
            process.wait(seconds)
        except subprocess.TimeoutExpired:
            process.send_signal(signal.SIGKILL)


if __name__ == "__main__":
    main()
