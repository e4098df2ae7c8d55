"""Points of dnerv and NeRV: an archive at each rate."""

from __future__ import annotations

from dnerv.studies.archive_points import ArchivePoints, filled
from dnerv.studies.points import Record
from dnerv.studies.rate_distortion.options import CompareOptions, Network


def curve(network: Network, archives: ArchivePoints, options: CompareOptions) -> list[Record]:
    """An archive at each rate, ascending."""
    encodings = {rate: options.encoding(network, rate) for rate in sorted(options.rates)}
    return [
        archives.point(network, f"{rate:g} bpp", filled(encoding), {"rate": rate})
        for rate, encoding in encodings.items()
    ]
