"""The command line's root: which commands there are, and which one is meant."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from difflib import get_close_matches
from importlib import import_module

from dnerv.cli.command import Command
from dnerv.cli.help import Row, laid_out
from dnerv.cli.parsing import UsageError
from dnerv.studies import STUDIES, SUMMARIES

# Modules of `commands`, and studies that are commands by themselves; the others are called `study NAME`.
_GROUPS: Mapping[str, Sequence[str]] = {
    "Archives": ("encode", "decode", "info", "evaluate", "verify", "serve", "presets"),
    "Archives that change": ("add", "remove", "extract", "merge", "compact"),
    "Made with the network": ("interpolate", "inpaint"),
    "LeRobot's folders": ("from-lerobot", "to-lerobot"),
    "Networks that are trained already": ("prior train", "prior show"),
    "Measurements": ("compare", "bench", "study", "report"),
}
_NAMES = [name for names in _GROUPS.values() for name in names]
_USAGE, _ABOUT = "Usage: dnerv COMMAND ...", "A whole video collection in one file."
_TWO_WORDS = ("study", "prior")  # first words of commands that have two
_PRIOR_USAGE, _ABOUT_PRIORS = "Usage: dnerv prior train|show ...", "Networks that are trained before, on other videos."
_STUDY_USAGE, _ABOUT_STUDIES = "Usage: dnerv study NAME ...", "The paper's experiments, on your own videos."
_LEFT = 18  # columns of a command's name
_HELP = ("-h", "--help")
_GENERAL: Sequence[Row] = (
    ("-h, --help", "Show this, or with a command its options, and stop."),
    ("--version", "Print the version, and stop."),
    ("--debug", "Show the traceback of an error."),
)


def commands() -> dict[str, Command]:
    """All of them, by the words that call them."""
    modules = [name for name in _NAMES if name not in STUDIES and name != "study"]
    return {words: command(words) for words in (*modules, *_studies())}


def command(words: str) -> Command:
    """The command that is called by one word, or by `study` and another. Raises UsageError."""
    studies = _studies()
    if words in studies:
        from dnerv.cli.commands.study import study_command

        return study_command(words, studies[words])
    if words not in _NAMES or words == "study":
        known, group = list(_NAMES), ""
        if words.startswith("study"):
            known, group = [name for name in studies if name.startswith("study ")], "study "
        near = get_close_matches(words.removeprefix(group), [name.removeprefix(group) for name in known], 1)
        meant = f" (did you mean {group}{near[0]}?)" if near else ""
        raise UsageError(f"no command is called {words!r}{meant}; known: {', '.join(known)}")
    module = words.replace("-", "_").replace(" ", "_")
    made: Command = import_module(f"dnerv.cli.commands.{module}").COMMAND
    return made


def call(words: Sequence[str]) -> None:
    """Do what the words after `dnerv` say. Raises UsageError and what the command raises."""
    if not words or words[0] in _HELP:
        print(laid_out(_USAGE, _ABOUT, _listed(), _LEFT))
    elif words[0] == "--version":
        from dnerv.version import __version__

        print(f"dnerv {__version__}")
    elif words[0] == "study" and (len(words) == 1 or words[1] in _HELP):
        rows = [(name, SUMMARIES[name]) for name in STUDIES if name not in _NAMES]
        print(laid_out(_STUDY_USAGE, _ABOUT_STUDIES, {"Studies": rows}, _LEFT))
    elif words[0] == "prior" and (len(words) == 1 or words[1] in _HELP):
        rows = [_row(name) for name in _NAMES if name.startswith("prior ")]
        print(laid_out(_PRIOR_USAGE, _ABOUT_PRIORS, {"Commands": rows}, _LEFT))
    else:
        name, rest = _words_of(words)
        command(name)(rest)


def usage(words: Sequence[str]) -> str:
    """How the command that is meant is called."""
    try:
        return command(_words_of(words)[0]).usage
    except UsageError:
        return _USAGE


def _words_of(words: Sequence[str]) -> tuple[str, Sequence[str]]:
    """The command's name, and what is said to it."""
    length = 2 if words and words[0] in _TWO_WORDS else 1
    return " ".join(words[:length]), words[length:]


def _studies() -> dict[str, str]:
    """The studies' names, by the words that call them."""
    return {name if name in _NAMES else f"study {name}": name for name in STUDIES}


def _listed() -> dict[str, list[Row]]:
    groups = {title: [_row(name) for name in names] for title, names in _GROUPS.items()}
    return {**groups, "Options": list(_GENERAL)}


def _row(name: str) -> Row:
    if name == "study":
        return "study NAME", _ABOUT_STUDIES
    return name, SUMMARIES.get(name) or command(name).summary
