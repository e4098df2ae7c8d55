"""`dnerv serve`."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Literal

from dnerv import progress
from dnerv.cli.command import Command, Record
from dnerv.cli.commands.decode import DecodeOptions
from dnerv.cli.commands.given import ArchiveGiven
from dnerv.options import Options, like, option
from dnerv.tables import Part


@dataclass(frozen=True)
class ServeOptions(Options):
    """Where, and what is played."""

    port: int = option(8000, "Port on the loopback address; 0: any that is free.", low=0, high=65535)
    layers: Literal["all", "base"] = like(DecodeOptions, "layers", group="Options")


def _run(given: ArchiveGiven, options: ServeOptions) -> Record:
    from dnerv.serving import ArchiveServer

    with ArchiveServer(given.archive, port=options.port, layers=options.layers) as server:
        progress.note(f"{server.url} shows {given.archive}, to this machine alone; Ctrl-C ends it")
        with suppress(KeyboardInterrupt):
            server.serve_forever()
        return {"served": server.url}


def _tables(record: Record) -> Sequence[Part]:
    return []


COMMAND = Command(
    "serve",
    "Look through an archive in a browser, on this machine.\n\nNames, labels, sizes, a search; videos play.",
    (ArchiveGiven, ServeOptions),
    _run,
    _tables,
)
