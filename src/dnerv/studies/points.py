"""Points on disk: one JSON file each, and the coded bytes that it was measured on."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from hashlib import blake2b
from pathlib import Path
from typing import Any

from dnerv.errors import OutputError
from dnerv.evaluation import ArchiveQuality
from dnerv.video.store import write_atomically

_VERSION = 1  # raise it when the same job would give another point

Record = dict[str, Any]
Job = Mapping[str, Any]  # JSON: codec, setting, options, versions, content


@dataclass(frozen=True)
class Measured:
    """What a codec made of all videos, and how good it is."""

    files: tuple[Path, ...]
    quality: ArchiveQuality
    scores: Mapping[str, float]  # measures taken on demand
    facts: Mapping[str, Any]  # what else is worth knowing, JSON


class PointStore:
    """The folder of points."""

    def __init__(self, folder: Path) -> None:
        """Create it. Raises OutputError where that cannot be done."""
        self.folder = folder
        make_folder(folder)

    def once(self, codec: str, setting: str, job: Job, make: Callable[[Path], Measured]) -> Record:
        """The point of this job: found, or made.

        Args:
            setting: short text that tells the codec's points apart. make: given a path without suffix for the files
            that it writes.
        """
        job = json.loads(json.dumps({"version": _VERSION, "codec": codec, "setting": setting, **job}))
        key = blake2b(json.dumps(job, sort_keys=True).encode(), digest_size=4).hexdigest()
        stem = self.folder / f"{codec}-{setting.replace(' ', '')}-{key}"
        found = self._find(stem, job)
        if found is not None:
            return found
        measured = make(stem)
        text = json.dumps(_record(codec, setting, measured, self.folder) | {"job": job}, indent=1)
        write_atomically(_json(stem), text.encode())
        made: Record = json.loads(text)  # as it will be found the next time: lists for tuples
        del made["job"]
        return made

    def _find(self, stem: Path, job: Job) -> Record | None:
        """A point whose files are still there, as long as they were."""
        try:
            record: Record = json.loads(_json(stem).read_bytes())
            files = [((self.folder / f["path"]).stat().st_size, f["bytes"]) for f in record["files"]]
            same = record.pop("job") == job
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return record if same and all(now == then for now, then in files) else None


def make_folder(path: Path) -> None:
    """Create a folder and those above it. Raises OutputError."""
    try:
        path.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise OutputError(f"{path}: cannot be created ({error.strerror})") from error


def _json(stem: Path) -> Path:
    return stem.with_name(stem.name + ".json")


def _record(codec: str, setting: str, measured: Measured, folder: Path) -> Record:
    quality = asdict(measured.quality)
    return {
        "codec": codec,
        "setting": setting,
        "bytes": quality["file_bytes"],
        "bits_per_pixel": quality["bits_per_pixel"],
        "psnr": quality["psnr"],
        "psnr_of_mean_mse": quality["psnr_of_mean_mse"],
        "ms_ssim": quality["ms_ssim"],
        **measured.scores,
        "files": _files(measured.files, folder),
        "videos": quality["videos"],
        **measured.facts,
    }


def _files(paths: Sequence[Path], folder: Path) -> list[Record]:
    return [{"path": path.relative_to(folder).as_posix(), "bytes": path.stat().st_size} for path in paths]
