"""Videos and their base layers, made side by side by processes for as long as somebody trains on them.

A base layer is SVT-AV1's, of every frame or of every second one, at a quality, an effort and a distance between
restarts that are drawn anew each time: no two passes over a video are alike.
"""

from __future__ import annotations

import multiprocessing
import os
import queue
import random
import traceback
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from prior.context import Context, context

from dnerv.codecs import SvtAv1, decode_packets
from dnerv.video import Timeline, VideoSource

WINDOW = (128, 160)  # pixels: larger videos are coded whole and learned from in windows of this size
STEPS = (1, 2)  # every frame is coded, or every second one
MEASURED_CRFS = (35, 45, 55, 63)
MEASURED_PRESET = 4
_CRFS = (30.0, 63.0)
_PRESETS = (4, 4, 6, 8)
_RESTARTS = (1 << 16, 1 << 16, 32, 8)  # coded frames; the first means never
_NICENESS = 10  # the process that feeds the accelerator goes first


@dataclass(frozen=True)
class Job:
    """A base layer to be made."""

    path: Path
    group: str  # of the corpus
    step: int  # frames from one coded frame to the next
    crf: float
    preset: int
    restart: int
    is_held_out: bool = False


@dataclass(frozen=True)
class Pair:
    """A video, or a window of it, and its base layer."""

    job: Job
    window: int
    source: NDArray[np.uint8]  # [N, 3, H, W], RGB
    decoded: NDArray[np.uint8]  # [K, 3, H, W]
    context: Context
    bits_per_pixel: float


def made(job: Job) -> Iterator[Pair]:
    """Code and decode; a pair per window that fits into the video."""
    frames = np.stack([frame for _, frame in VideoSource(job.path).frames()])
    count, height, width, _ = frames.shape
    positions = Timeline(count, 8, job.step).keyframe_positions
    codec = SvtAv1(preset=job.preset, group=job.restart, threads=1)
    packets = [packet.data for packet in codec.keyframes(list(frames[positions]), job.crf)]
    decoded = np.stack(list(decode_packets(packets, height=height, width=width)))
    sizes = np.array([len(packet) for packet in packets])
    seen = context(positions, sizes, job.crf, height * width, count)
    bits = 8 * float(sizes.sum()) / (count * height * width)
    rows, columns = WINDOW
    places = [(y, x) for y in range(0, height - rows + 1, rows) for x in range(0, width - columns + 1, columns)]
    for window, (y, x) in enumerate(places):
        source, base = (
            np.ascontiguousarray(whole[:, y : y + rows, x : x + columns].transpose(0, 3, 1, 2))
            for whole in (frames, decoded)
        )
        yield Pair(job, window, source, base, seen, bits)


def listed(folder: Path) -> dict[str, list[Path]]:
    """Videos of a corpus by group: `folder`/GROUP/NAME.mp4."""
    groups = {group.name: sorted(group.glob("*.mp4")) for group in sorted(folder.iterdir()) if group.is_dir()}
    return {name: paths for name, paths in groups.items() if paths}


def held_out_jobs(videos: Mapping[str, Sequence[Path]]) -> list[Job]:
    """All base layers that are measured on."""
    return [
        Job(path, group, step, crf, MEASURED_PRESET, _RESTARTS[0], is_held_out=True)
        for group, paths in videos.items()
        for path in paths
        for step in STEPS
        for crf in MEASURED_CRFS
    ]


def drawn_jobs(videos: Mapping[str, Sequence[Path]], seed: int) -> Iterator[Job]:
    """Base layers to learn from, without end; large groups have more of them, less than in proportion."""
    draw, groups = random.Random(seed), list(videos)
    shares = [len(videos[group]) ** 0.5 for group in groups]
    while True:
        (group,) = draw.choices(groups, shares)
        crf = SvtAv1.nearest_crf(draw.uniform(*_CRFS))
        yield Job(
            draw.choice(videos[group]), group, draw.choice(STEPS), crf, draw.choice(_PRESETS), draw.choice(_RESTARTS)
        )


class Makers:
    """Processes that make pairs until they are stopped. Start them before the accelerator is first used."""

    def __init__(self, corpus: Path, processes: int) -> None:
        """`corpus`: a folder with `train` and `held-out`."""
        self.held_out = held_out_jobs(listed(corpus / "held-out"))
        forked = multiprocessing.get_context("fork")
        self._queue = forked.Queue(maxsize=4 * processes)
        self._processes = [
            forked.Process(
                target=_make,
                args=(self._queue, self.held_out[i::processes], drawn_jobs(listed(corpus / "train"), i)),
                daemon=True,
            )
            for i in range(processes)
        ]
        for process in self._processes:
            process.start()

    def take(self, *, seconds: float = 0.0) -> list[Pair]:
        """Pairs of one base layer, waiting for it at most so long; none where there is none."""
        try:
            return self._queue.get(timeout=seconds) if seconds else self._queue.get_nowait()
        except queue.Empty:
            return []

    def stop(self) -> None:
        """End the processes."""
        for process in self._processes:
            process.kill()


def _make(results: multiprocessing.Queue[list[Pair]], held_out: Sequence[Job], drawn: Iterator[Job]) -> None:
    os.nice(_NICENESS)
    for job in _alternating(held_out, drawn):
        try:
            results.put(list(made(job)))
        except Exception:  # one video that cannot be coded does not end a training
            print(f"{job}:\n{traceback.format_exc()}", flush=True)


def _alternating(held_out: Sequence[Job], drawn: Iterator[Job]) -> Iterator[Job]:
    for job in held_out:
        yield next(drawn)
        yield job
    yield from drawn
