"""A frame held out of training, and what stands in for it."""

from __future__ import annotations

from pathlib import Path

import numpy as np

from dnerv.archive import Archive
from dnerv.evaluation import mse_per_frame, psnr
from dnerv.families import channels_first
from dnerv.studies.demo.picture import DIFFERENCE_GAIN, difference
from dnerv.studies.interpolation.study import ARCHIVE, HELD_OUT, blend, gaps
from dnerv.studies.prepared import Frame, read_frames
from dnerv.studies.sheet import Cell, draw_sheet

MOST_ROWS = 8
_COLUMNS = ("held out", "its neighbours, blended", "dnerv, at the time in between", f"difference x {DIFFERENCE_GAIN}")


def draw(folder: Path, path: Path) -> None:
    """Of each video a frame around which much is in motion, as PNG at `path`.

    It is chosen by how far the two decoded neighbours differ, whatever comes out in between: at the upper tenth, since
    the very largest difference is often a cut. Raises OutputError.
    """
    with Archive(folder / ARCHIVE, size="coded") as archive:
        rows = [_row(archive, name, folder) for name in archive.names[:MOST_ROWS]]
        heading = f"Frames held out of training, out of {archive.file_bytes:,} bytes ({archive.bits_per_pixel:.3f} bpp)"
    draw_sheet(rows, _COLUMNS, path, heading=heading)


def _row(archive: Archive, name: str, folder: Path) -> list[Cell]:
    distances = [(a.int() - b.int()).abs().sum().item() for a, _, b in gaps(archive, name)]
    chosen = int(np.argsort(distances)[round(0.9 * (len(distances) - 1))])
    wanted = next(frame for i, frame in enumerate(read_frames(folder / HELD_OUT / name)) if i == chosen)
    before, made, after = next(gap for i, gap in enumerate(gaps(archive, name)) if i == chosen)
    network, mean = (frame.permute(1, 2, 0).contiguous().cpu().numpy() for frame in (made, blend(before, after)))
    return [
        Cell(wanted, f"{name}, frame {2 * chosen + 1}"),
        Cell(mean, _decibels(wanted, mean)),
        Cell(network, _decibels(wanted, network)),
        Cell(difference(wanted, network), "held out - dnerv; grey is none"),
    ]


def _decibels(wanted: Frame, made: Frame) -> str:
    error = mse_per_frame(channels_first(wanted)[None], channels_first(made)[None])
    return f"{psnr(error).item():.2f} dB"
