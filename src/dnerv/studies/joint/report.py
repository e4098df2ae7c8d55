"""The table of `dnerv study joint`, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from dnerv.studies.diversity.report import NAMES
from dnerv.studies.tables import figures_table, off_the_rate

WAYS = ("separate", "joint")


def tables(record: Mapping[str, Any]) -> Sequence[Table | str]:
    """PSNR and bytes of both ways by number of videos, and what the paper found."""
    table = figures_table("", "videos", "separate: bytes", "PSNR dB", "joint: bytes", "PSNR dB", "gain dB")
    for model in NAMES:
        for place, count in enumerate(sorted(record["options"]["counts"])):
            apart, together = (_at(record, model, way, count) for way in WAYS)
            figures = [figure for row in (apart, together) for figure in (f"{row['bytes']:,}", f"{row['psnr']:.2f}")]
            name = NAMES[model] if place == 0 else ""
            table.add_row(name, str(count), *figures, f"{together['psnr'] - apart['psnr']:+.2f}")
        table.add_section()
    published, options = record["published"], record["options"]
    apart, together = (published["psnr"][way] for way in WAYS)
    return [
        f"{options['bits_per_pixel']:g} bits per pixel asked of both ways, {options['epochs']} epochs",
        "",
        table,
        "",
        *off_the_rate(
            [(f"{NAMES[row['model']]} {row['way']} {row['videos']}", row) for row in record["rows"]],
            options["bits_per_pixel"],
        ),
        f"published: separate {apart:.2f}, joint {together:.2f} ({together - apart:+.2f}) dB ({published['set']}; "
        f"{published['source']})",
        f"{record['output']}: results.json, picture.png, points/ (archives)",
    ]


def _at(record: Mapping[str, Any], model: str, way: str, count: int) -> Mapping[str, Any]:
    found: Mapping[str, Any] = next(
        row for row in record["rows"] if (row["model"], row["way"], row["videos"]) == (model, way, count)
    )
    return found
