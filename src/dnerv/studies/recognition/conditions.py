"""Raw, or coded by somebody at some rate: what a classifier is trained or tested on."""

from __future__ import annotations

import json
from contextlib import ExitStack
from dataclasses import dataclass, field
from functools import cached_property
from hashlib import blake2b
from pathlib import Path
from typing import Any

from dnerv.archive import Archive
from dnerv.encoding import EncodeListener
from dnerv.engine import Precision
from dnerv.studies.content import Content
from dnerv.studies.points import Record
from dnerv.studies.recognition.footage import (
    Footage,
    LiveFootage,
    RawFootage,
    decoded_archive,
    decoded_streams,
    video_lengths,
)


@dataclass(frozen=True)
class Condition:
    """How the videos were coded."""

    codec: str  # raw, h264, nerv or dnerv
    point: Record | None = None  # None: raw
    files: tuple[Path, ...] = ()  # of the point

    @property
    def name(self) -> str:
        """Of files and progress."""
        return self.codec if self.point is None else f"{self.codec}-{self.point['rate']:g}"

    @cached_property
    def digest(self) -> str:
        """Of the coded bytes."""
        digest = blake2b(digest_size=16)
        for path in self.files:
            data = path.read_bytes()
            digest.update(len(data).to_bytes(8, "little") + data)
        return digest.hexdigest()


@dataclass
class Projector:
    """Opens the frames of conditions; those decoded to the disk go when they are closed."""

    content: Content
    folder: Path  # of decoded frames
    listener: EncodeListener
    device: str
    precision: Precision
    live: bool
    _open: dict[str, Footage] = field(default_factory=dict)
    _closing: ExitStack = field(default_factory=ExitStack)

    def key(self, condition: Condition) -> dict[str, Any]:
        """What a condition's pixels depend on, beside the content: JSON."""
        if condition.codec not in ("nerv", "dnerv"):
            return {"codec": condition.codec, "coded": condition.digest}
        decoding = {"device": self.device, "precision": self.precision, "live": self.live}
        return {"codec": condition.codec, "coded": condition.digest, **decoding}

    def footage(self, condition: Condition) -> Footage:
        """Frames of all videos; decoded at the first call."""
        if condition.name not in self._open:
            self._open[condition.name] = self._opened(condition)
        return self._open[condition.name]

    def close(self) -> None:
        """Let go of everything, and delete what was decoded."""
        self._closing.close()
        self._open.clear()

    def _opened(self, condition: Condition) -> Footage:
        videos = self.content.videos
        if condition.codec == "raw":
            return RawFootage({video.name: video for video in videos})
        if self.live and condition.codec != "h264":
            archive = Archive(condition.files[0], device=self.device, precision=self.precision)
            return LiveFootage(self._closing.enter_context(archive), video_lengths(self.content))
        key = blake2b(json.dumps(self.key(condition)).encode(), digest_size=6).hexdigest()
        path = self.folder / f"{condition.name}-{key}.rgb"
        self._closing.callback(path.unlink, missing_ok=True)
        self.listener.stage(f"decoding {condition.name}", len(videos))
        if condition.codec == "h264":
            return decoded_streams(self.content, condition.files, path, self.listener.advance)
        return decoded_archive(
            self.content, condition.files[0], path, self.device, self.precision, self.listener.advance
        )
