"""Encode every second frame, decode those in between, compare."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import replace
from itertools import pairwise
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from dnerv.archive import Archive
from dnerv.encoding import EncodeListener, EncodeOptions, encode
from dnerv.errors import InputError
from dnerv.evaluation import QualityMeter, mse_per_frame
from dnerv.families import channels_first, config_to_json, count_parameters
from dnerv.studies.fresh import in_fresh_process
from dnerv.studies.prepared import claim, read_frames, write_frames, write_results
from dnerv.video import discover

KEPT, HELD_OUT, ARCHIVE = "kept", "held_out", "kept.dnerv"  # in the study's folder
WAYS = ("network", "blend")  # to fill a gap


def interpolation(
    inputs: Sequence[Path], folder: Path, options: EncodeOptions, listener: EncodeListener, *, device: str = "cpu"
) -> dict[str, Any]:
    """Run the study in `folder`, or go on with it, and return the record that `results.json` holds.

    Args:
        options: of the archive; keyframe distances are in frames kept, and `resolution` scales all frames.

    Raises:
        InputError: a video of fewer than three frames, or a folder of another study.
    """
    if options.fps is not None:
        raise InputError("the study holds out every second frame of the videos as they are: leave fps out")
    members = discover(inputs)
    claim(folder, members, options.to_json() | {"device": device})
    listener.stage("holding out every second frame", len(members))
    gaps_between = 0
    for member in members:
        try:
            write_frames(member, folder / HELD_OUT, options.resolution, slice(1, None, 2), None)
        except InputError as error:
            raise InputError(f"{member.source_path}: at least three frames are needed ({error})") from None
        kept = write_frames(member, folder / KEPT, options.resolution, slice(0, None, 2), None)
        count = len(list(kept.iterdir()))
        if count < 2:
            raise InputError(f"{member.source_path}: at least three frames are needed, there are two")
        gaps_between += count - 1
        listener.advance()
    path = folder / ARCHIVE
    if not path.exists():
        encode([folder / KEPT], path, replace(options, resolution=None), device=device, listener=listener)
    listener.stage("comparing with the frames held out, in a fresh process", gaps_between)
    return write_results(folder, in_fresh_process(listener.advance, measure, path, folder, device))


def gaps(archive: Archive, name: str) -> Iterator[tuple[Tensor, Tensor, Tensor]]:
    """Each gap between two frames of a video: the frame before, the network's in the middle, the frame after.

    All uint8 [3, H, W].
    """
    frames = archive[name].interpolated(2)
    before = next(frames)
    for made in frames:
        after = next(frames)
        yield before, made, after
        before = after


def blend(before: Tensor, after: Tensor) -> Tensor:
    """The mean of two frames, uint8, halves rounded to even."""
    return ((before.float() + after.float()) / 2).round().to(torch.uint8)


def measure(advance: Callable[[], None], path: Path, folder: Path, device: str) -> dict[str, Any]:
    """The study's record: the archive at `path` against the frames in `folder`."""
    with Archive(path, device=device, size="coded") as archive:
        meters = {name: QualityMeter() for name in (*WAYS, "kept")}
        for name in archive.names:
            _measure_video(archive, name, folder, meters, advance)
        return _record(archive, meters)


def _record(archive: Archive, meters: dict[str, QualityMeter]) -> dict[str, Any]:
    model, per_video = archive.config.model, {name: meter.per_video() for name, meter in meters.items()}
    return {
        "study": "interpolation",
        "archive": {
            "path": str(archive.container.path),
            "file_bytes": archive.file_bytes,
            "bits_per_pixel": archive.bits_per_pixel,
            "model": config_to_json(model) | {"parameters": count_parameters(model)},
        },
        "psnr": {name: meter.psnr for name, meter in meters.items()},
        "psnr_of_mean_mse": {name: meter.psnr_of_mean_mse for name, meter in meters.items()},
        "videos": [
            {
                "name": entry.name,
                "height": entry.coded_size[0],
                "width": entry.coded_size[1],
                "kept": entry.timing.num_frames,
                "held_out": entry.timing.num_frames - 1,
                "psnr": {name: values[entry.name] for name, values in per_video.items()},
            }
            for entry in archive.entries
        ],
    }


def _measure_video(
    archive: Archive, name: str, folder: Path, meters: dict[str, QualityMeter], advance: Callable[[], None]
) -> None:
    # A video of an even number of frames ends with one held out that nothing follows: it is passed over.
    originals = zip(pairwise(read_frames(folder / KEPT / name)), read_frames(folder / HELD_OUT / name), strict=False)
    for number, (((first, last), wanted), (before, made, after)) in enumerate(
        zip(originals, gaps(archive, name), strict=True)
    ):
        pairs = {"network": (wanted, made), "blend": (wanted, blend(before, after)), "kept": (last, after)}
        for way, (original, decoded) in pairs.items():
            meters[way].add(name, mse_per_frame(channels_first(original)[None], decoded[None].cpu()))
        if number == 0:
            meters["kept"].add(name, mse_per_frame(channels_first(first)[None], before[None].cpu()))
        advance()
