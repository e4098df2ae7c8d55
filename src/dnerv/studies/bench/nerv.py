"""NeRV at the archive's size: the paper's baseline, which keeps all content in its weights."""

from __future__ import annotations

from bisect import bisect_left
from dataclasses import replace
from functools import cache
from pathlib import Path

import numpy as np
import torch

from dnerv.archive import Archive, ArchiveConfig, CodedVideo, write_archive
from dnerv.bitstream import pack_weights
from dnerv.errors import InputError
from dnerv.families import FAMILIES, ModelConfig, Sizing, build_model, family_of
from dnerv.families.sizes import PAPER_STRIDES

FAMILY = "nerv"
_WEIGHT_BITS = 6
_POWERS = [2**i for i in range(1, 13)]


def write_nerv(archive: Archive, path: Path) -> None:
    """Write an archive of the same videos with a NeRV of random weights, as near as its width allows to the size.

    The time it takes to decode does not depend on what its weights are.
    """
    sizes, model = archive.container.sizes, archive.config.model
    target = sizes["NETW"] + sizes["KEYF"] + sizes["PKTS"]  # the rest it needs as well
    # The paper's NeRV beside the paper's D-NeRV; beside ours, ours.
    sizing = Sizing(model.canvas, model.clip_length, paper=getattr(model, "strides", None) == PAPER_STRIDES)

    @cache
    def packed_bytes(width: int) -> int:
        return len(pack_weights(_random(FAMILIES[FAMILY].sized(width, sizing)), _WEIGHT_BITS))

    high = next((width for width in _POWERS if packed_bytes(width) >= target), _POWERS[-1])
    widths = range(max(1, high // 2), high + 1)
    place = bisect_left(widths, target, hi=len(widths) - 1, key=packed_bytes)
    width = min(widths[max(0, place - 1)], widths[place], key=lambda width: abs(packed_bytes(width) - target))
    config = FAMILIES[FAMILY].sized(width, sizing)
    videos = [CodedVideo(replace(e, table_bytes=0, keyframe_bytes=0), b"", None) for e in archive.entries]
    write_archive(path, ArchiveConfig(config, archive.config.overlap, None), _random(config), _WEIGHT_BITS, videos)


def check_nerv(archive: Archive, other: Archive) -> None:
    """Raise InputError unless `other` is a NeRV of the same videos, cut into the same clips."""
    if family_of(other.config.model).name != FAMILY:
        raise InputError(f"{other.container.path} holds no NeRV; --nerv takes an archive made with --model nerv")
    same = (
        other.names == archive.names
        and other.config.model.clip_length == archive.config.model.clip_length
        and all(
            (a.coded_size, a.timing.num_frames) == (b.coded_size, b.timing.num_frames)
            for a, b in zip(archive.entries, other.entries, strict=True)
        )
    )
    if not same:
        raise InputError(
            f"{other.container.path} holds other videos than the archive, or other sizes or clip lengths; "
            "--nerv takes the same videos, encoded with the same --resolution and --clip-length"
        )


def _random(config: ModelConfig) -> dict[str, np.ndarray]:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {name: p.detach().numpy() for name, p in build_model(config).named_parameters()}
