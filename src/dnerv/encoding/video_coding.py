"""One video's base layer, as it is ordered, coded and kept: by itself, so that any process of any machine can do it.

corpus ── order ── code_video ── its packets, and a record of them ── a shelf on disk
          the best way is to be found, or is known from another crf
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from functools import partial
from itertools import accumulate, pairwise
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np

from dnerv.archive.entry import access_of
from dnerv.codecs import Frame
from dnerv.encoding.base_choice import choose_base
from dnerv.encoding.base_coding import (
    BasePlan,
    CodedBase,
    CodedReference,
    Exchange,
    Frames,
    code_base,
    coded_frames,
)
from dnerv.encoding.reference_choice import nearest_sample
from dnerv.files import write_atomically
from dnerv.video import CachedVideo, FrameStore, FrameStoreWriter
from dnerv.video.content import digest_of
from dnerv.video.source_frames import at_hand

_HELD_BYTES = 1 << 26  # of frames: a shorter video is read once, a longer one frame by frame
_Coded = tuple[CodedBase, Mapping[bytes, float]]  # and the bytes that each reference saves


@dataclass(frozen=True)
class BestWay:
    """An order: find the best way to code a video."""

    plan: BasePlan
    distances: tuple[int, ...]
    exchange: Exchange
    samples: tuple[int, ...]  # frames that stand for all of the video; none where pictures are not shared
    tries: tuple[CodedReference | None, ...]  # what a group around each of them should try

    @property
    def key(self) -> dict[str, Any]:
        """What decides the result, beside plan and video."""
        tries = [None if reference is None else reference.digest.hex() for reference in self.tries]
        return {"distances": list(self.distances), "exchange": asdict(self.exchange), "tries": tries}

    def sendable(self) -> BestWay:
        """The same, to be pickled."""
        return replace(self, tries=_sendable(self.tries))

    def code(self, frames: Frames) -> _Coded:
        """Carry it out."""
        chosen = choose_base(frames, self.plan, self.distances, self.exchange, self._candidate)
        return chosen.base, chosen.saved

    def _candidate(self, frame: int) -> CodedReference | None:
        return self.tries[nearest_sample(self.samples, frame)] if self.samples else None


@dataclass(frozen=True)
class KnownWay:
    """An order: code a video in this way."""

    plan: BasePlan
    references: tuple[CodedReference | None, ...]  # of each group
    saved: Mapping[bytes, float]  # bytes by reference, as they were found when the way was chosen

    @property
    def key(self) -> dict[str, Any]:
        """What decides the result, beside plan and video."""
        return {"groups": [None if r is None else r.digest.hex() for r in self.references]}

    def sendable(self) -> KnownWay:
        """The same, to be pickled."""
        return replace(self, references=_sendable(self.references))

    def code(self, frames: Frames) -> _Coded:
        """Carry it out."""
        return code_base(frames, self.plan, self.references), self.saved


Order = BestWay | KnownWay


class Packed(NamedTuple):
    """What comes of an order."""

    record: bytes
    packets: bytes  # back to back


def code_video(work: tuple[CachedVideo, Order]) -> Packed:
    """Carry out an order, wherever this is."""
    video, order = work
    with at_hand(video.store) as store:
        is_short = store.frame_bytes * len(store) <= _HELD_BYTES
        coded, saved = order.code(store.read(range(len(store))) if is_short else store)
        return Packed(json.dumps(_to_json(coded, saved)).encode(), b"".join(coded.packets))


@dataclass(frozen=True)
class StoredBase:
    """A video's base layer on disk."""

    plan: BasePlan
    header: bytes
    packet_lengths: tuple[int, ...]
    references: tuple[bytes | None, ...]  # of each group
    checksums: tuple[int, ...]  # of each group
    saved: Mapping[bytes, float]  # by reference: bytes, at equal quality
    path: Path  # its packets back to back

    @property
    def access(self) -> int:
        """See `VideoEntry.access`."""
        return access_of(self.plan.group_length, self.plan.distance, len(self.packet_lengths))

    def decoded(self, video: CachedVideo, references: Mapping[bytes, CodedReference], folder: Path) -> FrameStore:
        """Its coded frames, decoded, on disk in `folder`; what an earlier run has left there is taken."""
        count = len(self.packet_lengths)
        store = FrameStore(folder / f"{self.path.stem}.rgb", video.height, video.width, count)
        if not store.is_complete():
            with FrameStoreWriter(store.path) as writer:
                for frame in coded_frames(self._load(), (video.height, video.width), references):
                    writer.append(frame)
        return store

    def _load(self) -> CodedBase:
        data, ends = self.path.read_bytes(), accumulate(self.packet_lengths, initial=0)
        packets = tuple(data[a:b] for a, b in pairwise(ends))
        return CodedBase(self.plan, self.header, packets, self.references, lambda: np.zeros(0))


class Shelf:
    """Where one order's result is kept: whole, or not there."""

    def __init__(self, folder: Path, video: CachedVideo, order: Order) -> None:
        """In `folder`, under a name that says all that decides the result."""
        self.name = digest_of([order.key, asdict(replace(order.plan, threads=1)), video.digest])[:32]
        self._plan = order.plan
        self._record, self._packets = folder / f"{self.name}.json", folder / f"{self.name}.av1"

    @property
    def is_full(self) -> bool:
        """Whether the result is there."""
        return self._record.exists()

    def put(self, made: Packed) -> None:
        """Keep a result. Raises OutputError."""
        write_atomically(self._packets, made.packets)
        write_atomically(self._record, made.record)

    def take(self) -> StoredBase:
        """What is kept."""
        return _from_json(json.loads(self._record.read_bytes()), self._plan, self._packets)


def _sendable(references: Sequence[CodedReference | None]) -> tuple[CodedReference | None, ...]:
    """With their pictures in memory: each once, and others' disks need not be reached."""
    held = {r.digest: replace(r, draw=partial(_given, r.draw())) for r in references if r is not None}
    return tuple(None if r is None else held[r.digest] for r in references)


def _given(picture: Frame) -> Frame:
    return picture


def _to_json(coded: CodedBase, saved: Mapping[bytes, float]) -> dict[str, Any]:
    return {
        "distance": coded.plan.distance,
        "header": coded.header.hex(),
        "packets": [len(packet) for packet in coded.packets],
        "references": [None if digest is None else digest.hex() for digest in coded.references],
        "checksums": list(coded.checksums),
        "saved": {digest.hex(): count for digest, count in saved.items()},
    }


def _from_json(record: dict[str, Any], plan: BasePlan, path: Path) -> StoredBase:
    return StoredBase(
        replace(plan, distance=record["distance"]),
        bytes.fromhex(record["header"]),
        tuple(record["packets"]),
        tuple(None if digest is None else bytes.fromhex(digest) for digest in record["references"]),
        tuple(record["checksums"]),
        {bytes.fromhex(digest): count for digest, count in record["saved"].items()},
        path,
    )
