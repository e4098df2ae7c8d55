"""Frames stored one by one, as most data sets for training are: JPEG and PNG (`dnerv.codecs.stills`)."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import Tensor

from dnerv import progress
from dnerv.codecs import STILLS
from dnerv.families import channels_first
from dnerv.studies.bench.candidate import Candidate, ClipPlace, Load
from dnerv.studies.bench.sample import Sample
from dnerv.studies.runner import Run


def stills(run: Run[Any], name: str, sample: Sample, batch_size: int) -> Candidate:
    """Every frame of the sample as a file, written once."""
    still = STILLS[name]

    def write(folder: Path) -> None:
        progress.stage(f"writing {still.title} files", sample.num_frames)
        for video in sample.videos.values():
            for index, frame in enumerate(video.store):
                (folder / f"{video.video}-{index:06d}{still.suffix}").write_bytes(still.encode(frame))
                progress.advance()

    folder = run.folder_once(name, {"sample": sample.digest, "how": still.how, "options": dict(still.options)}, write)
    wanted = sorted({(place.video, index) for place in sample.places for index in sample.frames_of(place)})
    files = tuple(folder / f"{video}-{index:06d}{still.suffix}" for video, index in wanted)
    size = sum(path.stat().st_size for path in folder.iterdir())
    note = f"{still.how}, one file a frame, decoded by {still.decoder()[0]}"
    opened = partial(_opened, name, sample, folder, run.device)
    return Candidate(still.title, "stored frames", batch_size, files, size, note, opened)


@contextmanager
def _opened(name: str, sample: Sample, folder: Path, device: torch.device, threads: int) -> Iterator[Load]:
    _, decode = STILLS[name].decoder()
    with ThreadPoolExecutor(threads) as pool:

        def load(batch: Sequence[ClipPlace]) -> list[Tensor]:
            clips = [sample.frames_of(place) for place in batch]
            wanted = [(place.video, index) for place, clip in zip(batch, clips, strict=True) for index in clip]
            paths = [folder / f"{video}-{index:06d}{STILLS[name].suffix}" for video, index in wanted]
            frames = iter(list(pool.map(lambda path: decode(path.read_bytes()), paths)))
            return [channels_first(np.stack([next(frames) for _ in clip])).to(device) for clip in clips]

        yield load
