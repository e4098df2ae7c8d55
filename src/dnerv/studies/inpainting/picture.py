"""One frame of each video: with its hidden pixels, and as they were made up."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from dnerv.archive import Archive
from dnerv.encoding import EncodeListener, EncodeOptions
from dnerv.evaluation import psnr
from dnerv.studies.inpainting.inpaint import ARCHIVE, hidden_videos, mask_of, masked_error
from dnerv.studies.inpainting.study import ORIGINALS, archive_of
from dnerv.studies.prepared import Frame
from dnerv.studies.sheet import Cell, draw_sheet
from dnerv.video import CachedVideo, Masks, RandomBoxes, discover

_MOST_ROWS = 8
_HIDDEN = (255, 0, 200)  # a colour that stands out
_TITLES = {"nerv": "NeRV", "nerv_joint": "one NeRV for all", "dnerv": "D-NeRV"}


def draw(inputs: Sequence[Path], folder: Path, options: EncodeOptions, masks: Masks, path: Path) -> None:
    """The middle frame of each video that `inpaint` has made in `folder`, as PNG at `path`. Raises OutputError."""
    rows = []
    for original, covered in hidden_videos(discover(inputs)[:_MOST_ROWS], masks, folder, options, EncodeListener()):
        rows.append(_row(original, covered, {"made up": (folder / ARCHIVE, original.name)}))
    draw_sheet(
        rows, ("original", "hidden", "made up"), path, heading="Inpainting: hidden pixels, and what stands there"
    )


def draw_study(folder: Path, boxes: RandomBoxes, path: Path) -> None:
    """The same of the study: NeRV, one NeRV for all, D-NeRV side by side."""
    rows = []
    members = discover([folder / ORIGINALS])[:_MOST_ROWS]
    for original, covered in hidden_videos(members, boxes, folder, EncodeOptions(), EncodeListener()):
        places = {}
        for way, title in _TITLES.items():
            archive = archive_of(way, original.name, folder)
            places[title] = (archive, Path(original.name).name if way == "nerv" else original.name)
        rows.append(_row(original, covered, places))
    draw_sheet(rows, ("original", "hidden", *_TITLES.values()), path, heading="Inpainting: PSNR inside the boxes")


def _row(original: CachedVideo, covered: CachedVideo, ways: dict[str, tuple[Path, str]]) -> list[Cell]:
    index = original.timing.num_frames // 2
    frame, hidden = original.store.read([index])[0], mask_of(covered, index)
    shown = np.where(hidden[..., None], np.array(_HIDDEN, np.uint8), frame)
    cells = [Cell(frame, f"{original.name}, frame {index}"), Cell(shown, f"{hidden.mean():.0%} hidden")]
    for archive, name in ways.values():
        with Archive(archive, size="coded") as opened:
            made: Frame = np.ascontiguousarray(opened[name][index].permute(1, 2, 0).numpy())
        note = f"{psnr(masked_error(frame, made, hidden)).item():.2f} dB" if hidden.any() else "nothing hidden"
        cells.append(Cell(np.where(hidden[..., None], made, frame), note))
    return cells
