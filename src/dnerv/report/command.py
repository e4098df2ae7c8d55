"""The command that made a record, as it would be typed again."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from shlex import join
from typing import Any

from dnerv.report.records import StudyRecord

# Options whose name on the command line is another one than in the record.
_FLAGS = {
    "bits_per_pixel": "bpp",
    "budget_seconds": "budget",
    "decoders": "decoder",
    "classifier_frames": "frames",
    "classifier_crop": "crop",
}
_PREFIXED = ("classifier",)  # groups of options whose names would be taken for others of the record
_SIZES = ("resolution", "crop")
_EACH = ("originals", "decoders")  # options that are given once for each value


def command_of(study: StudyRecord) -> str:
    """One line; options that have their default are left out where the defaults are known.

    What was coded is not in every record: VIDEOS stands for it.
    """
    asked, defaults = _asked(study), {"device": "cpu"} | _flat(study.kind.defaults())
    archive = study.record.get("archive")
    path = archive.get("path", "ARCHIVE") if isinstance(archive, Mapping) else "ARCHIVE"
    words = study.kind.command.format(archive=path).split(" ", study.kind.command.count(" "))
    output = study.record.get("output") or (None if study.folder is None else str(study.folder))
    words += [] if output is None else ["-o", str(output)]
    for name, value in asked.items():
        if value is not None and value != defaults.get(name):
            words += _words(name, value)
    return join(["dnerv", *words])


def _asked(study: StudyRecord) -> dict[str, Any]:
    """Options of the record or, where it has none, of the job that its folder is claimed by."""
    if "options" in study.record:
        return _flat(study.record["options"])
    options = study.job.get("options", {})
    return _flat(options) if isinstance(options, Mapping) else {}


def _flat(options: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for name, value in options.items():
        inner = _flat(value) if isinstance(value, Mapping) else {name: value}
        flat |= {f"{name}_{key}": one for key, one in inner.items()} if name in _PREFIXED else inner
    return flat


def _words(name: str, value: Any) -> list[str]:
    if name == "masks":  # path, size and time of each file
        files = [Path(one[0]) for one in value]
        return ["--masks", str(files[0] if len(files) == 1 else files[0].parent)]
    if name == "measures":
        return [f"--{one}" for one in value]
    flag = f"--{_FLAGS.get(name, name).replace('_', '-')}"
    if value is True:
        return [flag]
    if value is False:  # of what is on unless it is taken away
        return [f"--no-{name.rpartition('_')[2]}"]
    if name == "against" and not value:
        return [flag, "none"]
    if name in _SIZES and isinstance(value, list | tuple):
        return [flag, "x".join(map(str, value))]
    if name in _EACH:
        return [word for one in value for word in (flag, str(one))]
    if isinstance(value, list | tuple):
        return [flag, ",".join(f"{one:g}" if isinstance(one, float) else str(one) for one in value)]
    if name == "budget_seconds":
        return [flag, f"{value:g}s"]
    return [flag, f"{value:g}" if isinstance(value, float) else str(value)]
