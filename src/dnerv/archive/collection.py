"""Several `.dnerv` files as one collection of videos.

    collection = dnerv.open(["a.dnerv", "b.dnerv"])       # or dnerv.open("shards/*.dnerv")
    collection["bikes"][16:24]

It reads as the archive that `merge` would make of the files, in the same order and thus in the same batches; nothing is
copied. Opening reads all names: a name that two of the files have is refused, and eight bytes a video are kept.
"""

from __future__ import annotations

import heapq
import os
from array import array
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from glob import glob, has_magic
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, TypeVar

import numpy as np
from numpy.typing import NDArray

from dnerv.archive.archive import Archive
from dnerv.archive.choices import DimensionOrder, Layers
from dnerv.archive.entry import VideoEntry, sort_key
from dnerv.archive.videos import Videos
from dnerv.bitstream import is_url
from dnerv.errors import InputError

if TYPE_CHECKING:
    import torch

    from dnerv.archive.video_reader import VideoReader
    from dnerv.engine import ChosenPrecision, Precision

PathOrUrl = str | os.PathLike[str]
_OPENED_AT_ONCE = 16
_LISTED = 5  # names in a message
Value = TypeVar("Value")


class Collection(Videos):
    """Videos of several archives, found by name: read as an `Archive` is. Threads may share it, and it pickles."""

    def __init__(self, archives: Sequence[Archive], order: Order | None = None) -> None:
        """`archives`: open ones with the same options; they are closed with it. `order`: of them, where it is known.

        Raises:
            InputError: no archive, archives that are opened in different ways, or a name that two of them have.
            ArchiveError: one is damaged.
        """
        self.archives = tuple(archives)
        if not self.archives:
            raise InputError("a collection is made of at least one archive")
        first = self.archives[0]
        self.layers: Layers = first.layers
        self.precision: ChosenPrecision = first.precision
        if any(
            (each.layers, each.device_name, each.precision) != (self.layers, first.device_name, self.precision)
            for each in archives
        ):
            raise InputError("the archives of a collection have the same layers, device and precision")
        self._order = Order.of(self.archives) if order is None else order

    @property
    def device(self) -> torch.device:
        """Where networks run and frames come out."""
        return self.archives[0].device

    @property
    def names(self) -> list[str]:
        """Names of the videos, in the order of their bytes."""
        return list(self.in_order([iter(archive.names) for archive in self.archives]))

    @property
    def num_frames(self) -> int:
        """Frames of all videos."""
        return sum(archive.num_frames for archive in self.archives)

    @property
    def num_pixels(self) -> int:
        """Pixels of all frames at the size that was coded: what bits per pixel are counted on."""
        return sum(archive.num_pixels for archive in self.archives)

    @property
    def file_bytes(self) -> int:
        """Size of all files."""
        return sum(archive.file_bytes for archive in self.archives)

    @property
    def is_remote(self) -> bool:
        """Whether a file is behind a URL."""
        return any(archive.is_remote for archive in self.archives)

    @property
    def title(self) -> str:
        """What it is called in a few words."""
        return self.archives[0].title if len(self.archives) == 1 else f"{len(self.archives)} archives"

    def breakdown(self) -> dict[str, int]:
        """Bytes by purpose, of all files; they sum to `file_bytes`. Raises ArchiveError."""
        return summed(archive.breakdown() for archive in self.archives)

    def __len__(self) -> int:
        return len(self._order.owners)

    def __repr__(self) -> str:
        return f"<dnerv collection of {self.title}: {len(self)} videos, {self.num_frames} frames>"

    def __contains__(self, name: str) -> bool:
        return any(name in archive for archive in self.archives)

    def __iter__(self) -> Iterator[VideoReader]:
        return self.in_order([iter(archive) for archive in self.archives])

    def place_of(self, name: str) -> int | None:
        """The place of the video of this name in `entries`, None where there is none. Raises ArchiveError."""
        for owner, archive in enumerate(self.archives):
            place = archive.place_of(name)
            if place is not None:
                return self._order.find(owner, place)
        return None

    def located(self, place: int) -> tuple[Archive, VideoEntry]:
        """The archive that has the video of this place in `entries`, and its entry. IndexError outside."""
        if not 0 <= place < len(self):
            raise IndexError(f"video {place}: there are {len(self)}")
        archive = self.archives[self._order.owners[place]]
        return archive, archive.entries[int(self._order.places[place])]

    def each_entry(self) -> Iterator[VideoEntry]:
        """All entries, each archive's block by block."""
        return self.in_order([archive.each_entry() for archive in self.archives])

    @property
    def _what_there_is(self) -> str:
        return f"{self.title}; there are {len(self)}"

    def in_order(self, each: Sequence[Iterator[Value]]) -> Iterator[Value]:
        """What is given for each archive's videos, in the order of names."""
        return (next(each[owner]) for owner in self._order.owners.tolist())

    def reopened(
        self,
        *,
        layers: Layers | None = None,
        device: str | torch.device | None = None,
        precision: Precision | None = None,
    ) -> Collection:
        """See `Archive.reopened`."""
        reopened = [each.reopened(layers=layers, device=device, precision=precision) for each in self.archives]
        return self if reopened[0] is self.archives[0] else Collection(reopened, self._order)

    def close(self) -> None:
        """Close all files."""
        for archive in self.archives:
            archive.close()

    def __reduce__(self) -> tuple[Any, ...]:
        return Collection, (self.archives, self._order)


