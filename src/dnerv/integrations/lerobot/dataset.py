"""Frames of a LeRobot data set out of an archive: items as LeRobot's own data set gives them, which is not needed."""

from __future__ import annotations

import os
from collections.abc import Callable, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor
from torch.utils.data import Dataset

from dnerv import progress
from dnerv.archive import Archive, Layers, VideoReader
from dnerv.archive.sharing import Guarded, OpenedOnUse, Recent
from dnerv.errors import ArgumentError, FrameIndexError, InputError
from dnerv.integrations.lerobot.layout import ARCHIVE, TOLERANCE, LeRobotFolder, video_name

_KEPT_VIDEOS = 4  # of each camera: readers with some decoded frames

Item = dict[str, Any]


class FrameDataset(Dataset[Item]):
    """Map-style: `dataset[i]` is a row of the tables with its frames.

    - each camera: float32 [3, H, W], RGB in [0, 1]; uint8 in [0, 255] with `return_uint8`.
    - each other feature: a tensor of its shape, without dimensions where that is 1; float32, int64 or bool. What is no
      number, a text for example, is as it is.
    - `timestamp` (seconds in the episode), `frame_index`, `episode_index`, `index`, `task_index`: without dimensions.
    - `task`: in words.
    - features named in `delta_timestamps`: [T, ...], at these times around the row's; beyond the episode's ends its
      first or last row stands, and `NAME_is_pad`, bool [T], is True there. Of a camera, a T of 1 is left out.

    It pickles and runs in a DataLoader's workers, by fork and by spawn. The tables are in memory.
    """

    def __init__(
        self,
        folder: str | os.PathLike[str],
        *,
        episodes: Sequence[int] | None = None,
        delta_timestamps: Mapping[str, Sequence[float]] | None = None,
        image_transforms: Callable[[Tensor], Tensor] | None = None,
        tolerance: float = TOLERANCE,
        return_uint8: bool = False,
        layers: Layers = "all",
        device: str | torch.device = "cpu",
    ) -> None:
        """Open a folder that `from_lerobot` has made.

        Args:
            episodes: their numbers; None for all. Rows keep their order.
            delta_timestamps: by feature, seconds from the row's time; multiples of the frames' distance.
            image_transforms: of a camera's frames, [3, H, W] or [T, 3, H, W].
            tolerance: seconds that a frame's time may be away from its row's.
            return_uint8: leave frames as they are decoded.
            layers, device: as for `dnerv.Archive`.

        Raises:
            InputError: no such folder, one with images in its tables, or an episode or feature that it does not have.
            ArchiveError: the archive is missing or damaged.
        """
        source = LeRobotFolder(Path(folder))
        self.fps, self.cameras, self.tasks = source.fps, source.cameras, source.tasks
        if source.depth_cameras:
            progress.warning(
                f"{source.path}: depth maps are files, and are not read: {', '.join(source.depth_cameras)}"
            )
        self._columns = {name: _column(source, name) for name in source.table.column_names}
        self._spans = source.rows
        self._seconds, self._tolerance = source.seconds, tolerance
        spans = [self._spans[number] for number in self._chosen(episodes)]
        self._rows = np.concatenate([np.arange(span.start, span.stop) for span in spans])
        self.image_transforms, self._return_uint8 = image_transforms, return_uint8
        self._deltas = self._checked_deltas(delta_timestamps or {})
        self._opened = OpenedOnUse(Archive(source.path / ARCHIVE, layers=layers, device=device))
        kept = _KEPT_VIDEOS * max(1, len(self.cameras))
        self._readers: Guarded[Recent[str, VideoReader]] = Guarded(partial(Recent, kept))

    @property
    def num_episodes(self) -> int:
        """How many were chosen."""
        return len(np.unique(np.asarray(self._columns["episode_index"])[self._rows]))

    @property
    def indices(self) -> NDArray[np.int64]:
        """`index` of each item, int64 [len(self)]."""
        found: NDArray[np.int64] = np.asarray(self._columns["index"])[self._rows]
        return found

    def __len__(self) -> int:
        return len(self._rows)

    def __getitem__(self, index: int) -> Item:
        """Item `index`; negative ones count from the end. Raises FrameIndexError (an IndexError) outside."""
        if not -len(self) <= index < len(self):
            raise FrameIndexError(f"item {index}: there are {len(self)}, 0 to {len(self) - 1}")
        row = int(self._rows[index])
        episode = int(self._columns["episode_index"][row])
        span = self._spans[episode]
        item: Item = {name: _tensor(column[row]) for name, column in self._columns.items()}
        wanted = {}
        for name, deltas in self._deltas.items():
            places = row + deltas
            wanted[name] = places.clip(span.start, span.stop - 1)
            item[f"{name}_is_pad"] = torch.from_numpy(places != wanted[name])
            if name not in self.cameras:
                column = self._columns[name]
                item[name] = torch.stack([_tensor(column[place]) for place in wanted[name]])
        for camera in self.cameras:
            frames = self._frames(camera, episode, wanted.get(camera, np.array([row])))
            item[camera] = frames if self.image_transforms is None else self.image_transforms(frames)
        item["task"] = self.tasks.get(int(item["task_index"]), "")
        return item

    def _frames(self, camera: str, episode: int, rows: NDArray[Any]) -> Tensor:
        """[T, 3, H, W], without T where that is 1. Raises InputError for one that is not at its row's time."""
        name = video_name(camera, episode)
        with self._readers as readers:
            reader = readers.get(name, self._opened.get().__getitem__)
        found = reader.get_frames_at((rows - self._spans[episode].start).tolist())
        apart = np.abs(found.pts_seconds.numpy() - self._seconds[rows])
        if apart.max() > self._tolerance:
            raise InputError(
                f"{name}: a frame is {apart.max():.6f} s from its row's time, and {self._tolerance:g} are allowed"
            )
        frames = found.data if self._return_uint8 else found.data.to(torch.float32) / 255
        return frames.squeeze(0)

    def _chosen(self, episodes: Sequence[int] | None) -> list[int]:
        chosen = list(range(len(self._spans))) if episodes is None else sorted(set(episodes))
        wrong = [number for number in chosen if not 0 <= number < len(self._spans)]
        if wrong or not chosen:
            given = f"episode {wrong[0]}" if wrong else "no episode"
            raise InputError(f"{given} is asked for: there are {len(self._spans)}, from 0")
        return chosen

    def _checked_deltas(self, deltas: Mapping[str, Sequence[float]]) -> dict[str, NDArray[Any]]:
        checked = {}
        for name, seconds in deltas.items():
            if name not in self._columns and name not in self.cameras:
                raise InputError(f"delta_timestamps name {name!r}, and there is no such feature")
            if isinstance(self._columns.get(name), list):
                raise InputError(f"delta_timestamps name {name!r}, whose values are no numbers")
            steps = np.round(np.asarray(seconds, np.float64) * self.fps)
            if not len(steps) or np.abs(steps / self.fps - seconds).max() > self._tolerance:
                raise ArgumentError(
                    f"delta_timestamps of {name!r} are {list(seconds)}: they are multiples of 1/{self.fps:g} s"
                )
            checked[name] = steps.astype(np.int64)
        return checked


