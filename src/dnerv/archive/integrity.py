"""Check every byte of an archive against its checksums, and that every record in it can be read."""

from __future__ import annotations

import os
from typing import Any

from dnerv.archive.archive import Archive
from dnerv.bitstream import Container
from dnerv.errors import ArchiveError


def verify_archive(path: str | os.PathLike[str]) -> dict[str, Any]:
    """-> `intact`, the `sections` with whether each matches its checksum, and the `problem` found, or None.

    Raises:
        ArchiveError: the header is damaged, or the file is no archive: no section can be told apart.
    """
    with Container.open(path) as container:
        sections = dict(container.verify())
        damaged = [kind for kind, is_whole in sections.items() if not is_whole]
        problem = f"section {damaged[0]} does not match its checksum" if damaged else _unreadable(container)
    return {"path": str(path), "intact": problem is None, "problem": problem, "sections": sections}


def _unreadable(container: Container) -> str | None:
    """What is wrong with the records, checksums apart."""
    try:
        with Archive(container) as archive:
            _ = archive.model
            if archive.config.keyframes is not None:
                for place in range(len(archive)):
                    archive.check_keyframes(place)
    except ArchiveError as error:
        return str(error).removeprefix(f"{container.path}: ")
    return None
