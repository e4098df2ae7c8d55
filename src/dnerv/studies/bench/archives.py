"""Clips out of archives, from disk to the device: in any precision, by `dnerv.Loader`, and taken apart into stages."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from functools import partial
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dnerv import progress
from dnerv.archive import Archive
from dnerv.archive.clip_maker import ClipMaker
from dnerv.bitstream import unpack_weights
from dnerv.engine import ChosenPrecision, Decoder, Features
from dnerv.evaluation.timing import StageClock, drop_pages
from dnerv.families import ClipInputs, ClipRequest, tensor_shapes
from dnerv.loading import Loader
from dnerv.process import usable_cores
from dnerv.studies.bench.candidate import Candidate, CandidateKind, ClipPlace, Load, shuffled_batches
from dnerv.studies.bench.sample import Sample, clip_length_of

REFERENCE: ChosenPrecision = "reference"  # float32 through the plain modules, clip by clip
_PASSES = 2  # over the list of clips, for the breakdown

Stage = Callable[[str], AbstractContextManager[None]]


def network(
    path: Path,
    precision: ChosenPrecision,
    batch_size: int,
    device: torch.device,
    size: int,
    *,
    kind: CandidateKind = "archive",
    note: str = "",
) -> Candidate:
    """An archive in one precision. `size`: bytes of the sampled videos in it."""
    if precision == REFERENCE:
        name, note = "reference", "fp32, the plain modules of dnerv.families, clip by clip; a base layer as it is"
    else:
        name = f"{'NeRV' if kind == 'nerv' else 'network'} {precision}"
        note = note or f"{batch_size} clips in one pass, keyframes decoded in threads"
    return Candidate(name, kind, batch_size, (path,), size, note, partial(_opened, path, precision, batch_size, device))


@contextmanager
def _opened(
    path: Path, precision: ChosenPrecision, batch_size: int, device: torch.device, threads: int
) -> Iterator[Load]:
    with (
        Archive(path, device=device, precision=precision, size="coded") as archive,
        ThreadPoolExecutor(threads) as pool,
    ):
        yield partial(_load, archive, _maker(archive), batch_size, pool, lambda name: nullcontext())


def base_layer(path: Path, sample: Sample, batch_size: int, device: torch.device, size: int) -> Candidate:
    """An archive as it is read without its network, if it has one, by name and range as anybody would."""
    note = 'dnerv.open(path, layers="base")[name][a:b]'
    opened = partial(_opened_base, path, sample, device)
    return Candidate("base layer", "archive", batch_size, (path,), size, note, opened)


@contextmanager
def _opened_base(path: Path, sample: Sample, device: torch.device, threads: int) -> Iterator[Load]:
    with (
        Archive(path, layers="base", device=device, size="coded") as archive,
        ThreadPoolExecutor(threads) as pool,
    ):

        def one(place: ClipPlace) -> Tensor:
            frames = sample.frames_of(place)
            return archive[sample.videos[place.video].name][frames.start : frames.stop]

        yield lambda batch: list(pool.map(one, batch))


def _load(
    archive: Archive,
    maker: ClipMaker | None,
    batch_size: int,
    pool: ThreadPoolExecutor,
    stage: Stage,
    batch: Sequence[ClipPlace],
) -> list[Tensor]:
    """uint8 [t, 3, H, W] of every clip: base layers on all cores, the network in passes of `batch_size` tiles."""
    with stage("reading and keyframes"):
        prepared = list(pool.map(partial(_prepared, archive), batch))
    flat = [request for clip in prepared if not isinstance(clip, Tensor) for request in clip]
    if not flat:
        return [clip for clip in prepared if isinstance(clip, Tensor)]
    assert maker is not None
    tiles = torch.cat([maker.batch(flat[i : i + batch_size]) for i in range(0, len(flat), batch_size)])
    with stage("tiles and 8 bits"):
        clips, first = list[Tensor](), 0
        for place, clip in zip(batch, prepared, strict=True):
            if isinstance(clip, Tensor):
                clips.append(clip)
                continue
            layout = archive.network.layout(archive.entries[place.video])
            clips.append(layout.join(place.clip, tiles[first : first + len(clip)]))
            first += len(clip)
        return clips


def _prepared(archive: Archive, place: ClipPlace) -> list[ClipRequest] | Tensor:
    """What the network needs for a clip or, of a video without it, the clip's frames."""
    entry = archive.entries[place.video]
    if archive.uses_network(entry):
        base = archive.base.reader(entry) if archive.network.config.model.uses_keyframes else None
        return archive.network.layout(entry).requests(place.clip, base)
    length = clip_length_of(archive)
    frames = range(place.clip * length, min((place.clip + 1) * length, entry.timing.num_frames))
    return torch.from_numpy(archive.base.reader(entry).frames(frames)).to(archive.device)


