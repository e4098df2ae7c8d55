"""The record of a study: what was found, and what a stranger needs to find it again.

study              its name
command            as it was given, in a shell or in Python
version, commit    of dnerv; the commit of a source tree, null where there is none; `modified`: with changes
started, ended     by the clock, ISO 8601, UTC: of the first step and of the last, over all interruptions
seconds            at work on the steps
machine            processor, cores, threads, accelerator, versions of Python and torch
seed, options      as they were asked for, defaults too
inputs             as they were given; `files`: each with bytes and SHA-256
output             the folder
note               only where something above was not recorded: what is missing, and why
...                what the study found
"""

from __future__ import annotations

import shlex
import subprocess
import sys
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict
from functools import cache
from hashlib import file_digest, sha256
from pathlib import Path
from typing import TYPE_CHECKING, Any

from dnerv.errors import InputError
from dnerv.version import __version__

if TYPE_CHECKING:
    from dnerv.studies.steps import Work

RESULTS, CHARTS = "results.json", "charts.png"  # in a study's folder
NEEDED = (
    "study",
    "command",
    "version",
    "commit",
    "started",
    "ended",
    "seconds",
    "machine",
    "seed",
    "options",
    "inputs",
)
KNOWN = ("started", "ended", "seconds", "machine", "seed")  # null only with a note
OCCASION = (
    "command",
    "commit",
    "commits",
    "modified",
    "started",
    "ended",
    "seconds",
)  # differ from one run to the next


def command_line() -> str:
    """This process's command line, as it would be typed again."""
    program, *words = sys.argv
    path = Path(program)
    name = "dnerv" if path.name in ("dnerv", "__main__.py") else program
    return shlex.join([name, *words])


@cache
def source_state() -> dict[str, Any]:
    """Version of dnerv and, of a source tree under git, its commit and whether it has changes."""
    tree = Path(__file__).parents[3]
    commit = _git(tree, "rev-parse", "HEAD") if (tree / ".git").exists() else None
    changes = _git(tree, "status", "--porcelain", "--", "src") if commit else None
    return {"version": __version__, "commit": commit, "modified": bool(changes)}


def hashed_files(paths: Iterable[Path], given: Sequence[Path] = ()) -> list[dict[str, Any]]:
    """Path, bytes and SHA-256 of files; a folder counts as one file, the names and bytes of all that is in it.

    Args:
        given: files and folders that `paths` were found in: paths begin as these do.
    """
    return [_hashed(path) | {"path": _as_given(path, given)} for path in paths]


def record_of(
    study: str,
    *,
    command: str,
    work: Work,
    source: Mapping[str, Any],
    machine: Any,
    options: Mapping[str, Any],
    inputs: Sequence[Path],
    files: Iterable[Path],
    output: Path,
    found: Mapping[str, Any],
) -> dict[str, Any]:
    """A whole record. `files`: what `inputs` stand for; `found`: the study's own part."""
    return {
        "study": study,
        "command": command,
        **source,
        **work._asdict(),
        "machine": asdict(machine),
        "seed": options["seed"],
        "options": dict(options),
        "inputs": {"given": [str(path) for path in inputs], "files": hashed_files(files, inputs)},
        "output": str(output),
        **found,
    }


def check_record(record: Any, where: str) -> None:
    """Raise InputError for a record that does not say how it was made; `where`: its file."""
    missing = [name for name in NEEDED if not isinstance(record, Mapping) or name not in record]
    if missing:
        raise InputError(
            f"{where}: does not say how it was made, it lacks {', '.join(missing)}: run the study again with this dnerv"
        )
    if not record["command"]:
        raise InputError(f"{where}: its command is empty: run the study again")
    unknown = [name for name in KNOWN if record[name] is None]
    unknown += [] if record["inputs"]["files"] else ["inputs.files"]
    if unknown and not record.get("note"):
        raise InputError(f"{where}: {', '.join(unknown)}: not there, and no note says why: run the study again")


def findings(record: Mapping[str, Any]) -> dict[str, Any]:
    """What two runs of one study have in common: all but when, where in time and by which words."""
    return {name: value for name, value in record.items() if name not in OCCASION}


def _hashed(path: Path) -> dict[str, Any]:
    try:
        if path.is_dir():
            inside = sorted(one for one in path.rglob("*") if one.is_file())
            total, size = sha256(), 0
            for one in inside:
                total.update(f"{one.relative_to(path).as_posix()}\0".encode() + _digest(one).encode())
                size += one.stat().st_size
            return {"path": str(path), "bytes": size, "sha256": total.hexdigest()}
        return {"path": str(path), "bytes": path.stat().st_size, "sha256": _digest(path)}
    except OSError as error:
        raise InputError(f"{path}: cannot be read ({error.strerror})") from error


def _as_given(path: Path, given: Sequence[Path]) -> str:
    for one in given:
        if path.absolute().is_relative_to(one.absolute()):
            return str(one / path.absolute().relative_to(one.absolute()))
    return str(path)


def _digest(path: Path) -> str:
    with path.open("rb") as file:
        return file_digest(file, "sha256").hexdigest()


def _git(tree: Path, *words: str) -> str | None:
    try:
        done = subprocess.run(["git", "-C", str(tree), *words], capture_output=True, text=True, check=False)
    except OSError:
        return None
    return done.stdout.strip() if done.returncode == 0 else None
