"""Measured steps on disk: one JSON file each, beside the files that it was measured on.

FOLDER/NAME-KEY.json     what was found, what it depends on, when it was made and by which dnerv
FOLDER/NAME-KEY...       the step's own files, archives and streams

The key is a hash of all that a step depends on. A file is written when the step is done, whole or not at all, so what
is there is whole, and a killed study goes on with the step that it was killed in.
"""

from __future__ import annotations

import json
import re
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, NamedTuple

from dnerv.errors import OutputError
from dnerv.files import write_atomically
from dnerv.studies.record import source_state
from dnerv.video.content import digest_of

_VERSION = 2  # raise it when the same dependencies would give other figures
_LONGEST_NAME = 60  # characters, of a file

Found = dict[str, Any]  # JSON


class Work(NamedTuple):
    """When steps were made, by the clock."""

    started: str  # ISO 8601, UTC
    ended: str
    seconds: float  # at work; of an interrupted step also before the interruption, but for what a kill took away


@dataclass(frozen=True)
class Steps:
    """The folder of steps."""

    folder: Path
    used: dict[Path, tuple[Work, Found]] = field(default_factory=dict)  # of every step asked for: when, by which dnerv

    def once(self, name: str, depends_on: Mapping[str, Any], make: Callable[[Path], Found]) -> Found:
        """What was found in this step, now or before.

        Args:
            name: what people read in file names and progress. depends_on: JSON; everything that decides the result.
            make: given a path without suffix for the files that it keeps. Where it returns `files` (see `listed`), the
            step is made again when one of them is gone or has another length.

        Raises OutputError where the folder cannot be written.
        """
        job = json.loads(json.dumps({"version": _VERSION, "name": name, **depends_on}))
        key = digest_of(job)[:12]
        stem = self.folder / f"{plain_name(name)}-{key}"
        path = stem.with_name(stem.name + ".json")
        kept = self._found(path, job)
        if kept is None:
            make_folder(self.folder)
            found, work = _timed(stem, make)
            kept = {"found": found, "work": work, "source": source_state(), "depends_on": job}
            write_atomically(path, json.dumps(kept, indent=1).encode())
            stem.with_name(stem.name + ".begun").unlink(missing_ok=True)
            kept = json.loads(json.dumps(kept))  # as it will be read the next time: lists for tuples
        self.used[path] = Work(*kept["work"]), kept["source"]
        result: Found = kept["found"]
        return result

    def listed(self, paths: Iterable[Path]) -> list[Found]:
        """Files of a step, as its `files`: paths relative to the folder, and bytes."""
        return [{"path": path.relative_to(self.folder).as_posix(), "bytes": path.stat().st_size} for path in paths]

    @property
    def work(self) -> Work:
        """First start, last end and all seconds of the steps that were asked for."""
        works = [work for work, _ in self.used.values()] or [Work(now(), now(), 0.0)]
        return Work(min(w.started for w in works), max(w.ended for w in works), sum(w.seconds for w in works))

    @property
    def source(self) -> Found:
        """The dnerv that made them, the newest where there are several, and all `commits`."""
        made = sorted(self.used.values(), key=lambda one: one[0].ended)
        commits = dict.fromkeys(source["commit"] for _, source in made)
        newest = made[-1][1] if made else source_state()
        return newest | ({"commits": list(commits)} if len(commits) > 1 else {})

    def _found(self, path: Path, job: Mapping[str, Any]) -> Found | None:
        """A step whose files are still there, as long as they were."""
        try:
            kept: Found = json.loads(path.read_bytes())
            lengths = [((self.folder / f["path"]).stat().st_size, f["bytes"]) for f in kept["found"].get("files", ())]
            whole = kept["depends_on"] == job and Work(*kept["work"]) and kept["source"]
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return kept if whole and all(is_now == was for is_now, was in lengths) else None


def plain_name(name: str) -> str:
    """A name that can stand in a file's."""
    return re.sub(r"[^\w.+-]+", "-", name)[:_LONGEST_NAME].strip("-")


def make_folder(path: Path) -> None:
    """Create a folder and those above it. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be created ({error.strerror})") from error


def now() -> str:
    """The time by the clock, ISO 8601, UTC, whole seconds."""
    return datetime.now(UTC).isoformat(timespec="seconds")


def _timed(stem: Path, make: Callable[[Path], Found]) -> tuple[Found, Work]:
    """Make a step; `STEM.begun` keeps its first start, and the seconds that it took before it was interrupted."""
    begun = stem.with_name(stem.name + ".begun")
    started, before = now(), 0.0
    with suppress(OSError, ValueError):
        started, before = json.loads(begun.read_bytes())
    write_atomically(begun, json.dumps([started, before]).encode())
    start = time.monotonic()
    try:
        found = make(stem)
    except BaseException:
        write_atomically(begun, json.dumps([started, before + time.monotonic() - start]).encode())
        raise
    return found, Work(started, now(), before + time.monotonic() - start)
