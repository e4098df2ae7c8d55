"""Draw, encode with both networks, decode, compare."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path
from statistics import fmean, stdev
from typing import Any

from dnerv.archive import checked_device
from dnerv.compression import EncodeListener
from dnerv.evaluation.machine import describe_machine
from dnerv.studies.archive_points import ArchivePoints, filled, library
from dnerv.studies.content import read_content
from dnerv.studies.diversity.draws import Cut, draw_cuts, groups
from dnerv.studies.diversity.options import MODELS, DiversityOptions
from dnerv.studies.points import PointStore, Record
from dnerv.studies.prepared import claim, write_results
from dnerv.video import cache_video, discover, write_png_folder

PUBLISHED = {
    "sources": [10, 100],
    "psnr": {"nerv": [27.95, 26.66], "dnerv": [29.74, 29.36]},
    "set": "1,000 videos of UCF101 from 10 and from 100 classes",
    "source": "He et al., Towards Scalable Neural Representation for Diverse Videos, CVPR 2023",
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
    points = [
        _point(model, count, draw, _clips(members, folder, options, count, draw, listener), folder, options, listener)
        for count in sorted(options.sources)
        for draw in range(options.draws)
        for model in MODELS
    ]
    record = {
        "study": "diversity",
        "machine": asdict(describe_machine(device)),
        "library": library(),
        "options": options.to_json(),
        "videos": len(members),
        "rows": [
            _row([p for p in points if (p["network"], p["sources"]) == (model, count)])
            for model in MODELS
            for count in sorted(options.sources)
        ],
        "published": PUBLISHED,
        "output": str(folder),
    }
    return write_results(folder, record)


def _clips(
    members: Sequence[Any], folder: Path, options: DiversityOptions, count: int, draw: int, listener: EncodeListener
) -> Path:
    """The folder of one draw's clips, each a folder of PNG images, named by number: their names cost bytes."""
    target = folder / "sets" / f"{count}-sources-draw-{draw}"
    listener.stage(f"cutting clips of {count} sources, draw {draw + 1}", options.clips)
    cuts = draw_cuts(
        groups(members, options.by),
        count,
        options.clips // count,
        options.length,
        options.seed + draw,
        lambda member: cache_video(member, folder / "sources", size=options.resolution, fps=options.fps),
    )
    target.mkdir(parents=True, exist_ok=True)
    for number, cut in enumerate(cuts):
        if not (target / str(number)).exists():
            _write(cut, target / str(number), options.length)
        listener.advance()
    return target


def _write(cut: Cut, folder: Path, length: int) -> None:
    write_png_folder(folder, (cut.video.store.read([cut.first + i])[0] for i in range(length)))


def _point(
    model: Any, count: int, draw: int, clips: Path, folder: Path, options: DiversityOptions, listener: EncodeListener
) -> Record:
    frames = folder / "frames" / clips.name
    content = read_content([clips], frames, listener)
    archives = ArchivePoints([clips], content, frames, PointStore(folder / "points"), listener, device=options.device)
    encoding = filled(options.encoding(model, draw), content.videos)
    facts = {"network": model, "sources": count, "draw": draw}
    return archives.point(model, f"{count} sources draw {draw}", encoding, facts)


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
