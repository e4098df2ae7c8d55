"""Behind LeRobot's own class: a reader for its register of storage formats, which releases after 0.6.1 have.

    from dnerv.integrations.lerobot import storage

    storage.register()                                    # once, before the data set is opened
    LeRobotDataset("me/episodes", root="FOLDER2")         # made with `dnerv from-lerobot --storage-format`

LeRobot asks `meta/info.json` for `"storage_format": "dnerv"`, finds this module by that name, and makes its
`DATASET_READER`. Nothing here imports LeRobot but `register`.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any

from torch import Tensor

from dnerv.integrations.lerobot.dataset import FrameDataset, Item
from dnerv.integrations.lerobot.layout import ARCHIVE, STORAGE_FORMAT, TOLERANCE


class DnervDatasetReader:
    """What LeRobot's `BaseDatasetReader` asks for, of a folder on this machine."""

    def __init__(
        self,
        meta: Any,
        root: str | Path | None = None,
        episodes: Sequence[int] | None = None,
        delta_timestamps: Mapping[str, Sequence[float]] | None = None,
        image_transforms: Callable[[Tensor], Tensor] | None = None,
        tolerance_s: float = TOLERANCE,
        return_uint8: bool = False,
        **others: Any,
    ) -> None:
        """Arguments are LeRobot's; revision, token and depth unit are of no use here. Raises as `FrameDataset`."""
        self.episodes = None if episodes is None else list(episodes)
        self._frames = FrameDataset(
            Path(meta.root if root is None else root),
            episodes=episodes,
            delta_timestamps=delta_timestamps,
            tolerance=tolerance_s,
            return_uint8=return_uint8,
        )
        self.set_image_transforms(image_transforms)

    @property
    def num_frames(self) -> int:
        """Of the chosen episodes."""
        return len(self._frames)

    @property
    def num_episodes(self) -> int:
        """How many were chosen."""
        return self._frames.num_episodes

    @property
    def absolute_to_relative_idx(self) -> dict[int, int] | None:
        """Places of items by their `index`, where episodes were chosen."""
        if self.episodes is None:
            return None
        return {int(index): place for place, index in enumerate(self._frames.indices)}

    def __len__(self) -> int:
        return self.num_frames

    def get_item(self, idx: int) -> Item:
        """Item `idx` of the chosen episodes."""
        return self._frames[idx]

    def get_items(self, indices: Sequence[int]) -> list[Item]:
        """Items of a batch."""
        return [self._frames[index] for index in indices]

    def set_image_transforms(self, image_transforms: Callable[[Tensor], Tensor] | None) -> None:
        """Of a camera's frames, from now on."""
        if image_transforms is not None and not callable(image_transforms):
            raise TypeError("image_transforms must be callable or None")
        self._frames.image_transforms = image_transforms

    def clear_image_transforms(self) -> None:
        """Frames as they are, from now on."""
        self.set_image_transforms(None)


DATASET_READER = DnervDatasetReader


def localize_root(repo_id: str | None, root: str | Path, revision: str | None = None, **others: Any) -> Path:
    """The folder of a data set elsewhere: none is known here. Raises FileNotFoundError, and others are asked."""
    raise FileNotFoundError(f"{root}: {ARCHIVE} is read from a folder on this machine")


def register() -> None:
    """Make the format known to LeRobot. Raises ImportError where LeRobot is missing, or knows no storage formats."""
    from lerobot.datasets.storage import register_dataset_reader

    register_dataset_reader(STORAGE_FORMAT, __name__)
