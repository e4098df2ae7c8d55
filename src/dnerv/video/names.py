"""Names of videos: which an archive can hold, and under which file names its videos are written.

A name is a relative path with `/` between its parts. `refusal` is asked by whoever makes names and by the reader of
archives, so that what is written can be read. `file_names` finds a place on disk for every name.
"""

from __future__ import annotations

import hashlib
import os
from collections.abc import Iterable
from pathlib import PurePosixPath

LONGEST_FILE_NAME = 255  # bytes, of the file systems in use


def refusal(name: object) -> str | None:
    """Why an archive cannot hold a video of this name; None where it can."""
    if not isinstance(name, str) or not name:
        return "is no text"
    if "\0" in name or "\\" in name:
        return "holds a backslash or a zero, which other systems take for something else"
    if name.startswith("/") or any(part in ("", ".", "..") for part in name.split("/")):
        return "is no relative path"
    return None


def file_names(names: Iterable[str], suffix: str, longest: int = LONGEST_FILE_NAME) -> dict[str, PurePosixPath]:
    """A relative path for each name, with `suffix` at its end: the name itself wherever a file can have it.

    Parts that are too long are cut, and what is no Unicode text is replaced; a file that would stand where others need
    a folder steps aside. Such paths end in `~` and eight digits that follow from the name alone.
    """
    plain = {name: PurePosixPath(name + suffix) for name in names}
    folders = {parent for path in plain.values() for parent in path.parents}
    return {
        name: path if path not in folders and _fits(path, longest) else _replacement(name, suffix, longest)
        for name, path in plain.items()
    }


def _fits(path: PurePosixPath, longest: int) -> bool:
    text = str(path)
    return _is_text(text) and (len(text) * 4 <= longest or all(len(os.fsencode(p)) <= longest for p in path.parts))


def _is_text(text: str) -> bool:
    try:
        text.encode()
    except UnicodeEncodeError:
        return False
    return True


def _replacement(name: str, suffix: str, longest: int) -> PurePosixPath:
    *folders, last = name.split("/")
    cut = [f if _fits(PurePosixPath(f), longest) else _cut(f, longest, _mark(f)) for f in folders]
    return PurePosixPath(*cut, _cut(last, longest, _mark(name) + suffix))


def _mark(text: str) -> str:
    return "~" + hashlib.sha256(text.encode(errors="surrogatepass")).hexdigest()[:8]


def _cut(part: str, longest: int, end: str) -> str:
    """`part` as text with `end`, cut so that both fit."""
    text = "".join(letter if _is_text(letter) else "_" for letter in part)
    return text.encode()[: longest - len(end.encode())].decode(errors="ignore") + end
