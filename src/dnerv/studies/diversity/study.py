"""Draw, encode with both networks, decode, compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from dnerv.archive import checked_device
from dnerv.encoding import EncodeListener
from dnerv.evaluation.machine import describe_machine
from dnerv.evaluation.published import PAPER
from dnerv.studies.archive_points import ArchivePoints, filled, library
from dnerv.studies.content import read_content
from dnerv.studies.diversity.draws import Cut, draw_cuts, groups
from dnerv.studies.diversity.options import MODELS, DiversityOptions
from dnerv.studies.points import PointStore, Record
from dnerv.studies.prepared import claim, write_results
from dnerv.video import CachedVideo, Member, cache_video, discover, write_png_folder

PUBLISHED = {
    "sources": [10, 100],
    "psnr": {"nerv": [27.95, 26.66], "dnerv": [29.74, 29.36]},
    "set": "1,000 videos of UCF101 from 10 and from 100 classes",
    "source": PAPER,
}


def diversity(
    inputs: Sequence[Path], folder: Path, options: DiversityOptions, listener: EncodeListener
) -> dict[str, Any]:
    """Run the study in `folder`, or go on with it, and return the record that `results.json` holds.

    Raises:
        InputError: too few sources that are long enough, or a folder of another study.
    """
    device = checked_device(options.device)
    members = discover(inputs)
    claim(folder, members, {"study": "diversity"} | options.to_json())
    run = _Run(members, folder, options, listener)
    counts = sorted(options.sources)
    points = [point for count in counts for draw in range(options.draws) for point in run.points(count, draw)]
    rows = [_row([p for p in points if (p["network"], p["sources"]) == (m, n)]) for m in MODELS for n in counts]
    record = {
        "study": "diversity",
        "machine": asdict(describe_machine(device)),
        "library": library(),
        "options": options.to_json(),
        "videos": len(members),
        "rows": rows,
        "published": PUBLISHED,
        "output": str(folder),
    }
    return write_results(folder, record)


class _Run:
    def __init__(
        self, members: Sequence[Member], folder: Path, options: DiversityOptions, listener: EncodeListener
    ) -> None:
        self._sources = groups(members, options.by)
        self._folder, self._options, self._listener = folder, options, listener
        self._store = PointStore(folder / "points")

    def points(self, count: int, draw: int) -> list[Record]:
        """Both networks on the clips of one draw of `count` sources."""
        clips, options = self._clips(count, draw), self._options
        frames = self._folder / "frames" / clips.name
        content = read_content([clips], frames, self._listener)
        archives = ArchivePoints([clips], content, frames, self._store, self._listener, device=options.device)
        points = []
        for model in MODELS:
            facts = {"network": model, "sources": count, "draw": draw}
            encoding = filled(options.encoding(model, draw))
            points.append(archives.point(model, f"{count} sources draw {draw}", encoding, facts))
        return points

    def _clips(self, count: int, draw: int) -> Path:
        """The folder of one draw's clips, each a folder of PNG images, named by number: their names cost bytes."""
        options, target = self._options, self._folder / "sets" / f"{count}-sources-draw-{draw}"
        self._listener.stage(f"cutting clips of {count} sources, draw {draw + 1}", options.clips)
        each, seed = options.clips // count, options.seed + draw
        cuts = draw_cuts(self._sources, count, each, options.length, seed, self._read)
        target.mkdir(parents=True, exist_ok=True)
        for number, cut in enumerate(cuts):
            if not (target / str(number)).exists():
                _write(cut, target / str(number), options.length)
            self._listener.advance()
        return target

    def _read(self, member: Member) -> CachedVideo:
        options = self._options
        return cache_video(member, self._folder / "sources", size=options.resolution, fps=options.fps)


def _write(cut: Cut, folder: Path, length: int) -> None:
    write_png_folder(folder, (cut.video.store.read([cut.first + i])[0] for i in range(length)))


def _row(points: Sequence[Record]) -> Record:
    """Mean and standard deviation over draws."""
    values = [point["psnr"] for point in points]
    return {
        "model": points[0]["network"],
        "sources": points[0]["sources"],
        "psnr": fmean(values),
        "psnr_deviation": stdev(values) if len(values) > 1 else None,
        "bits_per_pixel": fmean(point["bits_per_pixel"] for point in points),
        "bytes": fmean(point["bytes"] for point in points),
        "seeds": [{"seed": p["draw"], "psnr": p["psnr"], "bytes": p["bytes"], "files": p["files"]} for p in points],
    }
