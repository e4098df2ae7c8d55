"""The table of `dnerv study interpolation`, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

_LONGEST_LIST = 40  # rows of videos; --json has all


def tables(record: Mapping[str, Any]) -> Sequence[Table | str]:
    """PSNR of the frames held out, by video and on average, and what the archive is."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    table.add_column("video", overflow="fold")
    for column in ("held out", "network dB", "blend dB", "gain", "kept dB"):
        table.add_column(column, justify="right", no_wrap=True)
    for video in record["videos"][:_LONGEST_LIST]:
        table.add_row(video["name"], str(video["held_out"]), *_figures(video["psnr"]))
    if len(record["videos"]) > _LONGEST_LIST:
        table.add_row(f"... and {len(record['videos']) - _LONGEST_LIST} more (--json lists all)")
    table.add_section()
    table.add_row("all", str(sum(v["held_out"] for v in record["videos"])), *_figures(record["psnr"]))
    archive = record["archive"]
    return [
        table,
        "network: decoded at the times of the frames held out; blend: the mean of the two frames decoded around each; "
        "kept: the frames that were encoded.",
        f"{archive['path']}: {archive['file_bytes']:,} bytes, {archive['bits_per_pixel']:.4f} bits per pixel kept, "
        f"{archive['model']['parameters']:,} parameters",
    ]


def _figures(psnr: Mapping[str, float]) -> list[str]:
    gain = psnr["network"] - psnr["blend"]
    return [f"{psnr['network']:.2f}", f"{psnr['blend']:.2f}", f"{gain:+.2f}", f"{psnr['kept']:.2f}"]
