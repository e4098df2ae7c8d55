"""The whole comparison: content, points, deltas, record."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from pathlib import Path
from typing import Any, get_args

from dnerv.archive import checked_device
from dnerv.encoding import EncodeListener
from dnerv.errors import InputError
from dnerv.evaluation.machine import describe_machine
from dnerv.evaluation.published import published_results
from dnerv.studies.archive_points import ArchivePoints, library
from dnerv.studies.content import Content, read_content
from dnerv.studies.drawing import check_drawing
from dnerv.studies.measures import MODELS, Measure, check_measures
from dnerv.studies.points import PointStore, Record, make_folder
from dnerv.studies.prepared import check_free, write_results
from dnerv.studies.rate_distortion import conventional, networks
from dnerv.studies.rate_distortion.deltas import deltas
from dnerv.studies.rate_distortion.options import NETWORKS, CompareOptions
from dnerv.studies.rate_distortion.picture import draw_curves


def compare(
    inputs: Sequence[Path], output: Path, options: CompareOptions, listener: EncodeListener | None = None
) -> Record:
    """Code the videos with every codec at every rate, and return the record that `results.json` holds.

    Args:
        inputs: files and folders, as `encode` takes them. output: folder of points, `results.json` and `curves.png`.

    Raises:
        InputError: a video that cannot be read, or an anchor, VMAF or picture that is not to be had here.
        OutputError: the folder cannot be written.
    """
    listener = listener or EncodeListener()
    device = checked_device(options.device)
    check_drawing()
    left_out = _left_out(options, listener)
    check_measures(options.measures)
    check_free(output, "compare")
    make_folder(output)
    frames, store = output / "frames", PointStore(output / "points")
    content = read_content(inputs, frames, listener, resolution=options.resolution, fps=options.fps)
    archives = ArchivePoints(inputs, content, frames, store, listener, options.device, options.measures)
    codecs: dict[str, Record] = {}
    for codec in options.codecs:
        if codec in left_out:
            continue
        if codec in NETWORKS:
            points = networks.curve(codec, archives, options)
            codecs[codec] = {"library": library(), "points": points}
        else:
            points = conventional.curve(codec, content, options, store, listener)
            codecs[codec] = {"library": conventional.library(codec), "points": points}
    record: Record = {
        "study": "compare",
        "machine": asdict(describe_machine(device)),
        "content": content.to_json(),
        "options": options.to_json(),
        "measures": _measures(content, options),
        "codecs": codecs,
        "left_out": left_out,
        "deltas": deltas({codec: found["points"] for codec, found in codecs.items()}, options.anchor),
        "published": None if options.published is None else _published(options.published),
        "output": str(output),
    }
    draw_curves(record, output / "curves.png")
    return write_results(output, record)


def _published(name: str) -> Record:
    record: Record = json.loads(json.dumps(asdict(published_results(name))))
    return record


def _left_out(options: CompareOptions, listener: EncodeListener) -> dict[str, str]:
    """Codecs that were asked for and are not to be had here, with the reason."""
    reasons = {codec: conventional.missing(codec) for codec in options.codecs if codec not in NETWORKS}
    left_out = {codec: reason for codec, reason in reasons.items() if reason is not None}
    if options.anchor in left_out:
        raise InputError(f"--anchor {options.anchor} is not to be had here: {left_out[options.anchor]}")
    for codec, reason in left_out.items():
        listener.warning(f"{codec} is left out: {reason}")
    return left_out


def _measures(content: Content, options: CompareOptions) -> Mapping[str, Any]:
    """What the figures are, in words."""
    return {
        "bits_per_pixel": "archives: the whole file; others: the elementary streams of all videos, without container",
        "psnr": "RGB, 8 bits, mean over frames, then over videos, dB",
        "psnr_of_mean_mse": "of the squared error averaged over frames, then over videos, dB",
        "ms_ssim": content.ms_ssim_in_words,
        **{name: _on_demand(name, options) for name in get_args(Measure)},
    }


def _on_demand(measure: Measure, options: CompareOptions) -> str:
    asked = measure in options.measures
    return f"{MODELS[measure]}, mean over frames, then over videos" if asked else f"not asked for (--{measure})"
