"""Clips out of archives, from disk to the device, in any precision; and the reference: the plain modules.

`decoder_of` is the one place that knows how a precision is run.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path

import torch
from torch import Tensor, nn

from dnerv.archive import Archive
from dnerv.archive.clip_maker import ClipMaker
from dnerv.evaluation.machine import usable_cores
from dnerv.model import ClipRequest, NeRVConfig, absolute_time, assemble, channels_first
from dnerv.studies.loading_speed.candidate import Candidate, ClipPlace, Kind, Load
from dnerv.studies.loading_speed.options import PRECISIONS
from dnerv.video import TileGrid

REFERENCE = "reference"  # a precision of its own: float32 through the plain modules, clip by clip

Decoder = Callable[[Sequence[ClipRequest]], Tensor]  # float [B, T, 3, H, W] in [0, 1], on the device
Stage = Callable[[str], AbstractContextManager[None]]


def network(
    path: Path,
    precision: str,
    batch_size: int,
    device: torch.device,
    size: int,
    *,
    kind: Kind = "archive",
    note: str = "",
) -> Candidate:
    """An archive in one precision: one of PRECISIONS, or REFERENCE. `size`: bytes of the sampled videos in it."""
    if precision == REFERENCE:
        note, name = "fp32, the plain modules of dnerv.model, clip by clip", REFERENCE
    else:
        note = note or f"{batch_size} clips in one pass, keyframes decoded in {usable_cores()} threads"
        name = f"{'NeRV' if kind == 'nerv' else 'dnerv'} {precision}"
    return Candidate(name, kind, batch_size, (path,), size, note, partial(opened, path, precision, batch_size, device))


def decoder_of(model: nn.Module, precision: str, device: torch.device) -> Decoder:
    """How a precision runs an archive's network."""
    if precision == REFERENCE:
        return partial(_plain, model.to(device).eval().requires_grad_(False), device)
    return ClipMaker(model, device, PRECISIONS[precision]).batch


def _plain(model: nn.Module, device: torch.device, requests: Sequence[ClipRequest]) -> Tensor:
    with torch.inference_mode():
        return torch.cat([model(assemble([request]).to(device)) for request in requests])


@contextmanager
def opened(path: Path, precision: str, batch_size: int, device: torch.device) -> Iterator[Load]:
    """Open the archive, unpack its network, and load."""
    with Archive(path, device=device, size="coded") as archive, ThreadPoolExecutor(usable_cores()) as pool:
        yield ArchiveLoad(archive, decoder_of(archive.model, precision, device), batch_size, pool)


class ArchiveLoad:
    """Loads clips of an archive: keyframes on all cores, the network in passes of `batch_size` tiles."""

    def __init__(
        self,
        archive: Archive,
        decode: Decoder,
        batch_size: int,
        pool: ThreadPoolExecutor,
        stage: Stage = lambda name: nullcontext(),
    ) -> None:
        """`stage` is entered with the name of each stage, for a breakdown."""
        self._archive, self._decode, self._batch_size = archive, decode, batch_size
        self._pool, self._stage = pool, stage

    def __call__(self, batch: Sequence[ClipPlace]) -> list[Tensor]:
        """uint8 [t, 3, H, W] of every clip, on the device."""
        with self._stage("reading and keyframes"):
            requests = list(self._pool.map(self._requests, batch))
        with self._stage("network"):
            tiles = self._run([request for of_clip in requests for request in of_clip])
        with self._stage("tiles and 8 bits"):
            clips, first = [], 0
            for place, of_clip in zip(batch, requests, strict=True):
                clips.append(self._joined(place, tiles[first : first + len(of_clip)]))
                first += len(of_clip)
            return clips

    def _requests(self, place: ClipPlace) -> list[ClipRequest]:
        """One for each tile."""
        archive, grid = self._archive, self._grid(place.video)
        timeline = archive.timeline(place.video)
        conditioning = timeline.clip_conditioning(place.clip)
        if isinstance(archive.config.model, NeRVConfig):
            frames = timeline.padded_clip(place.clip)[0] + archive.first_frame(place.video)
            conditioning = conditioning._replace(time=absolute_time(frames, archive.num_frames))
        first, last = int(conditioning.start.min()), int(conditioning.end.max())
        reader = archive.keyframe_reader(place.video)
        if reader is None:
            empty = torch.empty(0, 3, grid.tile_height, grid.tile_width, dtype=torch.uint8)
            return [ClipRequest(conditioning, first, empty)] * grid.num_tiles
        rgb = channels_first(reader.read(first, last))
        return [ClipRequest(conditioning, first, grid.cut_one(rgb, tile)) for tile in range(grid.num_tiles)]

    def _run(self, requests: Sequence[ClipRequest]) -> Tensor:
        step = self._batch_size
        return torch.cat([self._decode(requests[i : i + step]) for i in range(0, len(requests), step)])

    def _joined(self, place: ClipPlace, tiles: Tensor) -> Tensor:
        count = len(self._archive.timeline(place.video).clip(place.clip))
        frames = self._grid(place.video).join(tiles[:, :count])
        return (frames * 255).round().clamp(0, 255).to(torch.uint8)

    def _grid(self, video: int) -> TileGrid:
        config = self._archive.config
        return TileGrid(*self._archive.entries[video].coded_size, *config.model.canvas, config.overlap)
