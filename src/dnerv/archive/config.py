"""How an archive's frames are made from its bytes: the section `CONF`, JSON, written out whole.

Nothing that decoding needs is a default in the code: every field stands in the file, and one that is not known is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from dnerv.errors import ArchiveError

MATRICES = ("bt601", "bt709", "bt2020")


@dataclass(frozen=True)
class PlaneFormat:
    """What a decoder must know of base layers beside their packets."""

    matrix: str  # of the luma and chroma planes
    depth: int  # bits of a sample, 8 or 10
    full_range: bool
    header: bytes  # the AV1 sequence header that every sync packet begins with, left out of the packets
    bitstream: str = "av1"

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "bitstream": self.bitstream,
            "matrix": self.matrix,
            "depth": self.depth,
            "full_range": self.full_range,
            "header": self.header.hex(),
        }

    @classmethod
    def from_json(cls, record: Any) -> PlaneFormat:
        """Back from `to_json`. Raises ArchiveError for anything that this version cannot decode."""
        if not isinstance(record, dict) or set(record) != {"bitstream", "matrix", "depth", "full_range", "header"}:
            raise ArchiveError(f"the archive's format record is {str(record)[:80]!r}, with other fields than this dnerv knows")
        ok = record["bitstream"] == "av1" and record["matrix"] in MATRICES and record["depth"] in (8, 10)
        if not ok or type(record["full_range"]) is not bool:
            raise ArchiveError(f"the archive's format record is {str(record)[:80]!r}, which this dnerv cannot decode")
        try:
            header = bytes.fromhex(record["header"])
        except (ValueError, TypeError):
            raise ArchiveError("the archive's format record has a header that is no hexadecimal text") from None
        return cls(record["matrix"], record["depth"], record["full_range"], header, record["bitstream"])


@dataclass(frozen=True)
class ArchiveConfig:
    """The archive's configuration."""

    formats: tuple[PlaneFormat, ...]
    num_references: int
    network: Mapping[str, Any] | None  # the network's record, whole; None where there is none

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "formats": [each.to_json() for each in self.formats],
            "references": self.num_references,
            "network": None if self.network is None else dict(self.network),
        }

    @classmethod
    def from_json(cls, record: Any) -> ArchiveConfig:
        """Back from `to_json`. Raises ArchiveError for anything else."""
        if not isinstance(record, dict) or set(record) != {"formats", "references", "network"}:
            raise ArchiveError("the archive's configuration has other fields than this dnerv knows")
        formats, references, network = record["formats"], record["references"], record["network"]
        if not isinstance(formats, list) or not formats or type(references) is not int or references < 0:
            raise ArchiveError("the archive's configuration is damaged")
        if network is not None and not isinstance(network, dict):
            raise ArchiveError("the archive's configuration is damaged: its network record is none")
        return cls(tuple(map(PlaneFormat.from_json, formats)), references, network)
