"""Archives as points of a study: encoded once, measured on what a fresh process decodes from the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir
from typing import Any

import torch

from dnerv import __version__
from dnerv.archive import Archive, VideoReader
from dnerv.codecs import Frame
from dnerv.encoding import EncodeListener, EncodeOptions, encode
from dnerv.evaluation import ArchiveQuality, measure_archive
from dnerv.families import config_to_json, count_parameters
from dnerv.studies.content import Content, frames_of
from dnerv.studies.fresh import in_fresh_process
from dnerv.studies.measures import Measure, mean_scores, take
from dnerv.studies.points import Measured, PointStore, Record
from dnerv.video import CachedVideo


def library() -> str:
    """What trains and decodes, with versions."""
    return f"dnerv {__version__} (torch {torch.__version__})"


@dataclass(frozen=True)
class ArchivePoints:
    """Makes the points of one set of videos."""

    inputs: Sequence[Path]  # files and folders, as `encode` takes them
    content: Content  # their frames
    frames: Path  # the folder that these are cached in
    store: PointStore
    listener: EncodeListener
    device: str = "cpu"
    measures: tuple[Measure, ...] = ()  # on demand

    def point(self, name: str, setting: str, encoding: EncodeOptions, facts: Mapping[str, Any]) -> Record:
        """The point of an archive of all the videos; `name` and `setting` tell the study's points apart."""

        def make(stem: Path) -> Measured:
            path = stem.with_name(stem.name + ".dnerv")
            self.listener.note(f"{name}, {setting}")
            if not path.exists():  # else it was finished, and interrupted in being measured
                encode(self.inputs, path, encoding, device=self.device, frames=self.frames)
            rmtree(path.with_name(path.name + ".work"), ignore_errors=True)
            self.listener.stage("decoding the archive in a fresh process", self.content.num_frames)
            arguments = self.content.videos, self.device, self.measures
            quality, scores, found = in_fresh_process(self.listener.advance, measure, path, *arguments)
            return Measured((path,), quality, scores, {**facts, **found})

        job = {
            "encoding": encoding.to_json(),
            "device": self.device,
            "library": library(),
            "content": self.content.digest,
            "measures": self.measures,
        }
        return self.store.once(name, setting, job, make)


def filled(encoding: EncodeOptions) -> EncodeOptions:
    """The same encoding; of NeRV, with a network of all the bytes. D-NeRV's keyframes fill what its network leaves.

    Left to itself, the dial would take a smaller NeRV where there is little time to train it. All of a NeRV's bytes
    are its network's: it would miss the rate, and comparisons are at equal bytes.
    """
    return replace(encoding, network_share=1.0) if encoding.model == "nerv" else encoding


def measure(
    advance: Callable[[], None], path: Path, videos: Sequence[CachedVideo], device: str, measures: Sequence[Measure]
) -> tuple[ArchiveQuality, dict[str, float], dict[str, Any]]:
    """Decode the archive and compare it with the cached frames: quality, measures on demand, facts of the file."""
    by_name = {video.name: video for video in videos}
    with Archive(path, device=device, size="coded") as archive:
        quality = measure_archive(archive, lambda name: frames_of(by_name[name]))
        scores = _scores(archive, by_name, measures)
        model = archive.config.model
        facts = {
            "model": config_to_json(model) | {"parameters": count_parameters(model)},
            "source": dict(archive.config.source),
            "breakdown": archive.breakdown(),
        }
        return quality, scores, facts


def _scores(archive: Archive, videos: Mapping[str, CachedVideo], measures: Sequence[Measure]) -> dict[str, float]:
    scratch = Path(gettempdir())
    return mean_scores(
        [
            take(measures, partial(frames_of, videos[reader.entry.name]), partial(_decoded, reader), scratch)
            for reader in archive
        ]
    )


def _decoded(reader: VideoReader) -> Iterator[Frame]:
    return (reader[i : i + 1][0].cpu().permute(1, 2, 0).contiguous().numpy() for i in range(len(reader)))
