"""Where a LeRobot folder of version 2 or 3 has what: features, episodes, rows of tables, videos.

Version 2 has an mp4 for each camera and episode. Version 3 puts episodes one after the other into larger files; its
table of episodes says into which file, and at which time an episode begins there. What a folder says is checked before
it is believed.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError

if TYPE_CHECKING:
    import pyarrow

_PLACE_COLUMNS = ("chunk_index", "file_index", "from_timestamp")
ARCHIVE = "videos.dnerv"  # in a folder whose videos are in an archive
STORAGE_FORMAT = "dnerv"  # in meta/info.json, where LeRobot is to find its reader
ORIGINAL_INFO = "meta/info.original.json"  # what meta/info.json was before it named the format
TOLERANCE = 1e-4  # seconds: LeRobot's own, between a frame's time and its row's
_VIDEO_PATHS = {  # where a folder does not say
    2: "videos/chunk-{episode_chunk:03d}/{video_key}/episode_{episode_index:06d}.mp4",
    3: "videos/{video_key}/chunk-{chunk_index:03d}/file-{file_index:03d}.mp4",
}


@dataclass(frozen=True)
class VideoPlace:
    """Where the frames of an episode are."""

    path: PurePosixPath  # below the folder
    begin_seconds: float  # of the file, at which the episode's time is 0


@dataclass(frozen=True)
class Episode:
    """One episode, as the metadata tell."""

    number: int
    tasks: tuple[str, ...]
    videos: Mapping[str, VideoPlace]  # by camera


def video_name(camera: str, episode: int) -> str:
    """What an archive calls the video of a camera in an episode."""
    return f"{camera}/episode_{episode:06d}"


def copy_files(source: Path, target: Path, *, besides: Collection[Path]) -> None:
    """Every file, to the byte, but those of `besides`: without links. Raises OSError."""
    for file in sorted(source.rglob("*")):
        if file.is_file() and file.resolve() not in besides:
            place = target / file.relative_to(source)
            place.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, place)


class LeRobotFolder:
    """A data set's folder, read as far as it is asked. Raises InputError for what is not as it should be."""

    def __init__(self, path: Path) -> None:
        """Raises InputError where it is no data set of version 2 or 3."""
        self.path = path
        info = self._json("meta/info.json")
        if not isinstance(info, dict) or not isinstance(info.get("features"), dict):
            raise InputError(f"{path}: meta/info.json tells no features: it is no LeRobot data set")
        self.info: dict[str, Any] = info
        text = str(info.get("codebase_version"))
        self.version = {"v2": 2, "v3": 3}.get(text.partition(".")[0], 0)
        if not self.version:
            raise InputError(f"{path}: a data set of version {text}; versions 2.0, 2.1 and 3.0 are known")
        fps = info.get("fps")
        if not isinstance(fps, int | float) or not 0 < fps < 1e6:
            raise InputError(f"{path}: meta/info.json has {fps!r} frames per second")
        self.fps = float(fps)

    @property
    def features(self) -> dict[str, dict[str, Any]]:
        """What each frame has, by name: `dtype`, `shape`, and what else the folder tells."""
        return {key: value for key, value in self.info["features"].items() if isinstance(value, dict)}

    @property
    def cameras(self) -> list[str]:
        """Features that are videos, depth maps left out: these are no pictures to look at."""
        return [key for key, value in self.features.items() if value.get("dtype") == "video" and not _is_depth(value)]

    @property
    def depth_cameras(self) -> list[str]:
        """Features that are videos of depth maps."""
        return [key for key, value in self.features.items() if value.get("dtype") == "video" and _is_depth(value)]

    @property
    def cameras_with_sound(self) -> list[str]:
        """Cameras whose files are said to have sound."""
        return [key for key in self.cameras if (self.features[key].get("info") or {}).get("has_audio")]

    @cached_property
    def episodes(self) -> list[Episode]:
        """All episodes by their numbers, 0 and up without a gap."""
        try:
            found = self._episodes_2() if self.version == 2 else self._episodes_3()
        except (KeyError, TypeError, ValueError, AttributeError, IndexError) as error:
            raise InputError(f"{self.path}: the episodes in meta/ cannot be understood ({error!r})") from error
        found.sort(key=lambda episode: episode.number)
        if not found or [episode.number for episode in found] != list(range(len(found))):
            raise InputError(f"{self.path}: meta/ tells of no episodes from 0 up without a gap")
        return found

    @cached_property
    def tasks(self) -> dict[int, str]:
        """Tasks in words, by their numbers."""
        try:
            if self.version == 2:
                return {int(row["task_index"]): str(row["task"]) for row in self._lines("meta/tasks.jsonl")}
            table = self._parquet(self.path / "meta" / "tasks.parquet")
            names = next(name for name in table.column_names if name != "task_index")
            return dict(zip(table["task_index"].to_pylist(), map(str, table[names].to_pylist()), strict=True))
        except (KeyError, TypeError, ValueError, StopIteration) as error:
            raise InputError(f"{self.path}: the tasks in meta/ cannot be understood ({error!r})") from error

    @cached_property
    def table(self) -> pyarrow.Table:
        """Rows of all episodes in the order of their `index`, one for each frame."""
        pyarrow = _pyarrow()
        files = sorted((self.path / "data").glob("*/*.parquet"))
        if not files:
            raise InputError(f"{self.path}: data/ holds no table")
        try:
            table = pyarrow.concat_tables(map(self._parquet, files), promote_options="permissive")
            missing = {"index", "episode_index", "frame_index", "timestamp", "task_index"} - set(table.column_names)
            if missing:
                raise InputError(f"{self.path}: the tables in data/ have no column {', '.join(sorted(missing))}")
            return table if _is_sorted(table["index"].to_numpy()) else table.sort_by("index")
        except pyarrow.ArrowException as error:
            raise InputError(f"{self.path}: the tables in data/ do not fit each other ({_line(error)})") from error

    @cached_property
    def rows(self) -> list[range]:
        """Rows of `table` of each episode."""
        numbers = self.table["episode_index"].to_numpy()
        starts = np.flatnonzero(np.diff(numbers, prepend=-1)).tolist()
        if numbers[starts].tolist() != list(range(len(self.episodes))):
            raise InputError(f"{self.path}: the tables in data/ do not have the {len(self.episodes)} episodes of meta/")
        return [range(start, stop) for start, stop in zip(starts, [*starts[1:], len(numbers)], strict=True)]

    @cached_property
    def seconds(self) -> NDArray[np.float64]:
        """Time of each row in its episode, float64 [rows]."""
        found: NDArray[np.float64] = self.table["timestamp"].to_numpy().astype(np.float64)
        return found

    def _episodes_2(self) -> list[Episode]:
        per_chunk = int(self.info.get("chunks_size") or 1000)
        found = []
        for row in self._lines("meta/episodes.jsonl"):
            number = int(row["episode_index"])
            names = {"episode_index": number, "episode_chunk": number // per_chunk}
            videos = {camera: VideoPlace(self._video_path(video_key=camera, **names), 0.0) for camera in self.cameras}
            found.append(Episode(number, tuple(map(str, row.get("tasks") or ())), videos))
        return found

    def _episodes_3(self) -> list[Episode]:
        found = []
        for file in sorted((self.path / "meta" / "episodes").glob("*/*.parquet")):
            columns = ["episode_index", "tasks"]
            for camera in self.cameras:
                columns += [f"videos/{camera}/{name}" for name in _PLACE_COLUMNS]
            for row in self._parquet(file, columns).to_pylist():
                videos = {camera: self._place_3(camera, row) for camera in self.cameras}
                found.append(Episode(int(row["episode_index"]), tuple(map(str, row.get("tasks") or ())), videos))
        return found

    def _place_3(self, camera: str, row: Mapping[str, Any]) -> VideoPlace:
        chunk, file, begin = (row[f"videos/{camera}/{name}"] for name in _PLACE_COLUMNS)
        path = self._video_path(video_key=camera, chunk_index=int(chunk), file_index=int(file))
        return VideoPlace(path, float(begin))

    def _video_path(self, **names: Any) -> PurePosixPath:
        path = PurePosixPath(str(self.info.get("video_path") or _VIDEO_PATHS[self.version]).format(**names))
        if path.is_absolute() or ".." in path.parts or path.suffix != ".mp4":
            raise InputError(f"{self.path}: a video at {path}: its place must be an .mp4 below the folder")
        return path

    def _json(self, name: str) -> Any:
        try:
            return json.loads((self.path / name).read_bytes())
        except (OSError, ValueError) as error:
            raise InputError(
                f"{self.path}: {name} cannot be read ({_line(error)}): is it a LeRobot data set?"
            ) from error

    def _lines(self, name: str) -> list[dict[str, Any]]:
        try:
            return [json.loads(line) for line in (self.path / name).read_text().splitlines() if line.strip()]
        except (OSError, ValueError) as error:
            raise InputError(f"{self.path}: {name} cannot be read ({_line(error)})") from error

    def _parquet(self, path: Path, columns: Sequence[str] | None = None) -> pyarrow.Table:
        pyarrow = _pyarrow()
        try:
            return pyarrow.parquet.read_table(path, columns=columns, partitioning=None)
        except (OSError, pyarrow.ArrowException) as error:
            raise InputError(f"{path}: cannot be read as a table ({_line(error)})") from error


def _pyarrow() -> Any:
    try:
        import pyarrow.parquet
    except ImportError:
        raise InputError("LeRobot folders need the extra: pip install 'dnerv[lerobot]'") from None
    return pyarrow


def _is_depth(feature: Mapping[str, Any]) -> bool:
    info = feature.get("info") or feature.get("video_info") or {}
    return any(info.get(name) for name in ("video.is_depth_map", "is_depth_map"))


def _is_sorted(numbers: NDArray[np.int64]) -> bool:
    return bool((np.diff(numbers) > 0).all())


def _line(error: Exception) -> str:
    return (getattr(error, "strerror", None) or str(error) or type(error).__name__).splitlines()[0]
