"""How an archive's frames are made from its bytes: the section `CONF`, JSON, written out whole.

Nothing that decoding needs is a default in the code: every field stands in the file, and one that is missing or not
known is refused.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from dnerv.codecs import Planes
from dnerv.codecs.obu import split_sequence_header
from dnerv.errors import ArchiveError, InputError
from dnerv.video.timing import MAX_FRAMES

if TYPE_CHECKING:
    from dnerv.families import ModelConfig

_BITSTREAM = "av1"
_LONGEST_HEADER = 1024  # bytes; those in use have about ten
_MOST_FORMATS = 65_536
_MOST_FRAMES = 1 << 40  # of all that a network was trained on: a number that arithmetic bears
_SHOWN = 80  # characters of a record in a message


@dataclass(frozen=True)
class PlaneFormat:
    """What a decoder must know of base layers beside their packets."""

    planes: Planes  # what the samples mean
    shown: Planes  # those of the source: what a decoded video file has
    header: bytes  # the AV1 sequence header that every sync packet begins with, left out of the packets

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "bitstream": _BITSTREAM,
            "planes": asdict(self.planes),
            "shown": asdict(self.shown),
            "header": self.header.hex(),
        }

    @classmethod
    def from_json(cls, record: Any) -> PlaneFormat:
        """Back from `to_json`. Raises ArchiveError for anything that this version cannot decode."""
        fields = _fields(record, "format", {"bitstream", "planes", "shown", "header"})
        if fields["bitstream"] != _BITSTREAM:
            raise ArchiveError(f"the archive's bitstream is {fields['bitstream']!r}; this dnerv decodes {_BITSTREAM!r}")
        return cls(_planes(fields["planes"]), _planes(fields["shown"]), _sequence_header(fields["header"]))


def _planes(record: Any) -> Planes:
    fields = _fields(record, "planes", {"matrix", "full_range", "depth"})
    _integer(fields, "depth", 8, 10)
    if type(fields["full_range"]) is not bool or not isinstance(fields["matrix"], str):
        raise ArchiveError(f"the archive's planes record is damaged: {str(record)[:_SHOWN]}")
    try:
        return Planes(**fields)
    except InputError as error:
        raise ArchiveError(f"the archive's planes record is damaged: {error}") from None


@dataclass(frozen=True)
class NetworkConfig:
    """The archive's network, whole."""

    model: ModelConfig
    overlap: int  # pixels that neighbouring tiles share
    num_frames: int  # of all videos that it was trained on: what absolute time is counted in

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        from dnerv.families import config_to_json

        return {"model": config_to_json(self.model), "overlap": self.overlap, "frames": self.num_frames}

    @classmethod
    def from_json(cls, record: Any) -> NetworkConfig:
        """Back from `to_json`. Raises ArchiveError for anything else."""
        from dnerv.families import config_from_json

        fields = _fields(record, "network", {"model", "overlap", "frames"})
        model = config_from_json(fields["model"])
        overlap = _integer(fields, "overlap", 0, min(model.canvas) - 1)
        return cls(model, overlap, _integer(fields, "frames", 1, _MOST_FRAMES))


@dataclass(frozen=True)
class BaseConfig:
    """What reading base layers needs of the configuration: a network is not looked into, nor its code imported."""

    formats: tuple[PlaneFormat, ...]
    num_references: int
    network_frames: int | None  # of all videos that the network was trained on; None where there is none
    clip_length: int | None  # of the network
    holds_weights: bool  # whether the archive holds weights: all of them, or what is added to a prior's

    @classmethod
    def from_json(cls, record: Any) -> BaseConfig:
        """Of `ArchiveConfig.to_json`. Raises ArchiveError for anything else."""
        fields = _fields(record, "configuration", {"formats", "references", "network"})
        formats, network = fields["formats"], fields["network"]
        if not isinstance(formats, list) or len(formats) > _MOST_FORMATS:
            raise ArchiveError(f"the archive's formats are no list of at most {_MOST_FORMATS}")
        known = tuple(map(PlaneFormat.from_json, formats)), _integer(fields, "references", 0, MAX_FRAMES)
        if network is None:
            return cls(*known, None, None, False)
        parts = _fields(network, "network", {"model", "overlap", "frames"})
        model = parts["model"] if isinstance(parts["model"], dict) else {}
        length = _integer({"clip_length": None} | model, "clip_length", 1, MAX_FRAMES)
        frames = _integer(parts, "frames", 1, _MOST_FRAMES)
        return cls(*known, frames, length, not model.get("prior") or model.get("addition") != "nothing")


@dataclass(frozen=True)
class ArchiveConfig:
    """The archive's configuration."""

    formats: tuple[PlaneFormat, ...]  # that videos and references name by place; none where there is no base layer
    num_references: int
    network: NetworkConfig | None  # None where there is none

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        return {
            "formats": [each.to_json() for each in self.formats],
            "references": self.num_references,
            "network": None if self.network is None else self.network.to_json(),
        }

    @classmethod
    def from_json(cls, record: Any) -> ArchiveConfig:
        """Back from `to_json`. Raises ArchiveError for anything else."""
        network = _fields(record, "configuration", {"formats", "references", "network"})["network"]
        made = None if network is None else NetworkConfig.from_json(network)
        base = BaseConfig.from_json(record)
        return cls(base.formats, base.num_references, made)


def _fields(record: Any, what: str, names: set[str]) -> Mapping[str, Any]:
    """`record` as an object of exactly these fields."""
    if not isinstance(record, dict):
        raise ArchiveError(f"the archive's {what} record is {str(record)[:_SHOWN]!r}, which is no object")
    if missing := names - record.keys():
        raise ArchiveError(f"the archive's {what} record has no field {', '.join(sorted(missing))}")
    if unknown := record.keys() - names:
        raise ArchiveError(f"the archive's {what} record has unknown fields: {', '.join(sorted(unknown))[:_SHOWN]}")
    return record


def _integer(fields: Mapping[str, Any], name: str, low: int, high: int) -> int:
    value = fields[name]
    if type(value) is not int or not low <= value <= high:
        raise ArchiveError(f"the archive's {name} is {str(value)[:_SHOWN]!r}; allowed are {low} to {high}")
    return value


def _sequence_header(text: Any) -> bytes:
    """From hexadecimal digits: one sequence header, whole."""
    try:
        header = bytes.fromhex(text)
    except (ValueError, TypeError):
        raise ArchiveError("the archive's format record has a header that is no hexadecimal text") from None
    try:
        rest = split_sequence_header(header)[1]
    except ArchiveError:
        raise ArchiveError("the archive's format record has a header that is no AV1 sequence header") from None
    if rest or len(header) > _LONGEST_HEADER:
        raise ArchiveError(f"the archive's format record has a header of {len(header)} bytes, which is not one")
    return header
