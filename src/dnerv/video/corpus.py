"""A corpus: which videos the user's files and folders hold, under which names, with which labels.

A name is what a user asks an archive for: the path below the given folder, without its suffix. What is left out is
said: as an error where it looks like a video that was meant, else as a warning or a note.
"""

from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath

from dnerv import progress
from dnerv.errors import InputError
from dnerv.video.listing import (
    image_sequences,
    is_numbered_image_name,
    is_video_name,
    natural_key,
    numbered_images,
)
from dnerv.video.names import refusal
from dnerv.video.parts import LIST_SUFFIX, FilePart, read_parts
from dnerv.video.tars import is_tar_name, split_tar_path, tar_videos

OnBad = Callable[[InputError], None]  # told of an input that cannot be used; where it returns, the rest goes on


@dataclass(frozen=True)
class Member:
    """One video of a corpus."""

    name: str  # unique in the corpus, a relative posix path without suffix where that is unambiguous
    source_path: Path  # a video file, one in a tar file, a folder of images, or FOLDER/img_*.jpg, a sequence of them
    label: str | None  # class folder, where the input was a folder of class folders, or what a tar file says
    part: FilePart | None = None  # of the file; None: all of it


def files_of(member: Member) -> list[Path]:
    """The files that make up a video. Raises InputError where there are none any more."""
    from dnerv.video.source import VideoSource

    return VideoSource(member.source_path).files


@dataclass(frozen=True)
class _Found:
    path: Path
    bare: str  # name below the input, without suffix
    full: str  # with suffix
    root: Path  # the input under which it was found, absolute
    place: PurePosixPath  # of the file or of the folder of images, below the root
    label: str | None = None
    part: FilePart | None = None

    @property
    def prefixed(self) -> str:
        folder = self.root if self.root != self.path else self.root.parent
        return f"{folder.name}/{self.full}"


def _raise(error: InputError) -> None:
    raise error


def discover(inputs: Sequence[Path], *, on_bad: OnBad = _raise) -> list[Member]:
    """The videos of `inputs`, in the given and then natural order.

    An input is a file, a folder, which is walked recursively, a tar file of videos, which folders may hold too
    (`dnerv.video.tars`), or a list of parts of files (`dnerv.video.parts`).

    A folder with numbered images and no video is a video, or one for each sequence of images that it holds. Folders
    within an input that cannot be read are passed over with a warning.

    Args:
        on_bad: told of a missing path, a folder without videos, a link to nothing, a name that cannot be stored. By
            default it raises.

    Raises InputError for no input at all, no video, or two videos that cannot be told apart by name.
    """
    if not inputs:
        raise InputError("no input was given: name video files or folders")
    members: list[Member] = []
    found = [item for path in inputs for item in _found_at(Path(path), on_bad)]
    for name, item in zip(_names(found), found, strict=True):
        reason = refusal(name) or _unstorable(name)
        if reason is None:
            members.append(Member(name, item.path, item.label, item.part))
        else:
            on_bad(InputError(f"{item.path}: cannot be stored, its name {name!r} {reason}: rename it"))
    if not members:
        raise InputError(f"no video in {', '.join(map(str, inputs))}")
    return members


def _found_at(path: Path, on_bad: OnBad) -> list[_Found]:
    if path.is_dir():
        root = path.resolve()
        found = list(_walk(root, root, set(), on_bad))
        if not found:
            on_bad(InputError(f"{path}: no video in this folder, nor numbered images or a tar file"))
        return _labelled(found)
    # The name is the one the user typed, not the one a link leads to.
    path = path.absolute()
    if path.name.endswith(LIST_SUFFIX):
        return [
            _Found(each.path, each.name, each.name, path, PurePosixPath(each.name), each.label, each.part)
            for each in read_parts(path)
        ]
    if is_tar_name(path) and path.is_file():
        return _labelled(list(_in_tar(path, path, on_bad)))
    if path.exists() or split_tar_path(path) is not None:
        place = PurePosixPath(path.name)
        return [_Found(path, str(place.with_suffix("")), path.name, path, place)]
    if "*" in path.name and path.parent.is_dir() and path.name in image_sequences(numbered_images(path.parent)):
        return _sequences(path.parent, [path.name], path.parent)
    on_bad(_dangling(path) if path.is_symlink() else InputError(f"{path}: no such file or folder"))
    return []


