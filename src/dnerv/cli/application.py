"""The command line's root: which commands there are, and which one is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from importlib import import_module

from dnerv.cli.command import Command
from dnerv.cli.help import Row, laid_out
from dnerv.cli.parsing import UsageError
from dnerv.studies import STUDIES, SUMMARIES

_GROUPS: Mapping[str, Sequence[str]] = {
    "Archives": ("encode", "decode", "info", "evaluate", "verify", "presets"),
    "Made with the network": ("interpolate", "inpaint"),
    "Measurements": ("report",),
}
_MODULES = [name for names in _GROUPS.values() for name in names]
_ALONE = ("compare", "bench")  # studies that are commands by themselves
_USAGE = "Usage: dnerv COMMAND ..."
_ABOUT_STUDIES = "The paper's experiments, on your own videos."
_HELP = ("-h", "--help")
_GENERAL: Sequence[Row] = (
    ("-h, --help", "Show this, or with a command its options, and stop."),
    ("--version", "Print the version, and stop."),
    ("--debug", "Show the traceback of an error."),
)


def commands() -> dict[str, Command]:
    """All of them, by the words that call them."""
    return {words: command(words) for words in (*_MODULES, *_studies())}


def command(words: str) -> Command:
    """The command that is called by one word, or by `study` and another. Raises UsageError."""
    studies = _studies()
    if words in studies:
        from dnerv.cli.commands.study import study_command

        return study_command(words, studies[words])
    if words not in _MODULES:
        known = sorted({name.split()[0] for name in (*_MODULES, *studies)})
        if words.startswith("study "):
            known = [name for name in studies if " " in name]
        raise UsageError(f"no command is called {words!r}; known: {', '.join(known)}")
    made: Command = import_module(f"dnerv.cli.commands.{words}").COMMAND
    return made


def call(words: Sequence[str]) -> None:
    """Do what the words after `dnerv` say. Raises UsageError and what the command raises."""
    if not words or words[0] in _HELP:
        print(_help())
    elif words[0] == "--version":
        from dnerv import __version__

        print(f"dnerv {__version__}")
    elif words[0] == "study" and (len(words) == 1 or words[1] in _HELP):
        print(_study_help())
    elif words[0] in ("study", *_ALONE) and " ".join(words[: 2 if words[0] == "study" else 1]) not in _studies():
        from dnerv.cli import comparisons, studies  # noqa: F401  their commands, until all studies are in STUDIES
        from dnerv.cli.typed_application import app

        app(list(words), prog_name="dnerv")
    else:
        length = 2 if words[0] == "study" else 1
        command(" ".join(words[:length]))(words[length:])


def usage(words: Sequence[str]) -> str:
    """How the command that is meant is called."""
    length = 2 if words[:1] == ["study"] else 1
    try:
        return command(" ".join(words[:length])).usage
    except UsageError:
        return _USAGE


def _studies() -> dict[str, str]:
    """The studies' names, by the words that call them."""
    return {name if name in _ALONE else f"study {name}": name for name in STUDIES}


def _help() -> str:
    groups = {title: [(name, command(name).summary) for name in names] for title, names in _GROUPS.items()}
    studies = [(name, SUMMARIES[name]) for name in _ALONE if name in SUMMARIES]
    groups["Measurements"] = [*studies, ("study NAME", _ABOUT_STUDIES), *groups["Measurements"]]
    return laid_out(_USAGE, "A whole video collection in one neural file.", groups | {"Options": list(_GENERAL)})


def _study_help() -> str:
    rows = [(name, SUMMARIES[name]) for name in STUDIES if name not in _ALONE]
    return laid_out("Usage: dnerv study NAME ...", _ABOUT_STUDIES, {"Studies": rows})
