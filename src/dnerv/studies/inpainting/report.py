"""The tables of inpainting, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from dnerv.studies.tables import figures_table

_TITLES = {"fill": "fill alone", "nerv": "NeRV", "nerv_joint": "NeRV joint", "dnerv": "D-NeRV"}
_LONGEST_LIST = 40  # rows of videos; --json has all


def tables(record: Mapping[str, Any]) -> Sequence[Table | str]:
    """Of one archive: how much is hidden, and PSNR inside, where the truth is known, and outside."""
    table = figures_table("video", "frames", "hidden", "inside dB", "outside dB")
    for video in record["videos"][:_LONGEST_LIST]:
        figures = _decibels(video["psnr_inside"]), _decibels(video["psnr_outside"])
        table.add_row(video["name"], str(video["frames"]), f"{video['hidden']:.1%}", *figures)
    _add_rest(table, record)
    archive = record["archive"]
    line = f"{archive['path']}: {archive['file_bytes']:,} bytes, {archive['bpp']:.4f} bits per pixel"
    return [table, line, "videos/: the original outside the mask, the network's pixels inside"]


def study_tables(record: Mapping[str, Any]) -> Sequence[Table | str]:
    """PSNR inside the boxes, a row for each video, then the averages and the paper's."""
    table = figures_table("PSNR inside, dB", "frames", *_TITLES.values())
    for video in record["videos"][:_LONGEST_LIST]:
        table.add_row(video["name"], str(video["frames"]), *_row(video["psnr"]))
    _add_rest(table, record)
    table.add_section()
    table.add_row("average", "", *_row(record["psnr"]))
    table.add_row("bytes", "", *(f"{record['bytes'][w]:,}" if w in record["bytes"] else "-" for w in _TITLES))
    published = record["published"]
    table.add_row("published, another set", "", *_row(published["psnr"]))
    return [
        table,
        f"{record['boxes']['boxes']} boxes of {record['boxes']['box_size']} pixels a frame. fill alone: what keyframes "
        "hold in place of hidden pixels, from neighbouring frames, uncoded. NeRV: one for each video, with its share "
        "of the bytes and of the time; the others: one for all.",
        f"published: {published['set']} ({published['source']}).",
    ]


def _row(psnr: Mapping[str, float]) -> list[str]:
    return [_decibels(psnr.get(way)) for way in _TITLES]


def _decibels(value: float | None) -> str:
    return "-" if value is None else f"{value:.2f}"


def _add_rest(table: Table, record: Mapping[str, Any]) -> None:
    if len(record["videos"]) > _LONGEST_LIST:
        table.add_row(f"... and {len(record['videos']) - _LONGEST_LIST} more (--json lists all)")
