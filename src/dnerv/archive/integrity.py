"""Check every byte of an archive that something points to, and that every record in it can be read."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from dnerv.archive.archive import KINDS, Archive
from dnerv.archive.entry import VideoEntry
from dnerv.bitstream import Container
from dnerv.errors import ArchiveError, MissingPriorError


def verify_archive(path: str | os.PathLike[str]) -> dict[str, Any]:
    """What of an archive, a file or behind a URL, is whole.

    Sections, the blocks of the index and the packets of videos are held against their checksums, references against
    their names; of seeds, that they decode. Bytes that nothing points to mean nothing and are not looked at.

    Returns:
        `intact`; the `sections` with whether each matches its checksum; `damaged_videos`, the names of those whose
        packets or references do not; and the first `problem` found, or None.

    Raises:
        ArchiveError: the header is damaged, or the file is no archive: no section can be told apart.
    """
    with Container.open(path, KINDS) as container:
        sections = dict(container.verify())
        found = _Findings(container)
        found.problems += [
            f"section {kind} does not match its checksum" for kind, whole in sections.items() if not whole
        ]
        if not found.problems or sections | {"NETW": True} == dict.fromkeys([*sections, "NETW"], True):
            found.has_problem(partial(_check_records, container, found))
    return {
        "path": container.name if container.is_remote else str(path),
        "intact": not found.problems,
        "problem": found.problems[0] if found.problems else None,
        "sections": sections,
        "damaged_videos": found.videos,
    }


@dataclass
class _Findings:
    container: Container
    problems: list[str] = field(default_factory=list)
    videos: list[str] = field(default_factory=list)  # names of damaged ones

    def has_problem(self, check: Callable[[], object]) -> bool:
        """Whether `check` finds one; it is noted."""
        try:
            check()
        except MissingPriorError:  # the file is whole: what lies elsewhere is not looked into
            return False
        except ArchiveError as error:
            self.problems.append(str(error).removeprefix(f"{self.container.name}: "))
            return True
        return False


def _check_records(container: Container, found: _Findings) -> None:
    """All that sections point to; a damaged network leaves base layers to be checked."""
    archive = Archive(container)
    found.has_problem(lambda: archive.made)
    if archive.config.network is not None and not found.problems:
        found.has_problem(lambda: archive.network.model)
    for place in range(len(archive.references)):
        found.has_problem(partial(archive.base.check_reference, place))
    for number in range(len(archive.index.blocks)):
        found.has_problem(partial(_check_block, archive, number, found))


def _check_block(archive: Archive, number: int, found: _Findings) -> None:
    for entry in archive.index.block(number):
        if found.has_problem(partial(_check_video, archive, entry)):
            found.videos.append(entry.name)


def _check_video(archive: Archive, entry: VideoEntry) -> None:
    archive.base.check(entry)
    if archive.uses_network(entry):
        archive.network.layout(entry)
