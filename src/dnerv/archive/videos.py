"""Videos found by name: what an archive and a collection of archives have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Sequence
from types import TracebackType
from typing import TYPE_CHECKING, Self, overload

from dnerv.archive.entry import VideoEntry
from dnerv.errors import InputError, VideoNameError

if TYPE_CHECKING:
    from dnerv.archive.archive import Archive
    from dnerv.archive.video_reader import VideoReader


class Videos(ABC):
    """A mapping from names to readers, in the order of names. Close it, or use it in a `with` statement."""

    @property
    def entries(self) -> Entries:
        """What is known of each video, in the order of names; read as they are asked for. Errors name the file."""
        return Entries(self)

    @property
    @abstractmethod
    def names(self) -> list[str]:
        """Names of the videos, in the order of their bytes."""

    @property
    def class_names(self) -> list[str]:
        """Labels of the videos, each once, sorted: what loaders count labels in. Reads the whole index."""
        return sorted({entry.label for entry in self.entries if entry.label is not None})

    @property
    @abstractmethod
    def num_pixels(self) -> int:
        """Pixels of all frames at the size that was coded: what bits per pixel are counted on."""

    @property
    @abstractmethod
    def file_bytes(self) -> int:
        """Bytes of all that it is stored in."""

    @property
    def bits_per_pixel(self) -> float:
        """Its bits over `num_pixels`."""
        return 8 * self.file_bytes / self.num_pixels

    @abstractmethod
    def breakdown(self) -> dict[str, int]:
        """Bytes by purpose; they sum to `file_bytes`. Raises ArchiveError."""

    @abstractmethod
    def __len__(self) -> int: ...

    @abstractmethod
    def __contains__(self, name: str) -> bool: ...

    def __getitem__(self, name: str) -> VideoReader:
        """The video of this name. VideoNameError (a KeyError) where there is none, naming some that are."""
        archive, entry = self.find(name)
        return archive.reader(entry)

    def find(self, name: str) -> tuple[Archive, VideoEntry]:
        """The archive that has the video of this name, and its entry. VideoNameError as above."""
        if not isinstance(name, str):
            raise InputError(f"videos are found by their names, and {name!r} is none; `entries` has them by place")
        place = self.place_of(name)
        if place is None:
            there = ", ".join(entry.name for entry in self.entries[:5]) + (", ..." if len(self) > 5 else "")
            raise VideoNameError(f"no video is called {name!r} in {self._what_there_is}: {there}")
        return self.located(place)

    @abstractmethod
    def place_of(self, name: str) -> int | None:
        """The place of the video of this name in `entries`, None where there is none. Raises ArchiveError."""

    @abstractmethod
    def located(self, place: int) -> tuple[Archive, VideoEntry]:
        """The archive that has the video of this place in `entries`, and its entry. IndexError outside."""

    @abstractmethod
    def each_entry(self) -> Iterator[VideoEntry]:
        """All entries, faster than one by one."""

    @property
    @abstractmethod
    def _what_there_is(self) -> str:
        """For messages: where one looks, and how many videos it has."""

    @abstractmethod
    def close(self) -> None:
        """Close all files."""

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()


class Entries(Sequence[VideoEntry]):
    """The entries of videos by place, read from indexes as they are asked for. Errors name the file."""

    def __init__(self, videos: Videos) -> None:
        self._videos = videos

    def __len__(self) -> int:
        return len(self._videos)

    @overload
    def __getitem__(self, place: int) -> VideoEntry: ...
    @overload
    def __getitem__(self, place: slice) -> list[VideoEntry]: ...
    def __getitem__(self, place: int | slice) -> VideoEntry | list[VideoEntry]:
        if isinstance(place, slice):
            return [self._videos.located(i)[1] for i in range(*place.indices(len(self)))]
        return self._videos.located(place if place >= 0 else place + len(self))[1]

    def __iter__(self) -> Iterator[VideoEntry]:
        return self._videos.each_entry()
