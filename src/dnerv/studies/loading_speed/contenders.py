"""Who takes part: the list of candidates, made one after the other."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path

import torch

from dnerv.archive import Archive
from dnerv.engine import ChosenPrecision, chosen_precision
from dnerv.families import family_of
from dnerv.studies.loading_speed.archives import REFERENCE, loaders, network
from dnerv.studies.loading_speed.candidate import Candidate
from dnerv.studies.loading_speed.command import command
from dnerv.studies.loading_speed.h264 import h264
from dnerv.studies.loading_speed.nerv import check_nerv, write_nerv
from dnerv.studies.loading_speed.options import BenchOptions
from dnerv.studies.loading_speed.sample import Sample
from dnerv.studies.loading_speed.stored_frames import Format, stored_frames

_CODINGS = 6  # of x264, at most, in its search for a size


def contenders(
    archive: Archive,
    sample: Sample,
    options: BenchOptions,
    precisions: tuple[ChosenPrecision, ...],
    folder: Path,
    stage: Callable[[str, int], None],
    advance: Callable[[], None],
) -> Iterator[Candidate]:
    """The reference first; what needs files writes them below `folder`. Opponents load the largest batches."""
    path, device, most = archive.container.path, torch.device(options.device), max(options.batch_sizes)
    share = round(archive.file_bytes * sample.share)
    yield network(path, REFERENCE, 1, device, share, kind="reference")
    for precision in precisions:
        for batch_size in options.batch_sizes:
            yield network(path, precision, batch_size, device, share)
    yield from loaders(archive, sample, chosen_precision("auto", device), most, device)
    if "nerv" in options.against and family_of(archive.config.model).name != "nerv":
        stage("making a NeRV of the same bytes", 1)
        yield from _nervs(archive, sample, options, precisions, folder)
        advance()
    for restart in (None, sample.clip_length) if "h264" in options.against else ():
        stage(f"coding H.264{'' if restart is None else ', a keyframe for each clip'}", _CODINGS)
        size = archive.file_bytes
        yield h264(sample, folder, file_bytes=size, restart=restart, batch_size=most, device=device, advance=advance)
    stills: tuple[Format, ...] = ("jpeg", "png")
    for name in stills:
        if name in options.against:
            stage(f"writing {name.upper()} files", sample.num_frames)
            yield stored_frames(name, sample, folder, most, device, advance)
    for text in options.decoders:
        yield command(text, path, sample, folder, most, device)


def _nervs(
    archive: Archive, sample: Sample, options: BenchOptions, precisions: tuple[ChosenPrecision, ...], folder: Path
) -> Iterator[Candidate]:
    path = options.nerv or folder / "nerv.dnerv"
    if options.nerv is None:
        write_nerv(archive, path)
    with Archive(path, size="coded") as other:
        check_nerv(archive, other)
        share, width = round(other.file_bytes * sample.share), other.config.model.base_channels
        weights = "random weights" if options.nerv is None else str(options.nerv)
        note = f"width {width}, {weights}, {other.file_bytes:,} bytes; {max(options.batch_sizes)} clips in one pass"
    device = torch.device(options.device)
    for precision in precisions:
        yield network(path, precision, max(options.batch_sizes), device, share, kind="nerv", note=note)
