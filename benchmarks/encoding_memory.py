"""Peak memory and time of `dnerv encode` by the number of videos: memory must not grow with them.

    python benchmarks/encoding_memory.py VIDEO|FOLDER [--clips 100 1000] [--processes 1] [--json]

The first second of VIDEO, cut into short clips at 64x80, is encoded under as many names as asked for, with the
smallest network and one epoch. Of a FOLDER so many videos, evenly spread, are encoded as they are, without a network.
Peak memory is that of the largest process.
"""

from __future__ import annotations

import argparse
import json
import os
import subprocess
import sys
import tempfile
import time
from fractions import Fraction
from itertools import islice
from pathlib import Path

from dnerv.video import Timing, VideoSource, discover, write_mp4

CUTS, FRAMES = 4, 12  # different clips, and frames of each
WITH_NETWORK = "--width 2 --epochs 1 --batch 2 --every 4 --crf 50 --precision fp32"
WITHOUT = "--network none --access 8 --crf 40"


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("source", type=Path, help="any real video of two seconds or more, or a folder of videos")
    parser.add_argument("--clips", type=int, nargs="+", default=[100, 1000], help="sizes of the corpora")
    parser.add_argument("--processes", type=int, default=1, help="processes, started by torchrun")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        make, words = (_spread, WITHOUT) if options.source.is_dir() else (_repeated, WITH_NETWORK)
        rows = []
        for count in options.clips:
            corpus = Path(folder) / str(count)
            make(options.source, corpus, count)
            rows.append(_measure(corpus, words, options.processes) | {"clips": count})
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'clips':>8} {'listing s':>10} {'encoding s':>11} {'peak MiB':>9} {'file bytes':>12}")
    for row in rows:
        print("{clips:>8} {listing:>10.2f} {encoding:>11.1f} {peak_mib:>9.0f} {file_bytes:>12,}".format(**row))


def _repeated(video: Path, corpus: Path, count: int) -> None:
    """A corpus of a few cuts of a video under many names."""
    frames = [frame for _, frame in islice(VideoSource(video).frames(size=(64, 80)), CUTS * FRAMES)]
    cuts = [corpus.with_name(f"{corpus.name}-cut{i}.mp4") for i in range(CUTS)]
    for i, path in enumerate(cuts):
        cut = frames[i * FRAMES : (i + 1) * FRAMES]
        write_mp4(path, cut, Timing.constant(Fraction(25), len(cut)))
    for i in range(count):
        path = corpus / f"class{i % 20}" / f"clip{i:05d}.mp4"
        path.parent.mkdir(parents=True, exist_ok=True)
        os.link(cuts[i % CUTS], path)


def _spread(source: Path, corpus: Path, count: int) -> None:
    """A corpus of so many of a folder's videos."""
    source = source.resolve()
    members = discover([source])
    if count > len(members):
        raise SystemExit(f"{source} has {len(members)} videos, and {count} were asked for")
    for i in range(count):
        path = members[i * len(members) // count].source_path
        link = corpus / path.relative_to(source)
        link.parent.mkdir(parents=True, exist_ok=True)
        link.symlink_to(path)


def _measure(corpus: Path, words: str, processes: int) -> dict[str, float]:
    started = time.perf_counter()
    discover([corpus])
    listed = time.perf_counter()
    output = corpus.with_suffix(".dnerv")
    launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
    command = [sys.executable, "-m", *(launcher if processes > 1 else []), "dnerv", "encode", str(corpus)]
    process = subprocess.Popen([*command, "-o", str(output), *words.split()], stdout=subprocess.DEVNULL)
    _, status, usage = os.wait4(process.pid, 0)
    if status:
        raise SystemExit(f"encoding {corpus.name} clips failed")
    return {
        "listing": listed - started,
        "encoding": time.perf_counter() - listed,
        "peak_mib": usage.ru_maxrss / 1024,
        "file_bytes": output.stat().st_size,
    }


if __name__ == "__main__":
    main()
