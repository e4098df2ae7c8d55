"""The records of studies, from the folders and files that they were written to."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from dnerv.errors import InputError
from dnerv.studies import STUDIES
from dnerv.studies.record import RESULTS, check_record, findings
from dnerv.studies.study import Study


@dataclass(frozen=True)
class StudyRecord:
    """What one study has found."""

    study: Study[Any, Any, Any]
    record: Mapping[str, Any]
    path: Path  # of the JSON file
    folder: Path | None  # with the study's archives and pictures; None where the file was given alone

    @property
    def title(self) -> str:
        """The study's, and what tells two of its records apart."""
        name = self.path.stem if self.folder is None else self.folder.resolve().name
        return self.study.title if name == self.study.name else f"{self.study.title}, {name}"


def read_records(paths: Sequence[Path]) -> list[StudyRecord]:
    """The records at `paths`, folders or JSON files, in the order of `STUDIES`; one given twice counts once.

    Raises InputError for a path that holds no record, one that does not say how it was made, a study that is not known,
    or two that contradict.
    """
    found: list[StudyRecord] = []
    for one in map(_read, paths):
        twins = [other for other in found if _question(other) == _question(one)]
        if any(findings(other.record) != findings(one.record) for other in twins):
            raise InputError(
                f"{twins[0].path} and {one.path} are the same study of the same inputs with the same options, and "
                "their figures differ: give one of them"
            )
        if not twins:
            found.append(one)
    order = list(STUDIES)
    return sorted(found, key=lambda one: order.index(one.study.name))


def _read(path: Path) -> StudyRecord:
    file = path / RESULTS if path.is_dir() else path
    record = _json(file)
    if not isinstance(record, dict) or "study" not in record:
        raise InputError(f"{file}: is no study's record: it has no 'study'; give what a dnerv study has written")
    name = record["study"]
    if not isinstance(name, str) or name not in STUDIES:
        raise InputError(f"{file}: its study is {name!r}; a report can be made of {', '.join(STUDIES)}")
    check_record(record, str(file))
    return StudyRecord(STUDIES[name], record, file, path if path.is_dir() else None)


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
    """What was asked of what: all that two records share when they answer the same question."""
    return json.dumps([one.record[name] for name in ("study", "machine", "options", "inputs")], sort_keys=True)
