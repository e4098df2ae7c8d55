"""The whole measurement: sample, candidates, rounds, quality, breakdown, record."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import ExitStack
from dataclasses import asdict
from functools import partial
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any, Protocol

import torch

from dnerv.archive import Archive
from dnerv.engine import ChosenPrecision, chosen_precision, computes_in_bf16
from dnerv.evaluation.decoder_quality import DecoderQuality, compare_decoders
from dnerv.evaluation.machine import describe_machine
from dnerv.evaluation.timing import interleaved
from dnerv.families import config_to_json, count_parameters
from dnerv.studies.loading_speed.archives import REFERENCE, break_down
from dnerv.studies.loading_speed.candidate import Candidate, ClipPlace, Round, measure_round
from dnerv.studies.loading_speed.command import check_commands
from dnerv.studies.loading_speed.contenders import contenders
from dnerv.studies.loading_speed.options import BenchOptions
from dnerv.studies.loading_speed.rows import row
from dnerv.studies.loading_speed.sample import Sample, draw_sample


class BenchListener(Protocol):
    """Told how far a measurement is."""

    def stage(self, title: str, total: int | None = None) -> None:
        """A step of `total` parts begins."""

    def advance(self) -> None:
        """One part is done."""


def bench(path: Path, options: BenchOptions, listener: BenchListener) -> dict[str, Any]:
    """Measure how fast the archive at `path` and its opponents load, and return the record that `--json` prints.

    Raises:
        InputError: an original, a NeRV archive or a decoder's command that cannot be used.
        ArchiveError: the archive is damaged.
    """
    check_commands(options.decoders, bool(options.originals))
    with (
        TemporaryDirectory(prefix="dnerv-bench-") as scratch,
        Archive(path, device=options.device, size="coded") as archive,
    ):
        device, folder = archive.device, Path(scratch)
        precisions = default_precisions(archive)
        if options.precisions is not None:
            precisions = tuple(chosen_precision(name, device) for name in options.precisions)
        sample = draw_sample(
            archive,
            options.originals,
            folder,
            clips=options.clips,
            seed=options.seed,
            stage=listener.stage,
            advance=listener.advance,
        )
        arguments = archive, sample, options, precisions, folder, listener.stage, listener.advance
        candidates = list(contenders(*arguments))
        rounds = _measure(candidates, sample, options, device, listener)
        quality = _quality(candidates, sample, bool(options.originals), listener)
        parts = _breakdowns(archive, sample, precisions, max(options.batch_sizes), listener)
        return _record(archive, options, sample, candidates, rounds, quality, parts)


def default_precisions(archive: Archive) -> tuple[ChosenPrecision, ...]:
    """float32, and what the device computes in faster."""
    precisions: list[ChosenPrecision] = ["fp32"]
    if computes_in_bf16(archive.device):
        precisions.append("bf16")
    if archive.device.type == "cuda":
        precisions.append("fp16")
    return tuple(precisions)


def _measure(
    candidates: Sequence[Candidate],
    sample: Sample,
    options: BenchOptions,
    device: torch.device,
    listener: BenchListener,
) -> list[list[Round]]:
    """Rounds of each candidate, after one that does not count: libraries set themselves up in it."""

    def subject(candidate: Candidate, seconds: float, number: int) -> Round:
        return measure_round(candidate, sample.places, seconds, options.seed + number, device)

    listener.stage("warming up", len(candidates))
    interleaved([partial(subject, c, 0.0) for c in candidates], 1, options.seed, listener.advance)
    listener.stage("measuring", len(candidates) * options.repeats)
    share = options.seconds / options.repeats
    subjects = [partial(subject, c, share) for c in candidates]
    return interleaved(subjects, options.repeats, options.seed, listener.advance)


def _quality(
    candidates: Sequence[Candidate], sample: Sample, has_originals: bool, listener: BenchListener
) -> list[DecoderQuality]:
    """Of every way to load but a NeRV, whose weights may be random, and the loader, whose order is its own."""
    compared = [candidate for candidate in candidates if candidate.kind not in ("nerv", "loader")]
    once = {candidate.name: candidate for candidate in reversed(compared)}
    places = sorted(set(sample.places))
    listener.stage("comparing frames", len(places))
    with ExitStack() as stack:
        loads = {name: stack.enter_context(candidate.open()) for name, candidate in reversed(once.items())}

        def load_one(name: str, place: ClipPlace) -> torch.Tensor:
            return loads[name]([place])[0]

        return compare_decoders(
            {name: partial(load_one, name) for name in loads},
            REFERENCE,
            [(place.video, place) for place in places],
            sample.clip if has_originals else None,
            listener.advance,
        )


def _breakdowns(
    archive: Archive, sample: Sample, precisions: Sequence[ChosenPrecision], batch_size: int, listener: BenchListener
) -> list[dict[str, Any]]:
    listener.stage("taking times apart", len(precisions))
    parts = []
    for precision in precisions:
        parts.append(break_down(archive.container.path, precision, batch_size, sample, archive.device))
        listener.advance()
    return parts


def _record(
    archive: Archive,
    options: BenchOptions,
    sample: Sample,
    candidates: Sequence[Candidate],
    rounds: Sequence[Sequence[Round]],
    quality: Sequence[DecoderQuality],
    parts: Sequence[Mapping[str, Any]],
) -> dict[str, Any]:
    reference = rounds[[candidate.kind for candidate in candidates].index("reference")]
    return {
        "study": "bench",
        "machine": asdict(describe_machine(archive.device)),
        "archive": _facts(archive),
        "content": {
            "from": "originals" if options.originals else "archive",
            "videos": [video.name for video in sample.videos.values()],
            "frames": sample.num_frames,
            "clips": len(sample.places),
            "clip_length": sample.clip_length,
            "share_of_pixels": sample.share,
        },
        "options": _plain(asdict(options)),
        "rows": [row(c, r, reference) for c, r in zip(candidates, rounds, strict=True)],
        "quality": [asdict(one) for one in quality],
        "automatic_precision": chosen_precision("auto", archive.device),
        "breakdown": list(parts),
    }


def _facts(archive: Archive) -> dict[str, Any]:
    model = archive.config.model
    return {
        "path": str(archive.container.path),
        "file_bytes": archive.file_bytes,
        "bits_per_pixel": archive.bits_per_pixel,
        "videos": len(archive),
        "frames": archive.num_frames,
        "canvas": list(model.canvas),
        "model": config_to_json(model) | {"parameters": count_parameters(model)},
    }


def _plain(options: Mapping[str, Any]) -> dict[str, Any]:
    """JSON values: paths as text, tuples as lists."""
    plain: dict[str, Any] = {}
    for name, value in options.items():
        values = [str(v) if isinstance(v, Path) else v for v in value] if isinstance(value, tuple) else value
        plain[name] = str(value) if isinstance(value, Path) else values
    return plain
