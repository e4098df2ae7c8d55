"""The records of studies, from the folders and files that they were written to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from dnerv.errors import InputError
from dnerv.report.kinds import KINDS, Kind

RESULTS, JOB = "results.json", "study.json"  # in a study's folder


@dataclass(frozen=True)
class StudyRecord:
    """What one study has found."""

    kind: Kind
    record: Mapping[str, Any]
    path: Path  # of the JSON file
    folder: Path | None  # with the study's archives; None where the file was given alone
    job: Mapping[str, Any]  # what `study.json` says was asked for; empty where there is none
    written: str  # day on which the file was last changed, ISO 8601, UTC


def read_records(paths: Sequence[Path]) -> list[StudyRecord]:
    """The records at `paths`, folders or JSON files, in the order of `KINDS`; one given twice counts once.

    Raises InputError for a path that holds no record, a study that is not known, or two that contradict.
    """
    found: list[StudyRecord] = []
    for one in map(_read, paths):
        twins = [other for other in found if _question(other) == _question(one)]
        if any(other.record != one.record for other in twins):
            raise InputError(
                f"{twins[0].path} and {one.path} are the same study of the same videos with the same options, and "
                "their figures differ: give one of them"
            )
        if not twins:
            found.append(one)
    order = list(KINDS)
    return sorted(found, key=lambda one: order.index(one.record["study"]))


def _read(path: Path) -> StudyRecord:
    file = path / RESULTS if path.is_dir() else path
    record = _json(file)
    if not isinstance(record, dict) or "study" not in record:
        raise InputError(f"{file}: is no study's record: it has no 'study'; give what a dnerv study has written")
    name = record["study"]
    if not isinstance(name, str) or name not in KINDS:
        raise InputError(f"{file}: its study is {name!r}; a report can be made of {', '.join(KINDS)}")
    folder = file.parent if file.name == RESULTS else None
    job = _json(file.parent / JOB) if folder is not None and (file.parent / JOB).exists() else {}
    written = datetime.fromtimestamp(file.stat().st_mtime, UTC).date().isoformat()
    return StudyRecord(KINDS[name], record, file, folder if path.is_dir() else None, job, written)


def _json(file: Path) -> Any:
    try:
        return json.loads(file.read_bytes())
    except FileNotFoundError:
        raise InputError(f"{file}: no such file; give a study's folder, or its record as JSON") from None
    except OSError as error:
        raise InputError(f"{file}: cannot be read ({error.strerror})") from error
    except (ValueError, RecursionError) as error:
        raise InputError(f"{file}: is not whole JSON ({error})") from error


def _question(one: StudyRecord) -> str:
    """What was measured on what: all that two records share when they answer the same question."""
    record = one.record
    asked = {key: record.get(key) for key in ("study", "machine", "content", "options", "boxes", "masks")}
    archive = record.get("archive")
    asked["archive"] = archive.get("path") if isinstance(archive, dict) else None
    videos = record.get("videos")
    asked["videos"] = [v.get("name") if isinstance(v, dict) else v for v in videos] if isinstance(videos, list) else []
    return json.dumps([asked, one.job], sort_keys=True)
