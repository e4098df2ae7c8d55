"""The whole study: archives and H.264 at equal bytes, classifiers, record."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict
from pathlib import Path

from dnerv.archive import checked_device
from dnerv.encoding import EncodeListener
from dnerv.errors import InputError
from dnerv.evaluation.machine import describe_machine
from dnerv.studies.archive_points import ArchivePoints, filled
from dnerv.studies.content import Content, read_content
from dnerv.studies.drawing import check_drawing
from dnerv.studies.h264_points import h264_point
from dnerv.studies.points import PointStore, Record, make_folder
from dnerv.studies.prepared import check_free, write_results
from dnerv.studies.recognition.conditions import Condition, Projector
from dnerv.studies.recognition.footage import video_lengths
from dnerv.studies.recognition.options import RecognitionOptions
from dnerv.studies.recognition.picture import draw
from dnerv.studies.recognition.published import PUBLISHED
from dnerv.studies.recognition.split import Split, drawn_split, read_split
from dnerv.studies.recognition.statistics import summary
from dnerv.studies.recognition.training import Task
from dnerv.studies.recognition.trials import Trials
from dnerv.video import Member, discover, labelled

PROTOCOLS = ("trained_raw_tested_compressed", "trained_compressed_tested_raw")
_RAW = Condition("raw")
_FACTS = ("bytes", "bits_per_pixel", "psnr", "psnr_of_mean_mse", "setting")


def recognition(
    inputs: Sequence[Path], output: Path, options: RecognitionOptions, listener: EncodeListener | None = None
) -> Record:
    """Run the study in `output`, or go on with it, and return the record that `results.json` holds.

    Args:
        inputs: files and folders, as `encode` takes them. output: folder of points (archives and streams),
            classifiers, `results.json` and `recognition.png`.

    Raises:
        InputError: a video, labels or a split that do not fit, or frames of different sizes or smaller than the crop.
        OutputError: the folder cannot be written.
    """
    listener = listener or EncodeListener()
    device = checked_device(options.device)
    check_drawing()
    split = _split(discover(inputs), options)
    for line in split.warnings():
        listener.warning(line)
    check_free(output, "recognition")
    for folder in (output, output / "classifiers", output / "decoded"):
        make_folder(folder)
    content = read_content(inputs, output / "frames", listener, resolution=options.resolution, fps=options.fps)
    _check_sizes(content, options.classifier.crop)
    conditions = _coded(inputs, content, output, options, listener)
    projector = Projector(content, output / "decoded", listener, options.device, options.precision, options.live)
    task = Task(split, video_lengths(content), options.classifier, device)
    trials = Trials(task, projector, output / "classifiers", listener)
    raw = summary([trials.accuracy(_RAW, _RAW, seed) for seed in options.classifier_seeds], len(split.test))
    rows = [_row(trials, condition, options, len(split.test)) for condition in conditions]
    record: Record = {
        "study": "recognition",
        "machine": asdict(describe_machine(device)),
        "content": _facts(content),
        "classes": split.classes,
        "split": split.to_json(),
        "options": options.to_json(),
        "raw": raw,
        "rows": rows,
        "published": PUBLISHED,
        "output": str(output),
    }
    draw(record, output / "recognition.png")
    return write_results(output, record)


def _split(members: Sequence[Member], options: RecognitionOptions) -> Split:
    if options.labels is not None:
        members = labelled(members, options.labels)
    return drawn_split(members, options.seed) if options.split is None else read_split(options.split, members)


def _check_sizes(content: Content, crop: int) -> None:
    sizes = {(video.height, video.width): video.name for video in content.videos}
    if len(sizes) > 1:
        listed = ", ".join(f"{height}x{width} ({name})" for (height, width), name in list(sizes.items())[:3])
        raise InputError(f"videos have {len(sizes)} sizes, {listed}: bring them to one with --resolution")
    ((height, width),) = sizes
    if crop > min(height, width):
        raise InputError(
            f"--crop is {crop}, and frames have {height}x{width} pixels; give {min(height, width)} at most"
        )


def _coded(
    inputs: Sequence[Path], content: Content, output: Path, options: RecognitionOptions, listener: EncodeListener
) -> list[Condition]:
    """All videos, of both parts, by each codec at each rate; H.264 at the bytes of D-NeRV."""
    store = PointStore(output / "points")
    archives = ArchivePoints(inputs, content, output / "frames", store, listener, options.device)
    conditions: dict[str, list[Condition]] = {"h264": [], "nerv": [], "dnerv": []}
    for rate in sorted(options.rates):
        facts, points = {"rate": rate}, dict[str, Record]()
        for network in ("dnerv", "nerv"):
            encoding = filled(options.encoding(network, rate))
            points[network] = archives.point(network, f"{rate:g} bpp", encoding, facts)
        points["h264"] = facts | h264_point(rate, points["dnerv"]["bytes"], options.preset, content, store, listener)
        for codec, point in points.items():
            files = tuple(store.folder / file["path"] for file in point["files"])
            conditions[codec].append(Condition(codec, point, files))
    return [condition for found in conditions.values() for condition in found]


def _row(trials: Trials, condition: Condition, options: RecognitionOptions, tests: int) -> Record:
    """Both protocols; then the decoded frames can go."""
    assert condition.point is not None
    row: Record = {"codec": condition.codec, "rate": condition.point["rate"]}
    row |= {name: condition.point[name] for name in _FACTS}
    for protocol, pair in zip(PROTOCOLS, ((_RAW, condition), (condition, _RAW)), strict=True):
        row[protocol] = summary([trials.accuracy(*pair, seed) for seed in options.classifier_seeds], tests)
    trials.projector.close()
    return row


def _facts(content: Content) -> Record:
    first = content.videos[0]
    size = {"height": first.height, "width": first.width}
    return {"videos": len(content.videos), "frames": content.num_frames, "pixels": content.num_pixels, **size} | {
        "digest": content.digest
    }
