"""`dnerv presets`."""

from __future__ import annotations

from collections.abc import Sequence

from dnerv.cli.command import Command, Record
from dnerv.tables import Part, table

_CANVAS = (128, 160)  # for which our own sizes are listed


def _run() -> Record:
    from dnerv.families import FAMILIES, Sizing, count_parameters

    published = [
        {
            "name": name,
            "family": family.name,
            "title": family.title,
            "width": model.config.base_channels,
            "parameters": count_parameters(model.config),
            "published_millions": model.millions,
        }
        for family in FAMILIES.values()
        for name, model in family.published.items()
    ]
    ours = []
    for width in (2, 4, 8, 16, 32, 64, 128, 256):
        config = FAMILIES["dnerv"].sized(width, Sizing(_CANVAS))
        ours.append({"width": width, "parameters": count_parameters(config), "canvas": list(config.canvas)})
    return {"published": published, "compact": ours}


def _tables(record: Record) -> Sequence[Part]:
    paper = table("--size", "network", ">width C0", ">parameters", ">in the paper")
    for row in record["published"]:
        count, published = f"{row['parameters']:,}", f"{row['published_millions']:.2f} M"
        paper.add_row(row["name"], row["title"], str(row["width"]), count, published)
    ours = table("--width", ">parameters", ">canvas")
    for row in record["compact"]:
        canvas = "x".join(map(str, row["canvas"]))
        ours.add_row(str(row["width"]), f"{row['parameters']:,}", canvas)
    return [paper, "Without --size the dial chooses the width of a compact network, among them:", ours]


COMMAND = Command("presets", "List the paper's networks and ours, with parameter counts.", (), _run, _tables)
