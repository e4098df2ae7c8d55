"""Encode together and apart, decode, compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean
from typing import Any

import numpy as np

from dnerv.archive import checked_device
from dnerv.encoding import EncodeListener
from dnerv.errors import InputError
from dnerv.evaluation.machine import describe_machine
from dnerv.evaluation.published import PAPER
from dnerv.studies.archive_points import ArchivePoints, filled, library
from dnerv.studies.content import read_content
from dnerv.studies.diversity.options import MODELS, Model
from dnerv.studies.joint.options import JointOptions
from dnerv.studies.points import PointStore, Record
from dnerv.studies.prepared import claim, write_results
from dnerv.video import Member, discover

PUBLISHED = {
    "psnr": {"separate": 31.27, "joint": 31.87},
    "set": "NeRV, the seven videos of UVG",
    "source": f"{PAPER}, figure 2",
}


def joint(inputs: Sequence[Path], folder: Path, options: JointOptions, listener: EncodeListener) -> dict[str, Any]:
    """Run the study in `folder`, or go on with it, and return the record that `results.json` holds.

    Raises:
        InputError: fewer videos than are asked for, or a folder of another study.
    """
    device, most = checked_device(options.device), max(options.counts)
    members = discover(inputs)
    if len(members) < most:
        raise InputError(f"--counts asks for {most} videos, and there are {len(members)}")
    claim(folder, members, {"study": "joint"} | options.to_json())
    order = np.random.default_rng(options.seed).permutation(len(members))[:most]
    chosen = [members[i] for i in order]
    run = _Run(folder, options, listener)
    rows = [row for model in MODELS for row in run.rows(model, chosen)]
    record = {
        "study": "joint",
        "machine": asdict(describe_machine(device)),
        "library": library(),
        "options": options.to_json(),
        "videos": [member.name for member in chosen],
        "rows": rows,
        "published": PUBLISHED,
        "output": str(folder),
    }
    return write_results(folder, record)


class _Run:
    def __init__(self, folder: Path, options: JointOptions, listener: EncodeListener) -> None:
        self._folder, self._options, self._listener = folder, options, listener
        self._store = PointStore(folder / "points")

    def rows(self, model: Model, members: Sequence[Member]) -> list[Record]:
        """Joint and separate, at each count. Of one video both are the same archive."""
        apart = [self._point(model, [member]) for member in members]
        counts = sorted(self._options.counts)
        together = {count: apart[0] if count == 1 else self._point(model, members[:count]) for count in counts}
        separate = [_row(model, "separate", count, apart[:count]) for count in counts]
        return [*separate, *(_row(model, "joint", count, [point]) for count, point in together.items())]

    def _point(self, model: Model, members: Sequence[Member]) -> Record:
        paths, frames = [member.source_path for member in members], self._folder / "frames"
        options = self._options
        content = read_content(paths, frames, self._listener, resolution=options.resolution, fps=options.fps)
        archives = ArchivePoints(paths, content, frames, self._store, self._listener, device=options.device)
        setting = f"{len(members)} videos" if len(members) > 1 else f"{members[0].source_path.stem} alone"
        facts = {"pixels": content.num_pixels}
        return archives.point(model, setting, filled(options.encoding(model)), facts)


def _row(model: Model, way: str, count: int, points: Sequence[Record]) -> Record:
    """The bytes of all archives of a way, and the mean over videos of what they give back."""
    size, videos = sum(p["bytes"] for p in points), [video for p in points for video in p["videos"]]
    return {
        "model": model,
        "way": way,
        "videos": count,
        "bytes": size,
        "bits_per_pixel": 8 * size / sum(p["pixels"] for p in points),
        "psnr": fmean(video["psnr"] for video in videos),
        "archives": [file["path"] for p in points for file in p["files"]],
    }