def _maker(archive: Archive) -> ClipMaker | None:
    return None if archive.config.network is None else archive.network.maker


def loaders(
    archive: Archive, sample: Sample, precision: ChosenPrecision, batch_size: int, device: torch.device
) -> Iterator[Candidate]:
    """`dnerv.Loader` over the sampled videos; none where a batch cannot be stacked, their sizes being different."""
    if len({archive.entries[video].coded_size for video in sample.videos}) > 1:
        return
    path, names = archive.container.path, [video.name for video in sample.videos.values()]
    size = round(archive.file_bytes * sample.share)
    note = "dnerv.Loader over the same videos, clips in an order of its own, keyframes decoded ahead in threads"
    opened = partial(_opened_loader, path, names, precision, batch_size, device)
    yield Candidate(f"Loader {precision}", "loader", batch_size, (path,), size, note, opened)


@contextmanager
def _opened_loader(
    path: Path, names: Sequence[str], precision: ChosenPrecision, batch_size: int, device: torch.device, threads: int
) -> Iterator[Load]:
    loader = Loader(
        path,
        batch_size=batch_size,
        videos=names,
        shuffle=True,
        device=device,
        precision=precision,
        dtype=torch.uint8,
        threads=threads,
    )
    clips = _endless(loader)
    try:
        yield lambda places: [next(clips) for _ in places]
    finally:
        clips.close()


def _endless(loader: Loader) -> Generator[Tensor]:
    while True:
        for clips, _, _ in loader:
            yield from clips


class _TimedDecoder(Decoder):
    """A decoder whose two parts are stages."""

    def __init__(self, archive: Archive, precision: ChosenPrecision, stage: Stage) -> None:
        super().__init__(archive.network.model, archive.device, precision)
        self._stage = stage

    def encode(self, keyframes: Tensor) -> Features:
        with self._stage("encoder"):
            return super().encode(keyframes)

    def decode(self, inputs: ClipInputs, features: Features | None = None) -> Tensor:
        with self._stage("network"):
            return super().decode(inputs, features)


def break_down(
    path: Path, precisions: Sequence[ChosenPrecision], batch_size: int, sample: Sample, device: torch.device
) -> dict[str, Any]:
    """Milliseconds by stage, once and for each clip, in each precision.

    Waiting for the device between stages costs a little of what overlaps otherwise.
    """
    progress.stage("taking times apart", len(precisions))
    with ThreadPoolExecutor(usable_cores()) as pool:
        return {"breakdown": [_apart(path, precision, batch_size, sample, device, pool) for precision in precisions]}


def _apart(
    path: Path,
    precision: ChosenPrecision,
    batch_size: int,
    sample: Sample,
    device: torch.device,
    pool: ThreadPoolExecutor,
) -> dict[str, Any]:
    drop_pages([path])
    once, clock = StageClock(device), StageClock(device)
    with once("opening"):
        archive = Archive(path, device=device, precision=precision, size="coded")
    with archive:
        if archive.config.network is not None:
            with once("entropy decoding"):
                if "NETW" in archive.container:
                    unpack_weights(archive.container.read("NETW"), tensor_shapes(archive.config.network.model))
            with once("network with weights"):
                archive.network.model  # noqa: B018  # made when it is first asked for
            # The network's weights are decoded anew on the way: what is left is building it.
            rest = once.seconds.pop("network with weights") - once.seconds["entropy decoding"]
            once.seconds["building the network"] = max(0.0, rest)
        with once("first batch"):
            _load(archive, _maker(archive), batch_size, pool, lambda name: nullcontext(), sample.places[:batch_size])
        timed = archive.config.network is not None
        maker = ClipMaker(_TimedDecoder(archive, precision, clock)) if timed else None
        clips, batches = 0, shuffled_batches(sample.places, batch_size, 0)
        while clips < _PASSES * len(sample.places):
            clips += len(_load(archive, maker, batch_size, pool, clock, next(batches)))
    progress.advance()
    return {
        "precision": precision,
        "batch_size": batch_size,
        "once": _milliseconds(once, 1),
        "per_clip": _milliseconds(clock, clips),
    }


def _milliseconds(clock: StageClock, clips: int) -> dict[str, float]:
    seconds = dict(clock.seconds)
    order = ["reading and keyframes", "encoder", "network", "tiles and 8 bits"]
    return {name: 1000 * seconds[name] / clips for name in [*order, *seconds] if name in seconds}
