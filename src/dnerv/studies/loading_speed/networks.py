"""Clips out of archives, from disk to the device, in any precision; and the reference: the plain modules."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import torch
from torch import Tensor

from dnerv.archive import Archive
from dnerv.engine import ChosenPrecision, ClipDecoder
from dnerv.evaluation.machine import usable_cores
from dnerv.families import ClipRequest, assemble
from dnerv.studies.loading_speed.candidate import Candidate, ClipPlace, Kind, Load

REFERENCE: ChosenPrecision = "reference"  # float32 through the plain modules, clip by clip

Stage = Callable[[str], AbstractContextManager[None]]


def network(
    path: Path,
    precision: ChosenPrecision,
    batch_size: int,
    device: torch.device,
    size: int,
    *,
    kind: Kind = "archive",
    note: str = "",
) -> Candidate:
    """An archive in one precision. `size`: bytes of the sampled videos in it."""
    if precision == REFERENCE:
        name, note = "reference", "fp32, the plain modules of dnerv.families, clip by clip"
    else:
        name = f"{'NeRV' if kind == 'nerv' else 'dnerv'} {precision}".replace("dnerv openvino-", "OpenVINO ")
        note = note or f"{batch_size} clips in one pass, keyframes decoded in {usable_cores()} threads"
    return Candidate(name, kind, batch_size, (path,), size, note, partial(opened, path, precision, batch_size, device))


@contextmanager
def opened(path: Path, precision: ChosenPrecision, batch_size: int, device: torch.device) -> Iterator[Load]:
    """Open the archive, unpack its network, and load."""
    with (
        Archive(path, device=device, precision=precision, size="coded") as archive,
        ThreadPoolExecutor(usable_cores()) as pool,
    ):
        yield ArchiveLoad(archive, archive.decoder, batch_size, pool)


class ArchiveLoad:
    """Loads clips of an archive: keyframes on all cores, the network in passes of `batch_size` tiles."""

    def __init__(
        self,
        archive: Archive,
        decoder: ClipDecoder,
        batch_size: int,
        pool: ThreadPoolExecutor,
        stage: Stage = lambda name: nullcontext(),
    ) -> None:
        """`stage` is entered with the name of each stage, for a breakdown."""
        self._archive, self._decoder, self._batch_size = archive, decoder, batch_size
        self._pool, self._stage = pool, stage

    def __call__(self, batch: Sequence[ClipPlace]) -> list[Tensor]:
        """uint8 [t, 3, H, W] of every clip, on the device."""
        with self._stage("reading and keyframes"):
            requests = list(self._pool.map(self._requests, batch))
        tiles = self._run([request for of_clip in requests for request in of_clip])
        with self._stage("tiles and 8 bits"):
            clips, first = [], 0
            for place, of_clip in zip(batch, requests, strict=True):
                layout = self._archive.layout(place.video)
                clips.append(layout.join(place.clip, tiles[first : first + len(of_clip)]))
                first += len(of_clip)
            return clips

    def _requests(self, place: ClipPlace) -> list[ClipRequest]:
        """One for each tile."""
        reader = self._archive.keyframe_reader(place.video)
        return self._archive.layout(place.video).requests(place.clip, reader)

    def _run(self, requests: Sequence[ClipRequest]) -> Tensor:
        step = self._batch_size
        return torch.cat([self._pass(requests[i : i + step]) for i in range(0, len(requests), step)])

    def _pass(self, requests: Sequence[ClipRequest]) -> Tensor:
        features = None
        if self._decoder.shares_features:
            with self._stage("encoder"):
                features = self._decoder.encode(torch.cat([request.keyframes for request in requests]))
        with self._stage("network"):
            return self._decoder.decode(assemble(requests, with_keyframes=features is None), features)
