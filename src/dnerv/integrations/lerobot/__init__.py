"""LeRobot's data set folders: their videos in one archive, their tables as they are. LeRobot itself is not needed.

    FOLDER ── layout ── packing ── FOLDER2: data/, meta/, videos.dnerv ── unpacking ── FOLDER again
                                      ├─ dataset    its frames, item by item, as LeRobot gives them
                                      └─ storage    the same behind LeRobot's own class, where it knows storage formats

Needs the extra `lerobot` (pyarrow) for tables.
"""

from typing import TYPE_CHECKING

from dnerv.on_use import imports_on_use

if TYPE_CHECKING:
    from dnerv.integrations.lerobot.dataset import FrameDataset
    from dnerv.integrations.lerobot.packing import from_lerobot
    from dnerv.integrations.lerobot.unpacking import to_lerobot

__all__ = ["FrameDataset", "from_lerobot", "to_lerobot"]

__getattr__ = imports_on_use(
    __name__, {"FrameDataset": "dataset", "from_lerobot": "packing", "to_lerobot": "unpacking"}
)
