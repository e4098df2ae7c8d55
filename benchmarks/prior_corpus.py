"""A corpus to train a prior on, small enough to travel: scaled videos, parted into those to learn from and the others.

    python benchmarks/prior_corpus.py DATA OUT
    dnerv prior train OUT/train --held-out OUT/held-out -o NAME.prior --device cuda --budget 400s --batch 24 --width 40

DATA holds `surveillance`, `davis`, `metaworld` and `action_clips`. OUT gets train/GROUP/NAME.mp4 and
held-out/GROUP/NAME.mp4, H.264 4:4:4, since a network that restores colours must have seen them whole. Videos that are
there already are left as they are.
"""

from __future__ import annotations

import argparse
import csv
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from fractions import Fraction
from itertools import islice
from pathlib import Path

import av
import numpy as np
from numpy.typing import NDArray

from dnerv.video import VideoSource

SMALL, LARGE = (128, 160), (256, 320)
HELD_OUT_DAVIS = ("blackswan", "breakdance", "camel", "dog")
HELD_OUT_EVERY = 5  # of metaworld's tasks, and of the surveillance clips that are for tests


@dataclass(frozen=True)
class Member:
    """A video, and what becomes of it."""

    path: Path
    output: str  # under OUT, without the suffix
    size: tuple[int, int] | None = SMALL  # None: a copy of the file
    frames: int = 120  # at most
    crf: int = 15


def main() -> None:
    """Parse, scale, say how much it came to."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("data", type=Path)
    parser.add_argument("out", type=Path)
    options = parser.parse_args()
    for member in members(options.data):
        path = options.out / f"{member.output}.mp4"
        if path.exists():
            continue
        path.parent.mkdir(parents=True, exist_ok=True)
        if member.size is None:
            shutil.copyfile(member.path, path)
            continue
        frames = [frame for _, frame in islice(VideoSource(member.path).frames(size=member.size), member.frames)]
        write_full_colour(path, frames, member.crf)
        print(f"{path}: {len(frames)} frames, {path.stat().st_size / len(frames):.0f} bytes each", flush=True)


def members(data: Path) -> Iterator[Member]:
    """Held-out videos first."""
    with (data / "surveillance/split.csv").open() as table:
        rows = list(csv.DictReader(table))
    tests, trains = ([row["path"] for row in rows if row["split"] == split] for split in ("test", "train"))
    tasks = sorted(folder for folder in (data / "metaworld").iterdir() if folder.is_dir())
    sequences = sorted((data / "davis").iterdir())
    for name in tests[::HELD_OUT_EVERY]:
        yield Member(data / "surveillance" / name, f"held-out/surveillance/{Path(name).stem}", crf=10)
    for path in sequences:
        if path.name in HELD_OUT_DAVIS:
            yield Member(path, f"held-out/davis/{path.name}", crf=10)
        else:
            yield Member(path, f"train/davis/{path.name}")
            yield Member(path, f"train/davis/{path.name}-large", LARGE, frames=80, crf=18)
    for i, task in enumerate(tasks):
        episodes = sorted(task.glob("*.mp4"))
        is_held_out = i % HELD_OUT_EVERY == 0
        for path in episodes[::4] if is_held_out else episodes:
            part = "held-out" if is_held_out else "train"
            yield Member(path, f"{part}/metaworld/{task.name}-{path.stem}", size=None)
    for path in sorted((data / "action_clips").rglob("*")):
        if path.suffix in (".avi", ".mp4"):
            yield Member(path, f"train/action/{path.stem}", frames=60)
    for i, name in enumerate(trains):
        path = data / "surveillance" / name
        yield Member(path, f"train/surveillance/{path.stem}")
        if i % 4 == 3:
            yield Member(path, f"train/surveillance/{path.stem}-large", LARGE, frames=24, crf=18)


def write_full_colour(path: Path, frames: list[NDArray[np.uint8]], crf: int) -> None:
    """H.264 4:4:4, BT.601, of frames uint8 [H, W, 3]; times are not kept."""
    with av.open(str(path), "w", format="mp4") as container:
        stream = container.add_stream("libx264", rate=Fraction(25), options={"crf": str(crf), "preset": "slow"})
        stream.height, stream.width = frames[0].shape[:2]
        stream.pix_fmt, stream.thread_count = "yuv444p", 1
        for frame in frames:
            picture = av.VideoFrame.from_ndarray(frame, format="rgb24")
            container.mux(stream.encode(picture.reformat(format="yuv444p", dst_colorspace="ITU601")))
        container.mux(stream.encode(None))


if __name__ == "__main__":
    main()
