"""A corpus: which videos the user's files and folders hold, under which names, with which labels.

A name is what a user asks an archive for: the path below the given folder, without its suffix.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from dnerv.errors import InputError
from dnerv.video.listing import is_video_name, natural_key, numbered_images


@dataclass(frozen=True)
class Member:
    """One video of a corpus."""

    name: str  # unique in the corpus, a relative posix path without suffix where that is unambiguous
    source_path: Path  # a video file, or a folder of numbered images
    label: str | None  # class folder, where the input was a folder of class folders


@dataclass(frozen=True)
class _Found:
    root: Path  # the input under which it was found, absolute
    path: Path
    relative: PurePosixPath  # below the root; a file's or root's own name when it was given itself
    label: str | None

    @property
    def bare(self) -> str:
        return str(self.relative.with_suffix("")) if self.path.is_file() else str(self.relative)

    @property
    def prefixed(self) -> str:
        folder = self.root if self.root != self.path else self.root.parent
        return f"{folder.name}/{self.relative}"


def discover(inputs: Sequence[Path]) -> list[Member]:
    """The videos of `inputs` (files, or folders walked recursively), in the given and then natural order.

    A folder with two or more numbered images and no video is one video. Raises InputError for a missing path,
    a folder without videos, no input at all, or two videos that cannot be told apart by name.
    """
    if not inputs:
        raise InputError("no input was given: name video files or folders")
    found: list[_Found] = []
    for path in inputs:
        found += _found_at(Path(path))
    return [Member(name, item.path, item.label) for name, item in zip(_names(found), found, strict=True)]


def _found_at(path: Path) -> list[_Found]:
    if not path.exists():
        raise InputError(f"{path}: no such file or folder")
    root = path.resolve()
    if not path.is_dir():
        # The name is the one the user typed, not the one a link leads to.
        return [_Found(path.absolute(), path.absolute(), PurePosixPath(path.name), None)]
    try:
        videos = list(_walk(root, set()))
    except OSError as error:
        raise InputError(f"{error.filename or path}: cannot be read ({error.strerror})") from error
    if not videos:
        raise InputError(f"{path}: no video in this folder (known video files, or numbered images)")
    relatives = [PurePosixPath(p.relative_to(root).as_posix() if p != root else root.name) for p in videos]
    labels = _labels(relatives)
    return [_Found(root, *entry) for entry in zip(videos, relatives, labels, strict=True)]


def _walk(folder: Path, visited: set[Path]) -> Iterator[Path]:
    """Videos below `folder` in natural order, hidden entries left out. Raises OSError."""
    real = folder.resolve()
    if real in visited:  # a link back up would never end
        return
    visited.add(real)
    entries = sorted((p for p in folder.iterdir() if p.name[0] != "."), key=lambda p: natural_key(p.name))
    if not any(is_video_name(p) and p.is_file() for p in entries) and len(numbered_images(folder)) >= 2:
        yield folder
    for entry in entries:
        if entry.is_dir():
            yield from _walk(entry, visited)
        elif is_video_name(entry) and entry.is_file():
            yield entry


def _labels(relatives: Sequence[PurePosixPath]) -> list[str | None]:
    """Class folders, if every video lies exactly one level down and there are at least two such folders."""
    classes = {path.parts[0] for path in relatives}
    if len(classes) < 2 or any(len(path.parts) != 2 for path in relatives):
        return [None] * len(relatives)
    return [path.parts[0] for path in relatives]


def _names(found: Sequence[_Found]) -> list[str]:
    """Unique names: bare; where these collide with the suffix; where those do, with the input's folder."""
    names = [item.bare for item in found]
    for longer in (_with_suffix, _with_folder):
        names = _replace_collisions(names, found, longer)
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"{count} videos would share the name {name!r}: was one given twice?")
        _check_encodable(name)
    return names


def _replace_collisions(names: list[str], found: Sequence[_Found], longer: Callable[[_Found], str]) -> list[str]:
    counts = Counter(names)
    return [longer(item) if counts[name] > 1 else name for name, item in zip(names, found, strict=True)]


def _with_suffix(item: _Found) -> str:
    return str(item.relative)


def _with_folder(item: _Found) -> str:
    return item.prefixed


def _check_encodable(name: str) -> None:
    try:
        name.encode()
    except UnicodeEncodeError as error:
        raise InputError(f"{name!r}: file names must be valid UTF-8 to be stored") from error
