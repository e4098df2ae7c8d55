"""Training speed of one process with all cores against N processes with a share of them, in one run.

    python benchmarks/data_parallel.py VIDEO [--processes 2] [--widths 4 16] [--seconds 20] [--rounds 3] [--json]

Both train the same network on the same batches from the same cached frames; they take turns, so that a busy machine
slows both. Figures are frames trained on per second, loading included, the median of the rounds.
"""

from __future__ import annotations

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator
from fractions import Fraction
from itertools import islice
from pathlib import Path

import torch

from dnerv.families import DNeRVConfig, build_model, compact_dnerv, count_parameters
from dnerv.training import ClipSet, Trainer, TrainingConfig, TrainingVideo, join_processes
from dnerv.video import CachedVideo, FrameStore, FrameStoreWriter, Timeline, Timing, VideoSource

SIZE, FRAMES, EVERY = (128, 160), 96, 4
ROUND = "--round"  # first argument of the processes that this script starts of itself


def main() -> None:
    """Parse, measure, print."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("video", type=Path, help="any real video of four seconds or more")
    parser.add_argument("--processes", type=int, default=2, help="processes on the other side")
    parser.add_argument("--widths", type=int, nargs="+", default=[4, 16], help="networks")
    parser.add_argument("--seconds", type=float, default=20, help="of training, each time")
    parser.add_argument("--rounds", type=int, default=3, help="times that both sides are measured")
    parser.add_argument("--json", action="store_true", help="print one JSON document")
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        cache_frames(options.video, Path(folder))
        rows = list(_rows(options, folder))
    if options.json:
        print(json.dumps(rows, indent=1))
        return
    print(f"{'width':>6} {'parameters':>11} {'one process':>12} {options.processes:>2} processes   ratio")
    for row in rows:
        print("{width:>6} {parameters:>11,} {one:>12.0f} {several:>12.0f} {ratio:>7.2f}".format(**row))


def _rows(options: argparse.Namespace, folder: str) -> Iterator[dict[str, float]]:
    for width in options.widths:
        one, several = [], []
        for _ in range(options.rounds):
            one.append(_measure(1, folder, width, options))
            several.append(_measure(options.processes, folder, width, options))
        yield {
            "width": width,
            "parameters": count_parameters(network(width)),
            "one": statistics.median(one),
            "several": statistics.median(several),
            "ratio": statistics.median(several) / statistics.median(one),
        }


def _measure(processes: int, folder: str, width: int, options: argparse.Namespace) -> float:
    """Frames a second of a training in so many processes, each with its share of the cores."""
    threads = max(1, len(os.sched_getaffinity(0)) // processes)
    command = [sys.executable]
    if processes > 1:
        command += ["-m", "torch.distributed.run", "--standalone", "--nproc-per-node", str(processes)]
    command += [__file__, ROUND, folder, str(width), str(options.processes), str(options.seconds)]
    around = os.environ | {"OMP_NUM_THREADS": str(threads)}
    ended = subprocess.run(command, env=around, check=True, stdout=subprocess.PIPE, text=True)
    return float(ended.stdout.split()[-1])


def network(width: int) -> DNeRVConfig:
    """The network of that width for the clips of this benchmark."""
    return compact_dnerv(width, SIZE, clip_length=8, keyframe_every=EVERY)


def cache_frames(video: Path, folder: Path) -> None:
    """Frames of the video, raw, on disk, and every fourth of them as a keyframe."""
    frames = [frame for _, frame in islice(VideoSource(video).frames(size=SIZE), FRAMES)]
    if len(frames) < FRAMES:
        raise SystemExit(f"{video} has {len(frames)} frames; {FRAMES} are needed")
    for name, chosen in (("frames", range(FRAMES)), ("keys", Timeline(FRAMES, 8, EVERY).keyframe_positions)):
        with FrameStoreWriter(folder / name) as writer:
            for i in chosen:
                writer.append(frames[i])


def round_of(folder: Path, width: int, batch: int, seconds: float) -> None:
    """In a process of its own, or in each of several: train, and print frames per second."""
    timeline = Timeline(FRAMES, 8, EVERY)
    store = FrameStore(folder / "frames", *SIZE, FRAMES)
    keyframes = FrameStore(folder / "keys", *SIZE, timeline.num_keyframes)
    video = CachedVideo("v", None, *SIZE, *SIZE, Timing.constant(Fraction(25), FRAMES), (), "v", store)
    clips = ClipSet([TrainingVideo(video, timeline, keyframes, 0)], SIZE, 16, absolute_time=False)
    config = TrainingConfig(budget_seconds=seconds, batch_clips=batch, precision="fp32", checkpoint_seconds=1e9)
    with join_processes("cpu") as group:
        torch.manual_seed(0)
        trainer = Trainer(build_model(network(width)), clips, config, folder / "none.pt", torch.device("cpu"), group)
        for _ in range(3):
            trainer._train_step()  # the first steps choose kernels
        started, first = time.perf_counter(), trainer.step
        trainer.run()
        if group.rank == 0:
            print((trainer.step - first) * batch * 8 / (time.perf_counter() - started))
            (folder / "none.pt").unlink()


if __name__ == "__main__":
    if sys.argv[1:2] == [ROUND]:
        round_of(Path(sys.argv[2]), int(sys.argv[3]), int(sys.argv[4]), float(sys.argv[5]))
    else:
        main()
