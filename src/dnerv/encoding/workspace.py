"""Where an encoding keeps what it has done so far: a folder beside the output, taken up again after an interruption.

Two things are told apart. Another command is refused while the folder holds the training of this one. And each stage
says what it came from, content and options: what came from something else is made anew.
"""

from __future__ import annotations

import fcntl
import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

from dnerv import progress
from dnerv.bitstream import check_target
from dnerv.errors import InputError, OutputError
from dnerv.files import flush_folder, write_atomically
from dnerv.video.content import digest_of

_VERSION = 3  # raise it when an older dnerv's half-done work could not be continued


class Workspace:
    """The folder `OUTPUT.work`. One process at a time; kept when a run stops early, removed when it is done."""

    def __init__(self, output: Path, job: dict[str, Any], *, restart: bool = False) -> None:
        """Create or take up the folder for `job`, a JSON record of the command: options and names of videos.

        Raises:
            InputError: the folder holds another job's training and `restart` is off, or another process is using it.
            OutputError: the folder cannot be written.
        """
        self.path = _path_for(output)
        self.archive = self.path / output.name  # until it is whole and has been measured
        self.other = self.path / f"network-{output.name}"  # the same videos with a network, until one is chosen
        self.is_resumed = False
        self._checkpoint = self.path / "checkpoint.pt"
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
    def coded(self) -> Path:
        """Folder of base layers, and of coded frames decoded for training."""
        return self._folder("coded")

    def checkpoint_of(self, source: Any, name: str = "") -> Path:
        """File for the checkpoint of a training on `source`, any JSON value; the checkpoint of another one goes.

        `name`: of the training, where a job has several.
        """
        path = self.path / f"checkpoint-{name}.pt" if name else self._checkpoint
        record, digest = path.with_suffix(".json"), digest_of(source)
        if _record(record).get("source") != digest:
            if path.exists():
                progress.note("what was trained on has changed since: the network is trained anew")
                path.unlink()
            write_atomically(record, json.dumps({"source": digest}).encode())
        return path

    def once(self, name: str, source: Any, make: Callable[[], dict[str, Any]]) -> dict[str, Any]:
        """The JSON record called `name`, made and kept unless it is there, made from the same `source`."""
        path, digest = self.path / f"{name}.json", digest_of(source)
        if _record(path).get("source") != digest:
            write_atomically(path, json.dumps({"source": digest, "made": make()}).encode())
        made: dict[str, Any] = _record(path)["made"]
        return made

    def publish(self, output: Path, *, force: bool) -> None:
        """Give the archive its name. Raises OutputError where that is taken and `force` is off."""
        check_target(output, force=force)
        try:
            write_atomically(self.path / "published.json", json.dumps(_identity(self.archive)).encode())
            self.archive.replace(output.resolve())
        except OSError as error:
            raise OutputError(f"{output}: cannot be written: {error.strerror}") from error
        flush_folder(output.resolve().parent)

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
        known = _record(path)
        if known and known != job and any(self.path.glob("checkpoint*.pt")):
            raise InputError(
                f"{self.path} holds the unfinished training of another command or of other videos; "
                "repeat that command to go on with it, or add --restart to discard it"
            )
        self.is_resumed = known == job
        if known != job:
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


def has_published(output: Path) -> bool:
    """Whether the file at `output` comes from an encoding that was killed before it could remove its folder."""
    published = _record(_path_for(output) / "published.json")
    try:
        return bool(published) and published == _identity(output)
    except OSError:
        return False


def _path_for(output: Path) -> Path:
    # On the disk of the file itself, so that a rename is all that publishing takes.
    place = output.resolve() if output.is_symlink() else output
    return place.with_name(place.name + ".work")


def _identity(path: Path) -> dict[str, int]:
    status = path.stat()
    return {"inode": status.st_ino, "size": status.st_size, "mtime_ns": status.st_mtime_ns}


def _record(path: Path) -> dict[str, Any]:
    """The JSON object in a file; empty where there is none."""
    try:
        record = json.loads(path.read_bytes())
    except (OSError, ValueError):
        return {}
    return record if isinstance(record, dict) else {}
