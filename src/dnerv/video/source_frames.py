"""Frames that stay in their source until they are asked for: a corpus is planned without all of them on one disk.

SourceFrames ── `read` ──────── decoded into its own folder, once, and kept there       (who plans)
             └─ `at_hand` ───── decoded into a temporary folder, gone at the end        (who codes one video)
"""

from __future__ import annotations

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from threading import RLock

import numpy as np
from numpy.typing import NDArray

from dnerv.errors import InputError
from dnerv.files import temporary_beside
from dnerv.video.cache import CachedVideo, cache_silently
from dnerv.video.corpus import Member
from dnerv.video.store import FrameStore

_decoding = RLock()  # threads that ask for the frames of one video at once would write one file


@dataclass(frozen=True)
class SourceFrames(FrameStore):
    """Frames of a video, decoded anew where they are asked for. Pickled, it takes none of them along."""

    member: Member
    scaled: tuple[int, int] | None  # height, width as asked; None: as they are
    fps: Fraction | None  # as asked
    digest: str  # of the frames: `CachedVideo.digest`

    def read(self, indices: Sequence[int] | NDArray[np.integer]) -> NDArray[np.uint8]:
        """See `FrameStore.read`. Raises InputError, too, where the source is not what it was."""
        with _decoding:
            store = self._here
        return store.read(indices)

    def fetched(self, folder: Path) -> FrameStore:
        """All frames, on disk in `folder`. Raises InputError where the source is not what it was."""
        video = cache_silently(self.member, folder, self.scaled, self.fps)
        if video.digest != self.digest:
            raise InputError(
                f"{self.member.source_path}: gives other frames than when it was first read: it has been changed, or "
                "the machines have different versions of FFmpeg"
            )
        return video.store

    @cached_property
    def _here(self) -> FrameStore:
        return self.fetched(self.path.parent)


def look_at(
    member: Member, folder: Path, *, size: tuple[int, int] | None = None, fps: Fraction | None = None
) -> CachedVideo:
    """What is known of a video once it has been decoded, without its frames: they can be had again, in `folder`.

    Args:
        size: height, width in pixels; None for the source's. fps: constant rate; None for the source's own times.

    Raises:
        InputError: it cannot be read.
    """
    with _temporary_folder() as temporary:
        video = cache_silently(member, temporary, size, fps)
    path = folder / video.store.path.name
    shape = (video.height, video.width, len(video.store))
    return replace(video, store=SourceFrames(path, *shape, member, size, fps, video.digest))


@contextmanager
def at_hand(store: FrameStore) -> Iterator[FrameStore]:
    """The frames on this machine's disk; those that had to be decoded for it are gone at the end."""
    if not isinstance(store, SourceFrames):
        yield store
        return
    with _temporary_folder() as folder:
        yield store.fetched(folder)


@contextmanager
def _temporary_folder() -> Iterator[Path]:
    """Gone at the end; what killed processes have left goes when the next one begins."""
    with temporary_beside(Path(tempfile.gettempdir()) / "frames", is_folder=True) as folder:
        yield folder
