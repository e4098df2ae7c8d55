"""NeRV at the archive's size: the paper's baseline, which keeps all content in its weights."""

from __future__ import annotations

from dataclasses import replace
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
_WIDEST = 4096

Weights = dict[str, np.ndarray]


def write_nerv(archive: Archive, path: Path) -> ModelConfig:
    """Write an archive of the same videos with a NeRV of random weights, as near as its width allows to the size.

    The time it takes to decode does not depend on what its weights are.
    """
    sizes = archive.container.sizes
    config = _of_size(archive, sizes["NETW"] + sizes["KEYF"] + sizes["PKTS"])  # the rest it needs as well
    videos = [CodedVideo(replace(e, table_bytes=0, keyframe_bytes=0), b"", None) for e in archive.entries]
    write_archive(path, ArchiveConfig(config, archive.config.overlap, None), _random(config), _WEIGHT_BITS, videos)
    return config


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


def _of_size(archive: Archive, target: int) -> ModelConfig:
    """The network closest to `target` bytes: its width doubled until it is larger, then halved in between."""
    low, high = 1, 2
    while high < _WIDEST and _packed_bytes(_config(archive, high)) < target:
        low, high = high, 2 * high
    while high - low > 1:
        middle = (low + high) // 2
        if _packed_bytes(_config(archive, middle)) < target:
            low = middle
        else:
            high = middle
    around = [_config(archive, width) for width in (low, high)]
    return min(around, key=lambda config: abs(_packed_bytes(config) - target))


def _config(archive: Archive, width: int) -> ModelConfig:
    """The paper's NeRV beside the paper's D-NeRV; beside ours, ours."""
    model = archive.config.model
    is_paper = getattr(model, "strides", None) == PAPER_STRIDES
    made: ModelConfig = FAMILIES[FAMILY].sized(width, Sizing(model.canvas, model.clip_length, paper=is_paper))
    return made


def _packed_bytes(config: ModelConfig) -> int:
    return len(pack_weights(_random(config), _WEIGHT_BITS))


def _random(config: ModelConfig) -> Weights:
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        return {name: p.detach().numpy() for name, p in build_model(config).named_parameters()}
