"""Priors by name: those that come with dnerv, and those that a user's own files hold."""

from __future__ import annotations

import os
from collections.abc import Iterator
from functools import lru_cache
from pathlib import Path

from dnerv.bitstream.prior_file import PriorFile, read_prior
from dnerv.errors import InputError, MissingPriorError

SUFFIX = ".prior"
PLACES = "DNERV_PRIORS"  # in the environment: priors of one's own, files and folders of them, with colons between
_WORK = ".work"
_SHIPPED = Path(__file__).parent.parent / "priors"


def shipped() -> dict[str, Path]:
    """The priors that come with dnerv, by name."""
    return {path.stem: path for path in sorted(_SHIPPED.glob(f"*{SUFFIX}"))}


def given_prior(name: str) -> PriorFile:
    """A prior by its name among those that come with dnerv, or by its file, which is at hand from then on.

    Raises InputError.
    """
    known = shipped()
    if name not in known and not Path(name).is_file():
        raise InputError(f"no prior is called {name!r}, and no file; known: {', '.join(known) or 'none'}")
    if name in known:
        return _read(known[name])
    if os.pathsep in str(Path(name).resolve()):
        raise InputError(f"{name}: its path has a {os.pathsep!r} in it, which parts the places of {PLACES}; move it")
    prior = _read(Path(name))
    at_hand = os.environ.get(PLACES, "").split(os.pathsep)
    if (path := str(Path(name).resolve())) not in at_hand:
        os.environ[PLACES] = os.pathsep.join(filter(None, [path, *at_hand]))  # for processes that this one starts, too
    return prior


def prior_by_hash(wanted: str, archive: str = "") -> PriorFile:
    """The prior that an archive names. Raises MissingPriorError.

    `archive`: its path; priors may lie beside it.
    """
    for path in _files(archive):
        try:
            prior = _read(path)
        except InputError:  # a file of the user's folder that is something else
            continue
        if prior.hash == wanted:
            return prior
    raise MissingPriorError(
        f"frames are made with the prior {wanted}, which is not at hand: put it beside the archive, or say where it is "
        f"in {PLACES}; or read the base layers alone (layers='base', --layers base)"
    )


def _files(archive: str) -> Iterator[Path]:
    yield from shipped().values()
    if archive and "://" not in archive:
        folder = Path(archive).parent
        yield from sorted(folder.glob(f"*{SUFFIX}"))
        if folder.suffix == _WORK:  # an archive that is being made lies in a folder beside its place
            yield from sorted(folder.parent.glob(f"*{SUFFIX}"))
    for place in map(Path, filter(None, os.environ.get(PLACES, "").split(os.pathsep))):
        yield from sorted(place.glob(f"*{SUFFIX}")) if place.is_dir() else [place]


def _read(path: Path) -> PriorFile:
    status = path.stat() if path.exists() else None
    return _read_once(path, None if status is None else (status.st_mtime_ns, status.st_size, status.st_ino))


@lru_cache(maxsize=16)
def _read_once(path: Path, state: tuple[int, int, int] | None) -> PriorFile:
    return read_prior(path)
