"""What an archive says of itself in words: its configuration (`CONF`) and its videos (`INDX`).

Both are JSON; docs/format.md lists every field. Records come from untrusted files, so each field is checked.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from dnerv.codecs import KeyframeFormat
from dnerv.errors import ArchiveError
from dnerv.families import ModelConfig, config_from_json, config_to_json
from dnerv.video import Timing
from dnerv.video.names import refusal

_MAX_SIDE = 65_536  # pixels; more is no video
_MAX_PIXELS = 1 << 27  # of one frame, just above 16K video: a small file must not ask for all of the memory


@dataclass(frozen=True)
class ArchiveConfig:
    """How the archive's frames are made from its bytes."""

    model: ModelConfig
    overlap: int  # pixels that neighbouring tiles share
    keyframes: KeyframeFormat | None  # None for a network without keyframes
    source: Mapping[str, Any] = field(default_factory=dict)  # how it was encoded, for people; decoding ignores it

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values."""
        record: dict[str, Any] = {"model": config_to_json(self.model), "overlap": self.overlap}
        if self.keyframes is not None:
            record["keyframes"] = self.keyframes.to_json()
        return record | ({"source": dict(self.source)} if self.source else {})

    @classmethod
    def from_json(cls, record: Any) -> ArchiveConfig:
        """Back from `to_json`. Raises ArchiveError for anything else."""
        fields = _fields(record, "configuration", {"model", "overlap"}, {"keyframes", "source"})
        model = config_from_json(fields["model"])
        overlap = _integer(fields["overlap"], "overlap", 0, min(model.canvas) - 1)
        keyframes = KeyframeFormat.from_json(fields["keyframes"]) if "keyframes" in fields else None
        return cls(model, overlap, keyframes, _fields(fields.get("source", {}), "source", set(), None))


@dataclass(frozen=True)
class VideoEntry:
    """One video of the archive."""

    name: str
    label: str | None
    original_size: tuple[int, int]  # height, width of the frames that decoding returns
    coded_size: tuple[int, int]  # height, width of the frames that the network knows
    timing: Timing  # one time per frame
    table_bytes: int  # length of its packet table
    keyframe_bytes: int  # length of its keyframe packets

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values; what equals its usual value is left out."""
        record: dict[str, Any] = {"name": self.name, "size": list(self.original_size)}
        record["timing"] = self.timing.to_json()
        if self.label is not None:
            record["label"] = self.label
        if self.coded_size != self.original_size:
            record["coded"] = list(self.coded_size)
        if self.table_bytes or self.keyframe_bytes:
            record["bytes"] = [self.table_bytes, self.keyframe_bytes]
        return record

    @classmethod
    def from_json(cls, record: Any) -> VideoEntry:
        """Back from `to_json`. Raises ArchiveError for anything else."""
        fields = _fields(record, "video", {"name", "size", "timing"}, {"label", "coded", "bytes"})
        original = _size(fields["size"], "size")
        table_bytes, keyframe_bytes = _pair(fields.get("bytes", [0, 0]), "bytes", 0, 2**62)
        label = fields.get("label")
        if not (label is None or isinstance(label, str)):
            raise ArchiveError("the archive's index has a video whose label is not text")
        return cls(
            _checked_name(fields["name"]),
            label,
            original,
            _size(fields["coded"], "coded") if "coded" in fields else original,
            Timing.from_json(fields["timing"]),
            table_bytes,
            keyframe_bytes,
        )


def index_to_json(videos: Sequence[VideoEntry]) -> dict[str, Any]:
    """All entries, in archive order."""
    return {"videos": [video.to_json() for video in videos]}


def index_from_json(record: Any) -> tuple[VideoEntry, ...]:
    """Back from `index_to_json`. Raises ArchiveError for anything else, or for a name that stands twice."""
    records = _fields(record, "index", {"videos"}, set())["videos"]
    if not isinstance(records, list) or not records:
        raise ArchiveError("the archive's index lists no videos")
    videos = tuple(VideoEntry.from_json(entry) for entry in records)
    if len({video.name for video in videos}) < len(videos):
        raise ArchiveError("the archive's index has the same video name twice")
    return videos


def _fields(record: Any, what: str, needed: set[str], known: set[str] | None) -> dict[str, Any]:
    """`record` as a dictionary with the needed fields and, unless `known` is None, no others than the known."""
    if not isinstance(record, dict) or not needed <= record.keys():
        raise ArchiveError(f"the archive's {what} record needs the fields {', '.join(sorted(needed))}")
    unknown = set() if known is None else record.keys() - needed - known
    if unknown:
        raise ArchiveError(f"the archive's {what} record has unknown fields: {', '.join(sorted(unknown))}")
    return record


def _checked_name(name: Any) -> str:
    """A name that decoding can write files under."""
    reason = refusal(name)
    if reason is not None:
        raise ArchiveError(f"the archive's index has a video named {name!r}, which {reason}")
    return str(name)


def _integer(value: Any, name: str, low: int, high: int) -> int:
    if type(value) is not int or not low <= value <= high:
        raise ArchiveError(f"the archive's {name} is {value!r}; allowed are {low} to {high}")
    return value


def _size(value: Any, name: str) -> tuple[int, int]:
    height, width = _pair(value, name, 1, _MAX_SIDE)
    if height * width > _MAX_PIXELS:
        raise ArchiveError(f"the archive's {name} is {height}x{width}; allowed are {_MAX_PIXELS} pixels")
    return height, width


def _pair(value: Any, name: str, low: int, high: int) -> tuple[int, int]:
    if not isinstance(value, list) or len(value) != 2:
        raise ArchiveError(f"the archive's {name} is {value!r}; it is a pair of integers")
    return _integer(value[0], name, low, high), _integer(value[1], name, low, high)