def _column(source: LeRobotFolder, name: str) -> NDArray[Any] | list[Any]:
    """Values of a feature: [rows, ...] in LeRobot's shape where they are numbers, else what Python makes of them.

    Raises InputError for images, and for numbers that do not have the feature's shape.
    """
    import pyarrow

    feature = source.features.get(name, {})
    if feature.get("dtype") == "image":
        raise InputError(f"{source.path}: {name!r} are images in the tables, and those of videos alone are read")
    column = source.table[name]
    values = pyarrow.concat_arrays(column.chunks)
    lists = (pyarrow.ListArray, pyarrow.LargeListArray, pyarrow.FixedSizeListArray)
    while isinstance(values, (pyarrow.ExtensionArray, *lists)):
        values = values.flatten() if isinstance(values, lists) else values.storage
    kinds = {"floating": np.float32, "integer": np.int64, "boolean": np.bool_}
    dtype = next((kinds[kind] for kind in kinds if getattr(pyarrow.types, f"is_{kind}")(values.type)), None)
    if dtype is None:
        others: list[Any] = column.to_pylist()
        return others
    numbers = values.to_numpy(zero_copy_only=False).astype(dtype)
    rows, shape = len(column), tuple(feature.get("shape") or ())
    shape = () if shape == (1,) else shape
    if numbers.size != rows * int(np.prod(shape)):
        raise InputError(f"{source.path}: the table's column {name!r} does not have the shape {shape} of its feature")
    found: NDArray[Any] = numbers.reshape(rows, *shape)
    return found


def _tensor(value: Any) -> Any:
    return torch.from_numpy(np.array(value)) if isinstance(value, np.ndarray | np.generic) else value
