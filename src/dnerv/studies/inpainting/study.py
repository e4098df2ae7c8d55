"""NeRV, one NeRV for all videos and D-NeRV: the same boxes hidden, the same bits per pixel and time asked for."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any

from dnerv.archive import Archive
from dnerv.encoding import EncodeListener, EncodeOptions, encode
from dnerv.encoding.options import DEFAULT_BUDGET_SECONDS
from dnerv.errors import InputError
from dnerv.evaluation import QualityMeter
from dnerv.evaluation.published import PAPER
from dnerv.studies.archive_points import filled
from dnerv.studies.fresh import in_fresh_process
from dnerv.studies.inpainting.inpaint import FRAMES, add_errors, hidden_videos, made_frames
from dnerv.studies.prepared import Frame, claim, write_frames, write_results
from dnerv.video import CachedVideo, RandomBoxes, discover

ORIGINALS = "originals"
WAYS = ("fill", "nerv", "nerv_joint", "dnerv")
PUBLISHED = {
    "psnr": {"nerv": 18.99, "nerv_joint": 19.88, "dnerv": 21.30},
    "set": "10 DAVIS validation videos at 384x768, five random boxes of 50 pixels a frame",
    "source": f"{PAPER}, inpainting table",
}


def inpainting(
    inputs: Sequence[Path],
    folder: Path,
    options: EncodeOptions,
    boxes: RandomBoxes,
    listener: EncodeListener,
    *,
    crop: tuple[int, int] | None = None,
    device: str = "cpu",
) -> dict[str, Any]:
    """Run the study in `folder`, or go on with it, and return the record that `results.json` holds.

    Args:
        options: of D-NeRV; each way is asked for the same bits per pixel in the same time.
        crop: height, width cut out of the middle of every (scaled) frame.

    Raises:
        InputError: boxes or a crop that do not fit, or a folder of another study.
    """
    members = discover(inputs)
    job = {"encode": options.to_json(), "boxes": boxes.to_json(), "crop": crop}
    claim(folder, members, job | {"device": device})
    listener.stage("cutting frames", len(members))
    for member in members:
        cut = None if crop is None else lambda frame: centre(frame, crop)
        write_frames(member, folder / ORIGINALS, options.resolution, slice(0, None, 1), cut)
        listener.advance()
    plain = replace(options, resolution=None)
    prepared = discover([folder / ORIGINALS])
    videos = hidden_videos(prepared, boxes, folder, plain, listener)
    archives = _archives(videos, folder, plain)
    for path, (given, chosen) in archives.items():
        if not path.exists():
            listener.note(f"{path.name}:")
            path.parent.mkdir(parents=True, exist_ok=True)
            encode(given, path, chosen, masks=boxes, device=device, listener=listener)
    listener.stage("comparing inside the boxes, in a fresh process", len(WAYS) * len(videos))
    return write_results(folder, in_fresh_process(listener.advance, measure, videos, folder, boxes, device))


def measure(
    advance: Callable[[], None],
    videos: Sequence[tuple[CachedVideo, CachedVideo]],
    folder: Path,
    boxes: RandomBoxes,
    device: str,
) -> dict[str, Any]:
    """The study's record: what the archives in `folder` give back, against the frames as they were."""
    meters = {way: QualityMeter() for way in WAYS}
    for original, covered in videos:
        for way in WAYS:
            _add(meters[way], way, original, covered, folder, device)
            advance()
    return _record(meters, videos, folder, boxes)


def centre(frame: Frame, size: tuple[int, int]) -> Frame:
    """The middle of a frame. Raises InputError where it is smaller."""
    height, width = size
    if height > frame.shape[0] or width > frame.shape[1]:
        raise InputError(f"--crop {height}x{width} is larger than frames of {frame.shape[0]}x{frame.shape[1]}")
    top, left = (frame.shape[0] - height) // 2, (frame.shape[1] - width) // 2
    return frame[top : top + height, left : left + width]


def archive_of(way: str, name: str, folder: Path) -> Path:
    """The archive that holds a video made in this way."""
    return folder / "nerv" / f"{name}.dnerv" if way == "nerv" else folder / f"{way}.dnerv"


def _archives(
    videos: Sequence[tuple[CachedVideo, CachedVideo]], folder: Path, options: EncodeOptions
) -> dict[Path, tuple[list[Path], EncodeOptions]]:
    """What to encode into which archive. Each video's own NeRV has its share, by pixels, of the others' time."""
    nerv = filled(replace(options, model="nerv", keyframe_every=None))
    budget = DEFAULT_BUDGET_SECONDS if options.budget_seconds is None else options.budget_seconds
    pixels = {v.name: v.timing.num_frames * v.height * v.width for v, _ in videos}
    archives = {archive_of("dnerv", "", folder): ([folder / ORIGINALS], options)}
    archives[archive_of("nerv_joint", "", folder)] = ([folder / ORIGINALS], nerv)
    for name, count in pixels.items():
        share = budget * count / sum(pixels.values())
        own = nerv if options.epochs is not None else replace(nerv, budget_seconds=share)
        archives[archive_of("nerv", name, folder)] = ([folder / ORIGINALS / name], own)
    return archives


def _add(meter: QualityMeter, way: str, original: CachedVideo, covered: CachedVideo, folder: Path, device: str) -> None:
    if way == "fill":
        frames = (covered.store.read([i])[0] for i in range(original.timing.num_frames))
        add_errors(meter, original, covered, frames)
        return
    with Archive(archive_of(way, original.name, folder), device=device, size="coded") as archive:
        name = archive.names[0] if way == "nerv" else original.name
        add_errors(meter, original, covered, made_frames(archive, name))


def _record(
    meters: dict[str, QualityMeter],
    videos: Sequence[tuple[CachedVideo, CachedVideo]],
    folder: Path,
    boxes: RandomBoxes,
) -> dict[str, Any]:
    names = [original.name for original, _ in videos]
    sizes = {way: {archive_of(way, name, folder) for name in names} for way in WAYS if way != "fill"}
    per_video = {way: meter.per_video() for way, meter in meters.items()}
    return {
        "study": "inpainting",
        "boxes": boxes.to_json(),
        "bytes": {way: sum(path.stat().st_size for path in paths) for way, paths in sizes.items()},
        "psnr": {way: meter.psnr for way, meter in meters.items()},
        "videos": [
            {
                "name": original.name,
                "frames": original.timing.num_frames,
                "height": original.height,
                "width": original.width,
                "psnr": {way: values[original.name] for way, values in per_video.items()},
            }
            for original, _ in videos
        ],
        "published": PUBLISHED,
        "frames": str(folder / FRAMES),
    }
