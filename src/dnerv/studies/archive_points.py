"""Archives as points of a study: encoded once, measured on what a fresh process decodes from the file."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from shutil import rmtree
from tempfile import gettempdir
from typing import Any

import torch

from dnerv import __version__
from dnerv.archive import Archive, VideoReader
from dnerv.compression import EncodeListener, EncodeOptions, encode
from dnerv.evaluation import ArchiveQuality, measure_archive
from dnerv.evaluation.vmaf import vmaf
from dnerv.keyframes.codec import Frame
from dnerv.model import config_to_json, count_parameters
from dnerv.studies.content import Content, frames_of
from dnerv.studies.fresh import in_fresh_process
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
    vmaf: bool = False

    def point(self, name: str, setting: str, encoding: EncodeOptions, facts: Mapping[str, Any]) -> Record:
        """The point of an archive of all the videos; `name` and `setting` tell the study's points apart."""

        def make(stem: Path) -> Measured:
            path = stem.with_name(stem.name + ".dnerv")
            self.listener.note(f"{name}, {setting}")
            if not path.exists():  # else it was finished, and interrupted in being measured
                encode(self.inputs, path, encoding, device=self.device, listener=self.listener, frames=self.frames)
            rmtree(path.with_name(path.name + ".work"), ignore_errors=True)
            self.listener.stage("decoding the archive in a fresh process", self.content.num_frames)
            arguments = self.content.videos, self.device, self.vmaf
            quality, score, found = in_fresh_process(self.listener.advance, measure, path, *arguments)
            return Measured((path,), quality, score, {**facts, **found})

        job = {
            "encoding": encoding.to_json(),
            "device": self.device,
            "library": library(),
            "content": self.content.digest,
            "vmaf": self.vmaf,
        }
        return self.store.once(name, setting, job, make)


def filled(encoding: EncodeOptions) -> EncodeOptions:
    """The same encoding; of NeRV, with a network of all the bytes. D-NeRV's keyframes fill what its network leaves.

    Left to itself, the dial would take a smaller NeRV where there is little time to train it. All of a NeRV's bytes
    are its network's: it would miss the rate, and comparisons are at equal bytes.
    """
    return replace(encoding, network_share=1.0) if encoding.model == "nerv" else encoding


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