@dataclass(frozen=True)
class Order:
    """Which archive has the next video, in the order of names, and its place there."""

    owners: NDArray[np.uint32]  # [videos]
    places: NDArray[np.uint32]  # [videos]

    @classmethod
    def of(cls, archives: Sequence[Archive]) -> Order:
        """Read all names. Raises ArchiveError; InputError for a name that two have."""
        owners, places = array("I"), array("I")
        twice: list[str] = []
        last, owner_of_last = b"", -1
        for key, owner, place in heapq.merge(*(_keys(owner, archive) for owner, archive in enumerate(archives))):
            if key == last and owner_of_last >= 0:
                twice.append(
                    f"{key.decode()!r} in {archives[owner_of_last].container.name} and in "
                    f"{archives[owner].container.name}"
                )
            last, owner_of_last = key, owner
            owners.append(owner)
            places.append(place)
        if twice:
            more = f"; {len(twice) - _LISTED} more names are in several" if twice[_LISTED:] else ""
            raise InputError(f"a collection has each name once, and there are {', '.join(twice[:_LISTED])}{more}")
        return cls(np.frombuffer(owners, np.uint32), np.frombuffer(places, np.uint32))

    def find(self, owner: int, place: int) -> int:
        """Where the video of this place of an archive stands."""
        return int(np.flatnonzero((self.owners == owner) & (self.places == place))[0])


def _keys(owner: int, archive: Archive) -> Iterator[tuple[bytes, int, int]]:
    """Names to sort by, the archive's number and the video's place in it."""
    with archive.errors_name_it():
        for place, name in enumerate(archive.index.names()):
            yield sort_key(name), owner, place


def open_archives(
    source: PathOrUrl | Sequence[PathOrUrl],
    *,
    layers: Layers = "all",
    device: str | torch.device = "cpu",
    precision: Precision = "fp32",
    size: Literal["original", "coded"] = "original",
    dimension_order: DimensionOrder = "NCHW",
    allowance: float | None = None,
    storage_options: Mapping[str, Any] | None = None,
) -> Archive | Collection:
    """Open an archive, or several as one collection.

    Args:
        source: the path or URL of a file; a list of them, or a pattern such as "shards/*.dnerv", gives a collection.
        layers, device, precision, size, dimension_order, allowance, storage_options: as for `Archive`.

    Raises:
        ArchiveError: not an archive, or a damaged one.
        InputError: an argument is not one of the allowed, no file matches, or two files have a video of one name.
    """
    opened = partial(
        Archive,
        layers=layers,
        device=device,
        precision=precision,
        size=size,
        dimension_order=dimension_order,
        allowance=allowance,
        storage_options=storage_options,
    )
    if isinstance(source, str | os.PathLike):
        if not _is_pattern(source):
            return opened(source)
        source = [source]
    archives = _all_opened(matching_paths(source, storage_options), opened)
    try:
        return Collection(archives)
    except BaseException:
        for archive in archives:
            archive.close()
        raise


def matching_paths(sources: Sequence[PathOrUrl], storage_options: Mapping[str, Any] | None = None) -> list[PathOrUrl]:
    """Paths and URLs, patterns among them replaced by what they match. Raises InputError where one matches nothing."""
    return [path for each in sources for path in (_matching(each, storage_options) if _is_pattern(each) else [each])]


def summed(parts: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Breakdowns as one, by purpose, in the order of the one that has most."""
    each = sorted(parts, key=len, reverse=True)
    total = dict.fromkeys(each[0], 0)
    for part in each:
        for purpose, number in part.items():
            total[purpose] = total.get(purpose, 0) + number
    return total


def _is_pattern(source: PathOrUrl) -> bool:
    if is_url(source):
        return "*" in str(source).partition("?")[0]
    return has_magic(os.fspath(source)) and not Path(source).exists()


def _matching(pattern: PathOrUrl, storage_options: Mapping[str, Any] | None) -> list[str]:
    if is_url(pattern):
        from dnerv.bitstream.remote import expand_url

        found = expand_url(str(pattern), storage_options)
    else:
        found = sorted(glob(os.fspath(pattern), recursive=True))  # noqa: PTH207  (of absolute patterns too)
    if not found:
        raise InputError(f"no file matches {str(pattern)!r}")
    return found


def _all_opened(paths: Sequence[PathOrUrl], opened: Callable[[PathOrUrl], Archive]) -> list[Archive]:
    """All of them, many at once, or none."""
    with ThreadPoolExecutor(_OPENED_AT_ONCE) as threads:
        opening = [threads.submit(opened, path) for path in paths]
    try:
        return [each.result() for each in opening]
    except BaseException:
        for each in opening:
            if each.exception() is None:
                each.result().close()
        raise
