"""A command: options, a function to call with them, and one that lays out the record that comes back."""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

from dnerv.cli.help import command_help, usage_line
from dnerv.cli.parsing import parse
from dnerv.errors import DnervError
from dnerv.options import EVERYWHERE, Options, option
from dnerv.tables import Part

Record = dict[str, Any]


def is_first_process() -> bool:
    """Of processes that a launcher started together, whether this is the one that speaks."""
    return os.environ.get("RANK", "0") == "0"


@dataclass(frozen=True)
class Everywhere(Options):
    """What every command takes."""

    as_json: bool = option(False, "Print one JSON document instead of text.", flag="--json", group=EVERYWHERE)
    help: bool = option(False, "Show this, and stop.", short="-h", group=EVERYWHERE)
    debug: bool = option(False, "Show the traceback of an error.", group=EVERYWHERE)


@dataclass(frozen=True)
class Command:
    """One word of the command line, or two."""

    name: str
    help: str  # what it does in one line; after an empty line, more
    options: tuple[type[Options], ...]
    run: Callable[..., Record | None]  # called with a record of options for each class; None: nothing to show
    tables: Callable[[Record], Sequence[Part]]
    verdict: Callable[[Record], DnervError | None] = lambda record: None  # raised once the record was shown

    @property
    def summary(self) -> str:
        """What it does, for a list of commands."""
        return self.help.partition("\n")[0]

    @property
    def takes(self) -> tuple[type[Options], ...]:
        """Its own options and those of every command."""
        return *self.options, Everywhere

    @property
    def usage(self) -> str:
        """How it is called."""
        return usage_line(f"dnerv {self.name}", self.takes)

    def __call__(self, words: Sequence[str]) -> None:
        """Do what the words after the command's name say. Raises UsageError and what `run` raises."""
        if not {"-h", "--help"}.isdisjoint(words):
            print(command_help(f"dnerv {self.name}", self.help, self.takes))
            return
        *options, everywhere = parse(self.takes, words)
        assert isinstance(everywhere, Everywhere)
        from dnerv import progress, terminal

        with terminal.Display() as display, progress.listening(display):
            record = self.run(*options)
        if record is None:
            return
        if everywhere.as_json:
            terminal.print_json(record)
        else:
            terminal.print_parts(self.tables(record))
        if (error := self.verdict(record)) is not None:
            raise error
