"""NeRV at the archive's size: the paper's baseline, which keeps all content in its weights."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from dnerv.archive import Archive
from dnerv.archive.config import NetworkConfig
from dnerv.archive.writing import NetworkLayer, new_archive
from dnerv.bitstream import pack_weights
from dnerv.errors import InputError
from dnerv.families import FAMILIES, ModelConfig, Sizing, build_model, family_of
from dnerv.families.sizes import CANVAS_MULTIPLE, PAPER_STRIDES
from dnerv.studies.bench.sample import clip_length_of
from dnerv.video import choose_canvas

FAMILY = "nerv"
_WEIGHT_BITS = 6
_POWERS = [2**i for i in range(1, 13)]


def write_nerv(archive: Archive, path: Path) -> None:
    """Write an archive of the same videos with a NeRV of random weights, as near as its width allows to the size.

    The time it takes to decode does not depend on what its weights are.
    """
    parts = archive.breakdown()  # of which it needs the index, configuration and header as well
    target = sum(
        size for name, size in parts.items() if name in ("base layers", "references") or name.startswith("network ")
    )
    sizing, overlap = _sizing(archive)

    @cache
    def packed_bytes(width: int) -> int:
        return len(pack_weights(_random(FAMILIES[FAMILY].sized(width, sizing)), _WEIGHT_BITS))

    high = next((width for width in _POWERS if packed_bytes(width) >= target), _POWERS[-1])
    widths = range(max(1, high // 2), high + 1)
    place = bisect_left(widths, target, hi=len(widths) - 1, key=packed_bytes)
    width = min(widths[max(0, place - 1)], widths[place], key=lambda width: abs(packed_bytes(width) - target))
    config = FAMILIES[FAMILY].sized(width, sizing)
    weights = pack_weights(_random(config), _WEIGHT_BITS)
    layer = NetworkLayer(NetworkConfig(config, overlap, archive.num_frames), weights)
    with new_archive(path, network=layer) as writer:
        first = 0
        for entry in archive.entries:
            alone = replace(entry, distance=0, group_length=0, packet_lengths=(), checksums=(), network_frame=first)
            writer.add_video(alone, None, (), b"")
            first += entry.timing.num_frames
        writer.finish({})


def _sizing(archive: Archive) -> tuple[Sizing, int]:
    """Canvas and clips of the archive's network, or of one that would suit its frames; the overlap of tiles."""
    if archive.config.network is None:
        canvas = choose_canvas([entry.coded_size for entry in archive.entries], (CANVAS_MULTIPLE, CANVAS_MULTIPLE))
        return Sizing(canvas, clip_length_of(archive)), 0
    model = archive.config.network.model
    # The paper's NeRV beside the paper's D-NeRV; beside ours, ours.
    is_paper = getattr(model, "strides", None) == PAPER_STRIDES
    return Sizing(model.canvas, model.clip_length, paper=is_paper), archive.config.network.overlap


def check_nerv(archive: Archive, other: Archive) -> None:
    """Raise InputError unless `other` is a NeRV of the same videos, cut into the same clips."""
    if other.config.network is None or family_of(other.config.network.model).name != FAMILY:
        raise InputError(f"{other.container.name} holds no NeRV; --nerv takes an archive made with --model nerv")
    same = (
        other.names == archive.names
        and clip_length_of(other) == clip_length_of(archive)
        and all(
            (a.coded_size, a.timing.num_frames) == (b.coded_size, b.timing.num_frames)
            for a, b in zip(archive.entries, other.entries, strict=True)
        )
    )
    if not same:
        raise InputError(
            f"{other.container.name} holds other videos than the archive, or other sizes or clip lengths; "
            "--nerv takes the same videos, encoded with the same --resolution and --clip-length"
        )


def _random(config: ModelConfig) -> dict[str, np.ndarray]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {name: p.detach().numpy() for name, p in build_model(config).named_parameters()}