def _walk(folder: Path, root: Path, visited: set[Path], on_bad: OnBad) -> Iterator[_Found]:
    """Videos below `folder` in natural order, hidden entries left out."""
    real = folder.resolve()
    if real in visited:  # a link back up would never end
        progress.note(f"{folder} leads to {real} once more: its videos are there already")
        return
    visited.add(real)
    try:
        entries = sorted((p for p in folder.iterdir() if p.name[0] != "."), key=lambda p: natural_key(p.name))
        kinds = [(entry, entry.is_dir(), entry.is_file()) for entry in entries]
        images = numbered_images(folder)
    except OSError as error:
        reason = f"{error.filename or folder}: cannot be read ({error.strerror})"
        if folder == root:
            on_bad(InputError(reason))
        else:
            progress.warning(f"passed over: {reason}")
        return
    if any(is_file and is_video_name(entry) for entry, _, is_file in kinds):
        if len(images) > 1:
            progress.note(f"{folder}: {len(images)} numbered images beside videos are no video")
    else:
        yield from _image_videos(folder, images, root)
    for entry, is_folder, is_file in kinds:
        if is_folder:
            yield from _walk(entry, root, visited, on_bad)
        elif is_file and is_tar_name(entry):
            yield from _in_tar(entry, root, on_bad)
        elif is_file and is_video_name(entry):
            place = PurePosixPath(entry.relative_to(root).as_posix())
            yield _Found(entry, str(place.with_suffix("")), str(place), root, place)
        elif not is_file and (is_video_name(entry) or is_numbered_image_name(entry)):
            on_bad(_dangling(entry) if entry.is_symlink() else InputError(f"{entry}: is no regular file"))
        elif not is_file and entry.is_symlink():
            progress.warning(f"passed over: {_dangling(entry)}")


def _in_tar(tar: Path, root: Path, on_bad: OnBad) -> Iterator[_Found]:
    """Videos of a tar file, named as if it were a folder; its own name makes no class. None where it is bad."""
    try:
        videos = tar_videos(tar, on_bad)
    except InputError as error:
        on_bad(error)
        return
    if not videos and tar == root:
        on_bad(InputError(f"{tar}: no video in this tar file"))
    elif not videos:
        progress.note(f"{tar}: no video in this tar file")
    place = PurePosixPath(tar.relative_to(root).as_posix())
    for video in videos:
        full = place.with_suffix("") / video.place if tar != root else video.place
        inside = place.parent / video.place
        yield _Found(tar / video.place, str(full.with_suffix("")), str(full), root, inside, video.label)


def _dangling(link: Path) -> InputError:
    return InputError(f"{link}: a link to {link.readlink()}, which is not there")


def _image_videos(folder: Path, images: Sequence[Path], root: Path) -> Iterator[_Found]:
    """The sequences of images in a folder that holds no video file."""
    sequences = image_sequences(images)
    single = [members[0].name for members in sequences.values() if len(members) == 1]
    patterns = [pattern for pattern, members in sequences.items() if len(members) > 1]
    if single and len(images) > 1:
        progress.warning(f"{folder}: passed over, for no other image is numbered like it: {', '.join(single[:5])}")
    if len(patterns) == 1:
        place = PurePosixPath(folder.relative_to(root).as_posix()) if folder != root else PurePosixPath(root.name)
        yield _Found(folder, str(place), str(place), root, place)
    elif patterns:
        progress.note(f"{folder}: {len(patterns)} sequences of images, a video each: {', '.join(patterns)}")
        yield from _sequences(folder, patterns, root)


def _sequences(folder: Path, patterns: Sequence[str], root: Path) -> list[_Found]:
    """Videos called as what their images' names have in common: `img_*.jpg` is `img`."""
    place = PurePosixPath(folder.relative_to(root).as_posix())
    words = [PurePosixPath(pattern).stem.strip("*_-. ") for pattern in patterns]
    counts = Counter(zip(words, (PurePosixPath(pattern).suffix for pattern in patterns), strict=True))
    found = []
    for pattern, word in zip(patterns, words, strict=True):
        suffix = PurePosixPath(pattern).suffix
        if counts[word, suffix] > 1:
            word = PurePosixPath(pattern).stem
        bare = str(place / word) if word or folder != root else root.name
        found.append(_Found(folder / pattern, bare, bare + suffix, root, place))
    return found


def _labelled(found: Sequence[_Found]) -> list[_Found]:
    """By class folders, if every video lies exactly one level down, and there are at least two such folders.

    Where any has a label already, those of the others are missing for a reason.
    """
    if any(item.label is not None for item in found):
        return list(found)
    classes = {item.place.parts[0] for item in found if item.place.parts}
    if len(classes) < 2 or any(len(item.place.parts) != 2 for item in found):
        return list(found)
    return [replace(item, label=item.place.parts[0]) for item in found]


def _names(found: Sequence[_Found]) -> list[str]:
    """Unique names: bare; where these collide with the suffix; where those do, with the input's folder."""
    names = [item.bare for item in found]
    longer_names: tuple[Callable[[_Found], str], ...] = (lambda item: item.full, lambda item: item.prefixed)
    for longer in longer_names:
        counts = Counter(names)
        names = [longer(item) if counts[name] > 1 else name for name, item in zip(names, found, strict=True)]
    for name, count in Counter(names).items():
        if count > 1:
            raise InputError(f"{count} videos would share the name {name!r}: was one given twice?")
    return names


def _unstorable(name: str) -> str | None:
    try:
        name.encode()
    except UnicodeEncodeError:
        return "is no valid UTF-8"
    return None
