"""`dnerv.Loader` as people use it: batches in an order of its own, keyframes decoded ahead in threads."""

from __future__ import annotations

from collections.abc import Generator, Iterator, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from dnerv.archive import Archive
from dnerv.engine import ChosenPrecision
from dnerv.loading import Loader
from dnerv.studies.loading_speed.candidate import Candidate, ClipPlace, Load
from dnerv.studies.loading_speed.sample import Sample


def loaders(
    archive: Archive, sample: Sample, precision: ChosenPrecision, batch_size: int, device: torch.device
) -> Iterator[Candidate]:
    """The loader over the sampled videos; none where a batch cannot be stacked, their sizes being different."""
    if len({archive.entries[video].coded_size for video in sample.videos}) > 1:
        return
    path, names = archive.container.path, [video.name for video in sample.videos.values()]
    yield Candidate(
        f"Loader {precision}",
        "loader",
        batch_size,
        (path,),
        round(archive.file_bytes * sample.share),
        "dnerv.Loader over the same videos, clips in an order of its own, keyframes decoded ahead in threads",
        partial(_opened, path, names, precision, batch_size, device),
    )


@contextmanager
def _opened(
    path: Path, names: Sequence[str], precision: ChosenPrecision, batch_size: int, device: torch.device
) -> Iterator[Load]:
    loader = Loader(
        path, batch_size=batch_size, videos=names, shuffle=True, device=device, precision=precision, dtype=torch.uint8
    )
    clips = _endless(loader)
    try:
        yield lambda places: _taken(clips, places)
    finally:
        clips.close()


def _endless(loader: Loader) -> Generator[Tensor]:
    while True:
        for clips, _, _ in loader:
            yield from clips


def _taken(clips: Iterator[Tensor], places: Sequence[ClipPlace]) -> list[Tensor]:
    return [next(clips) for _ in places]
