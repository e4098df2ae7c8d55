"""Where an archive's time goes: once, and clip by clip."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import torch
from torch import nn

from dnerv.archive import Archive
from dnerv.bitstream import unpack_weights
from dnerv.evaluation.machine import usable_cores
from dnerv.evaluation.timing import StageClock, drop_pages
from dnerv.model import tensor_shapes
from dnerv.studies.loading_speed.measuring import shuffled_batches
from dnerv.studies.loading_speed.networks import ArchiveLoad, decoder_of
from dnerv.studies.loading_speed.sample import Sample

_PASSES = 2  # over the list of clips


@dataclass(frozen=True)
class Breakdown:
    """Milliseconds by stage, of one precision and batch size."""

    precision: str
    batch_size: int
    once: dict[str, float]  # ms
    per_clip: dict[str, float]  # ms


def break_down(path: Path, precision: str, batch_size: int, sample: Sample, device: torch.device) -> Breakdown:
    """Time each stage; waiting for the device between stages costs a little of what overlaps otherwise."""
    drop_pages([path])
    once, clock = StageClock(device), StageClock(device)
    with ExitStack() as stack:
        with once("opening"):
            archive = stack.enter_context(Archive(path, device=device, size="coded"))
        with once("entropy decoding"):
            unpack_weights(archive.container.read("NETW"), tensor_shapes(archive.config.model))
        with once("network with weights"):
            model = archive.model
        # The network's weights are decoded anew on the way: what is left is building it.
        once.seconds["building the network"] = max(
            0.0, once.seconds.pop("network with weights") - once.seconds["entropy decoding"]
        )
        with once("first batch"):
            decode = decoder_of(model, precision, device)
            pool = stack.enter_context(ThreadPoolExecutor(usable_cores()))
            ArchiveLoad(archive, decode, batch_size, pool)(sample.places[:batch_size])
        _time_encoder(stack, model, clock)
        load = ArchiveLoad(archive, decode, batch_size, pool, clock)
        clips, batches = 0, shuffled_batches(sample.places, batch_size, 0)
        while clips < _PASSES * len(sample.places):
            clips += len(load(next(batches)))
    return Breakdown(precision, batch_size, _milliseconds(once, 1), _milliseconds(clock, clips))


def _time_encoder(stack: ExitStack, model: nn.Module, clock: StageClock) -> None:
    """Take the time of the keyframes' encoder out of the network's, where the network runs it as a module."""
    encoder = getattr(model, "encoder", None)
    if not isinstance(encoder, nn.Module):
        return
    running: list[Any] = []

    def begin(*_: object) -> None:
        running.append(clock("encoder"))
        running[-1].__enter__()

    def end(*_: object) -> None:
        running.pop().__exit__(None, None, None)

    hooks = [encoder.register_forward_pre_hook(begin), encoder.register_forward_hook(end)]
    for hook in hooks:
        stack.callback(hook.remove)


def _milliseconds(clock: StageClock, clips: int) -> dict[str, float]:
    seconds = dict(clock.seconds)
    if "encoder" in seconds:
        seconds["network"] -= seconds["encoder"]
    order = ["reading and keyframes", "encoder", "network", "tiles and 8 bits"]
    return {name: 1000 * seconds[name] / clips for name in [*order, *seconds] if name in seconds}
