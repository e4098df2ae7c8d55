"""What adding a few videos to an archive takes, beside encoding all of them anew.

    python benchmarks/adding.py FOLDER --added 8 --crf 48 --effort fast

The added ones are spread over the folder. Processor seconds are those of the commands, start included; bytes are what
the file grows by, and what is left of that once `dnerv compact` has taken out what is unused.
"""

from __future__ import annotations

import argparse
import resource
import subprocess
import sys
import tempfile
from pathlib import Path

from dnerv.encoding.options import EFFORTS
from dnerv.video import discover


def main() -> None:
    """Encode most, add the rest, encode all; print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--added", type=int, default=8)
    parser.add_argument("--crf", type=float, default=48)
    parser.add_argument("--effort", choices=EFFORTS, default="fast")
    given = parser.parse_args()
    videos = [member.source_path for member in discover([given.folder])]
    step = len(videos) // given.added
    added = videos[step // 2 :: step][: given.added]
    told = ["--crf", f"{given.crf:g}", "--effort", given.effort, "--network", "none"]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        most, rest = (folder / part for part in ("most", "rest"))
        for video in videos:
            link = (rest if video in added else most) / video.relative_to(given.folder)
            link.parent.mkdir(parents=True, exist_ok=True)
            link.symlink_to(video.resolve())
        grown, anew = folder / "grown.dnerv", folder / "anew.dnerv"
        for_most = _seconds("encode", str(most), "-o", str(grown), *told)
        before = grown.stat().st_size
        for_rest = _seconds("add", str(grown), str(rest))
        after = grown.stat().st_size
        _seconds("compact", str(grown))
        for_all = _seconds("encode", str(given.folder), "-o", str(anew), *told)
        compact, fresh = grown.stat().st_size, anew.stat().st_size
    print(f"{len(videos) - len(added)} videos: {for_most:.1f} s, {before:,} bytes")
    print(f"all {len(videos)} anew: {for_all:.1f} s, {fresh:,} bytes")
    print(f"{len(added)} added: {for_rest:.1f} s ({for_rest / for_all:.1%} of all anew)")
    print(f"the file grows by {after - before:,} bytes ({(after - before) / fresh:.1%} of all anew)")
    print(f"compact: {compact:,} bytes, {compact / fresh - 1:+.1%} against all anew")


def _seconds(*words: str) -> float:
    """Processor seconds of a command."""
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    subprocess.run([sys.executable, "-m", "dnerv", *words], check=True, stdout=subprocess.DEVNULL)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime


if __name__ == "__main__":
    main()
