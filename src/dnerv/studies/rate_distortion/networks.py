"""Points of dnerv and NeRV: an archive at each rate, measured on what a fresh process decodes from its file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir
from typing import Any

import torch

from dnerv import __version__
from dnerv.archive import Archive, VideoReader
from dnerv.compression import EncodeListener, EncodeOptions, encode
from dnerv.compression.dial import Corpus, turn_dial
from dnerv.compression.probe import KeyframeProbe
from dnerv.evaluation import ArchiveQuality, measure_archive
from dnerv.evaluation.vmaf import vmaf
from dnerv.keyframes.codec import Frame
from dnerv.model import config_to_json, count_parameters
from dnerv.studies.rate_distortion.content import Content, frames_of
from dnerv.studies.rate_distortion.fresh import in_fresh_process
from dnerv.studies.rate_distortion.options import CompareOptions, Network
from dnerv.studies.rate_distortion.points import Measured, PointStore, Record
from dnerv.video import CachedVideo


def library() -> str:
    """What trains and decodes, with versions."""
    return f"dnerv {__version__} (torch {torch.__version__})"


def curve(
    network: Network,
    inputs: Sequence[Path],
    content: Content,
    frames: Path,
    options: CompareOptions,
    store: PointStore,
    listener: EncodeListener,
) -> list[Record]:
    """An archive at each rate, ascending. `frames` is where the content is cached."""

    def point(rate: float) -> Record:
        encoding = options.encoding(network, rate)
        if network == "nerv":
            encoding = replace(encoding, width=nerv_width(content, encoding))

        def make(stem: Path) -> Measured:
            path = stem.with_name(stem.name + ".dnerv")
            listener.note(f"{network} at {rate:g} bits per pixel")
            if not path.exists():  # else it was finished, and interrupted in being measured
                encode(inputs, path, encoding, device=options.device, listener=listener, frames=frames)
            rmtree(path.with_name(path.name + ".work"), ignore_errors=True)
            listener.stage("decoding the archive in a fresh process", content.num_frames)
            arguments = content.videos, options.device, options.vmaf
            quality, score, facts = in_fresh_process(listener.advance, measure, path, *arguments)
            return Measured((path,), quality, score, {"rate": rate} | facts)

        job = {
            "encoding": encoding.to_json(),
            "device": options.device,
            "library": library(),
            "content": content.digest,
            "vmaf": options.vmaf,
        }
        return store.once(network, f"{rate:g} bpp", job, make)

    return [point(rate) for rate in sorted(options.rates)]


def nerv_width(content: Content, encoding: EncodeOptions) -> int:
    """The widest NeRV that fits the rate's bytes.

    Left to itself, the dial would take a smaller one where there is little time to train it. All of a NeRV's bytes are
    its network's: it would miss the rate, and the comparison is at equal bytes.
    """
    untimed = replace(encoding, budget_seconds=None, epochs=1)
    corpus = Corpus(content.videos, mean=(0.5, 0.5, 0.5), std=(0.25, 0.25, 0.25))  # NeRV has no use for them
    return turn_dial(corpus, untimed, KeyframeProbe(content.videos, "inter")).model.base_channels


def measure(
    advance: Callable[[], None], path: Path, videos: Sequence[CachedVideo], device: str, with_vmaf: bool
) -> tuple[ArchiveQuality, float | None, dict[str, Any]]:
    """Decode the archive and compare it with the cached frames: quality, mean VMAF over videos, facts of the file."""
    by_name = {video.name: video for video in videos}
    with Archive(path, device=device, size="coded") as archive:
        quality = measure_archive(archive, lambda name: frames_of(by_name[name]), advance=advance)
        score = _mean_vmaf(archive, by_name) if with_vmaf else None
        model = archive.config.model
        facts = {
            "model": config_to_json(model) | {"parameters": count_parameters(model)},
            "source": dict(archive.config.source),
            "breakdown": archive.breakdown(),
        }
        return quality, score, facts


def _mean_vmaf(archive: Archive, videos: Mapping[str, CachedVideo]) -> float:
    scratch = Path(gettempdir())
    scores = [vmaf(frames_of(videos[r.entry.name]), _decoded(r), scratch) for r in archive]
    return sum(scores) / len(scores)


def _decoded(reader: VideoReader) -> Iterator[Frame]:
    return (reader[i : i + 1][0].cpu().permute(1, 2, 0).contiguous().numpy() for i in range(len(reader)))
