"""Where an encoding keeps what it has done so far: a folder beside the output, taken up again after an interruption."""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

from dnerv.errors import InputError, OutputError
from dnerv.video import Member
from dnerv.video.store import write_atomically

_VERSION = 1  # raise it when an older dnerv's half-done work could not be continued


class Workspace:
    """The folder `OUTPUT.work`. One process at a time; kept when a run stops early, removed when it is done."""

    def __init__(self, output: Path, job: dict[str, Any], *, restart: bool = False) -> None:
        """Create or take up the folder for `job`, which is any JSON record of what is being encoded.

        Raises:
            InputError: the folder holds another job's training and `restart` is off, or another process is using it.
            OutputError: the folder cannot be written.
        """
        self.path = output.with_name(output.name + ".work")
        self.is_resumed = False
        try:
            self.path.mkdir(exist_ok=True)
            self._lock = (self.path / "lock").open("w")
        except OSError as error:
            raise OutputError(f"{self.path}: cannot be written ({error.strerror})") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            self._lock.close()
            raise InputError(f"{self.path} is in use by another encoding; wait for it or name another output") from None
        try:
            if restart:
                self._empty()
            self._claim({"version": _VERSION, **job})
        except OutputError:
            self.close_unfinished()
            raise
        except BaseException:
            self.close()
            raise

    @property
    def frames(self) -> Path:
        """Folder of the cached frames."""
        return self._folder("frames")

    @property
    def keyframes(self) -> Path:
        """Folder of coded and decoded keyframes."""
        return self._folder("keyframes")

    @property
    def checkpoint(self) -> Path:
        """File of the training's checkpoint."""
        return self.path / "checkpoint.pt"

    def once(self, name: str, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The JSON record called `name`, made and kept if it is not there yet."""
        path = self.path / f"{name}.json"
        if not path.exists():
            write_atomically(path, json.dumps(make()).encode())
        record: dict[str, Any] = json.loads(path.read_text())
        return record

    def remove(self) -> None:
        """The work is done: take the folder away."""
        self.close()
        shutil.rmtree(self.path, ignore_errors=True)

    def close(self) -> None:
        """Let another process have the folder."""
        self._lock.close()

    def close_unfinished(self) -> None:
        """Close after a failure: what was done stays for the next run, unless nothing was."""
        kept = any(child.name not in ("lock", "job.json") for child in self.path.rglob("*") if child.is_file())
        self.close() if kept else self.remove()

    def _claim(self, job: dict[str, Any]) -> None:
        path = self.path / "job.json"
        # Through JSON and back: tuples become lists, as they will be read.
        job = json.loads(json.dumps(job))
        known = json.loads(path.read_text()) if path.exists() else None
        if known is not None and known != job and self.checkpoint.exists():
            raise InputError(
                f"{self.path} holds the unfinished training of another command or of other videos; "
                "repeat that command to go on with it, or add --restart to discard it"
            )
        self.is_resumed = known == job
        if known != job:
            # Without training nothing is lost: frames and keyframes are kept by what they depend on.
            (self.path / "design.json").unlink(missing_ok=True)
            write_atomically(path, json.dumps(job, indent=1).encode())

    def _empty(self) -> None:
        for child in self.path.iterdir():
            if child.name != "lock":
                shutil.rmtree(child) if child.is_dir() else child.unlink()

    def _folder(self, name: str) -> Path:
        folder = self.path / name
        try:
            folder.mkdir(exist_ok=True)
        except OSError as error:
            raise OutputError(f"{folder}: cannot be created ({error.strerror})") from error
        return folder


def members_record(members: Sequence[Member]) -> list[list[Any]]:
    """Name, path, size and time of change of every source: other files make another job."""
    record = []
    for member in members:
        try:
            status = member.source_path.stat()
        except OSError as error:
            raise InputError(f"{member.source_path}: cannot be read ({error.strerror})") from error
        record.append([member.name, str(member.source_path.resolve()), status.st_size, status.st_mtime_ns])
    return record
