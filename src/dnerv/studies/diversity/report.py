"""The table of `dnerv study diversity`, at most 80 columns wide."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from rich.table import Table

from dnerv.studies.tables import figures_table, off_the_rate

NAMES = {"nerv": "NeRV", "dnerv": "D-NeRV"}


def tables(record: Mapping[str, Any]) -> Sequence[Table | str]:
    """PSNR of each network by number of sources, and what the paper found."""
    options, published = record["options"], record["published"]
    table = figures_table("", "sources", "clips each", "bits/pixel", "PSNR dB", "over draws", "from fewest")
    for model in NAMES:
        rows = [row for row in record["rows"] if row["model"] == model]
        for place, row in enumerate(rows):
            spread = "" if row["psnr_deviation"] is None else f"+- {row['psnr_deviation']:.2f}"
            change = "" if place == 0 else f"{row['psnr'] - rows[0]['psnr']:+.2f}"
            name, each = NAMES[model] if place == 0 else "", str(options["clips"] // row["sources"])
            figures = f"{row['bits_per_pixel']:.4f}", f"{row['psnr']:.2f}", spread, change
            table.add_row(name, str(row["sources"]), each, *figures)
        table.add_section()
    few, many = published["sources"]
    said = [f"{NAMES[m]} {a:.2f} to {b:.2f} ({b - a:+.2f}) dB" for m, (a, b) in published["psnr"].items()]
    return [
        f"{options['clips']} clips of {options['length']} frames, {options['epochs']} epochs, {options['draws']} draws "
        f"of sources; a source is a {'video' if options['by'] == 'video' else 'class'}; +- one standard deviation",
        "",
        table,
        "",
        *off_the_rate(
            [(f"{NAMES[row['model']]} {row['sources']}", row) for row in record["rows"]], options["bits_per_pixel"]
        ),
        f"published, from {few} to {many} classes: {', '.join(said)} ({published['set']}; {published['source']})",
        f"{record['output']}: results.json, picture.png, points/ (archives)",
    ]
