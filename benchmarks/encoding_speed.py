"""Frames coded a second, by `dnerv encode` without a network and by ffmpeg's libsvtav1 at the same preset.

    python benchmarks/encoding_speed.py FOLDER --videos 40 --effort default

Both have the same cores: ffmpeg runs as many programs side by side as there are cores, one thread of the encoder and
one video each. dnerv's time is that of the command, with reading, choosing, writing and measuring the file. In turns,
the median of several runs.
"""

from __future__ import annotations

import statistics
import subprocess
import sys
import tempfile
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import partial
from pathlib import Path

from side_by_side import parser, race

from dnerv.codecs.ffmpeg_program import ffmpeg_program
from dnerv.encoding.options import EFFORTS
from dnerv.process import usable_cores
from dnerv.video import VideoSource, discover

WAYS = {
    "one group a video, every frame, nothing shared": ["--no-references", "--every", "1", "--access", "all"],
    "access 8, every frame, pictures shared": ["--every", "1", "--access", "8"],
    "as it comes: distance, pictures and access chosen": [],
}


def main() -> None:
    """Read, code in turns, print."""
    ours = parser(__doc__ or "")
    ours.add_argument("folder", type=Path)
    ours.add_argument("--videos", type=int, default=40, help="at most, spread over the folder")
    ours.add_argument("--effort", choices=EFFORTS, default="default")
    ours.add_argument("--crf", type=float, default=41)
    ours.add_argument("--repeats", type=int, default=3)
    given = ours.parse_args()
    members = discover([given.folder])
    paths = [member.source_path for member in members[:: max(1, -(-len(members) // given.videos))]]
    frames = sum(sum(1 for _ in VideoSource(path).frames()) for path in paths)
    preset = EFFORTS[given.effort]
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        told = ["--crf", f"{given.crf:g}", "--effort", given.effort, "--network", "none"]
        candidates: dict[str, Callable[[], object]] = {
            "ffmpeg": partial(_ffmpeg, paths, folder, preset, given.crf),
            **{way: partial(_dnerv, paths, folder, [*told, *words]) for way, words in WAYS.items()},
        }
        seconds = {way: statistics.median(runs) for way, runs in race(candidates, repeats=given.repeats).items()}
    print(f"{len(paths)} videos, {frames} frames, preset {preset}, {usable_cores()} cores, median of {given.repeats}")
    for way, taken in seconds.items():
        print(f"{way:52} {frames / taken:7.0f} frames/s  {seconds['ffmpeg'] / taken:5.2f}")


def _ffmpeg(paths: Sequence[Path], folder: Path, preset: int, crf: float) -> None:
    def code(place: int) -> None:
        coder = ["-c:v", "libsvtav1", "-preset", str(preset), "-crf", str(round(crf)), "-svtav1-params", "lp=1"]
        target = folder / f"{place}.mp4"
        words = [
            "-v",
            "error",
            "-y",
            "-i",
            str(paths[place]),
            "-pix_fmt",
            "yuv420p10le",
            "-g",
            "9999",
            *coder,
            str(target),
        ]
        subprocess.run([ffmpeg_program(), *words], check=True, stdin=subprocess.DEVNULL)

    with ThreadPoolExecutor(usable_cores()) as pool:
        list(pool.map(code, range(len(paths))))


def _dnerv(paths: Sequence[Path], folder: Path, words: Sequence[str]) -> None:
    command = [
        sys.executable,
        "-m",
        "dnerv",
        "encode",
        *map(str, paths),
        "-o",
        str(folder / "a.dnerv"),
        "--force",
        *words,
    ]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


if __name__ == "__main__":
    main()
