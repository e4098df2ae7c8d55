"""Where an archive's time goes: once, and clip by clip."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import torch

from dnerv.archive import Archive
from dnerv.bitstream import unpack_weights
from dnerv.engine import ChosenPrecision
from dnerv.evaluation.machine import usable_cores
from dnerv.evaluation.timing import StageClock, drop_pages
from dnerv.families import tensor_shapes
from dnerv.studies.loading_speed.measuring import shuffled_batches
from dnerv.studies.loading_speed.networks import ArchiveLoad
from dnerv.studies.loading_speed.sample import Sample

_PASSES = 2  # over the list of clips


@dataclass(frozen=True)
class Breakdown:
    """Milliseconds by stage, of one precision and batch size."""

    precision: ChosenPrecision
    batch_size: int
    once: dict[str, float]  # ms
    per_clip: dict[str, float]  # ms


def break_down(
    path: Path, precision: ChosenPrecision, batch_size: int, sample: Sample, device: torch.device
) -> Breakdown:
    """Time each stage; waiting for the device between stages costs a little of what overlaps otherwise."""
    drop_pages([path])
    once, clock = StageClock(device), StageClock(device)
    with ExitStack() as stack:
        with once("opening"):
            archive = stack.enter_context(Archive(path, device=device, precision=precision, size="coded"))
        with once("entropy decoding"):
            unpack_weights(archive.container.read("NETW"), tensor_shapes(archive.config.model))
        with once("network with weights"):
            archive.model  # noqa: B018  # made when it is first asked for
        # The network's weights are decoded anew on the way: what is left is building it.
        once.seconds["building the network"] = max(
            0.0, once.seconds.pop("network with weights") - once.seconds["entropy decoding"]
        )
        with once("first batch"):
            decoder = archive.decoder
            pool = stack.enter_context(ThreadPoolExecutor(usable_cores()))
            ArchiveLoad(archive, decoder, batch_size, pool)(sample.places[:batch_size])
        load = ArchiveLoad(archive, decoder, batch_size, pool, clock)
        clips, batches = 0, shuffled_batches(sample.places, batch_size, 0)
        while clips < _PASSES * len(sample.places):
            clips += len(load(next(batches)))
    return Breakdown(precision, batch_size, _milliseconds(once, 1), _milliseconds(clock, clips))


def _milliseconds(clock: StageClock, clips: int) -> dict[str, float]:
    seconds = dict(clock.seconds)
    order = ["reading and keyframes", "encoder", "network", "tiles and 8 bits"]
    return {name: 1000 * seconds[name] / clips for name in [*order, *seconds] if name in seconds}
