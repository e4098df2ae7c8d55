"""The whole study: content, points, rows, record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dnerv.archive import checked_device
from dnerv.encoding import EncodeListener
from dnerv.evaluation.machine import describe_machine
from dnerv.studies.ablation.options import AblationOptions
from dnerv.studies.ablation.picture import draw_bars
from dnerv.studies.ablation.published import SETS, SOURCE
from dnerv.studies.ablation.rows import group_record
from dnerv.studies.ablation.variants import Variant
from dnerv.studies.archive_points import ArchivePoints, library
from dnerv.studies.content import Content, read_content
from dnerv.studies.drawing import check_drawing
from dnerv.studies.points import PointStore, Record, make_folder
from dnerv.studies.prepared import check_free, write_results


def ablation(
    inputs: Sequence[Path], output: Path, options: AblationOptions, listener: EncodeListener | None = None
) -> Record:
    """Encode the videos in every way chosen, and return the record that `results.json` holds.

    Args:
        inputs: files and folders, as `encode` takes them. output: folder of points, `results.json` and `ablation.png`.

    Raises:
        InputError: a video that cannot be read, or a picture that cannot be drawn here.
        OutputError: the folder cannot be written.
    """
    listener = listener or EncodeListener()
    device = checked_device(options.device)
    check_drawing()
    check_free(output, "ablation")
    make_folder(output)
    frames = output / "frames"
    content = read_content(inputs, frames, listener, resolution=options.resolution, fps=options.fps)
    archives = ArchivePoints(inputs, content, frames, PointStore(output / "points"), listener, options.device)
    points = _points(archives, options)
    record: Record = {
        "study": "ablation",
        "machine": asdict(describe_machine(device)),
        "content": content.to_json(),
        "options": options.to_json(),
        "library": library(),
        "measures": _measures(content),
        "groups": [group_record(group, lambda variant: points[variant.name]) for group in options.groups],
        "published": {"source": SOURCE, "sets": dict(SETS)},
        "output": str(output),
    }
    draw_bars(record, output / "ablation.png")
    return write_results(output, record)


def _points(archives: ArchivePoints, options: AblationOptions) -> dict[str, list[Record]]:
    """For each variant its points, seed by seed: all rows are there after the first seed's round."""
    variants: dict[str, Variant] = {v.name: v for group in options.groups for _, v in group.rows}
    points: dict[str, list[Record]] = {name: [] for name in variants}
    for seed in range(options.seeds):
        for place, (name, variant) in enumerate(variants.items(), 1):
            archives.listener.note(f"row {place} of {len(variants)}, seed {seed + 1} of {options.seeds}:")
            points[name].append(archives.point(name, f"seed {seed}", options.encoding(variant, seed), {"seed": seed}))
    return points


def _measures(content: Content) -> dict[str, str]:
    """What the figures are, in words."""
    return {
        "bits_per_pixel": "the whole file",
        "psnr": "RGB, 8 bits, mean over frames, then over videos, dB; then over seeds",
        "psnr_deviation": "sample standard deviation over seeds, dB",
        "ms_ssim": content.ms_ssim_in_words,
    }
