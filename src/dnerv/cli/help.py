"""Help: usage, what a command does, and its options in groups, each with its range and default."""

from __future__ import annotations

import textwrap
from collections.abc import Iterable, Mapping, Sequence
from shutil import get_terminal_size

from dnerv.cli.parsing import flags, is_positional, off_flag
from dnerv.cli.words import default_text, metavar
from dnerv.options import ARGUMENTS, EVERYWHERE, REQUIRED, RUNNING, Options, TypedOption, range_text, typed_options

_LEFT = 26  # columns of an option's names
_TIED = "\N{NO-BREAK SPACE}"  # between words that stay on one line
_PLACES = {ARGUMENTS: 0, RUNNING: 2, EVERYWHERE: 3}  # of groups; the others are 1, in the order of the options
Row = tuple[str, str]


def usage_line(command: str, classes: Sequence[type[Options]]) -> str:
    """What must be given."""
    options = [option for one in classes for option in typed_options(one)]
    words = [option.flag for option in options if is_positional(option) and option.default is REQUIRED]
    words += [
        f"{flags(option)[0]} {metavar(option)}"
        for option in options
        if not is_positional(option) and option.default is REQUIRED
    ]
    return f"Usage: {' '.join([command, *words])} [options]"


def command_help(command: str, text: str, classes: Sequence[type[Options]]) -> str:
    """All that is known of a command."""
    groups: dict[str, list[Row]] = {}
    for one in classes:
        for option in typed_options(one):
            groups.setdefault(ARGUMENTS if is_positional(option) else option.facts.group, []).append(_row(option))
    order = sorted(groups, key=lambda title: _PLACES.get(title, 1))
    return laid_out(usage_line(command, classes), text, {name: groups[name] for name in order})


def laid_out(usage: str, text: str, groups: Mapping[str, Iterable[Row]], left: int = _LEFT) -> str:
    """Usage, paragraphs, and groups of two columns, the first `left` wide."""
    width = max(60, min(100, get_terminal_size().columns))
    blocks = [textwrap.fill(usage, width, subsequent_indent=" " * 7)]
    blocks += [textwrap.fill(" ".join(part.split()), width) for part in text.split("\n\n")]
    for title, rows in groups.items():
        lines = [line for name, meaning in rows for line in _lines(name, meaning, left, width)]
        blocks.append("\n".join([f"{title}:", *lines]))
    return "\n\n".join(blocks)


def _lines(name: str, meaning: str, left: int, width: int) -> list[str]:
    """One row: the name, and beside it or below it what it means."""
    beside = [line.replace(_TIED, " ") for line in textwrap.wrap(meaning, width - left, break_on_hyphens=False)]
    first = f"  {name}"
    if len(first) > left - 2:
        return [first, *(" " * left + line for line in beside)]
    return [(first.ljust(left) + beside[0]).rstrip(), *(" " * left + line for line in beside[1:])]


def _row(option: TypedOption) -> Row:
    if is_positional(option):
        return option.flag, option.facts.help
    names = ", ".join([off_flag(option)] if option.default is True else flags(option))
    return f"{names} {metavar(option)}".rstrip(), f"{option.facts.help} {_facts(option)}".rstrip()


def _facts(option: TypedOption) -> str:
    """Choices, range and default, in brackets."""
    known = []
    if option.choices and metavar(option) != "|".join(option.choices):
        known.append(", ".join(option.choices))
    if (option.facts.low, option.facts.high) != (None, None) and option.facts.form is None:
        known.append(range_text(option.facts.low, option.facts.high))
    if default := default_text(option):
        known.append(f"default: {default}")
    if option.facts.is_repeatable:
        known.append("may be repeated")
    return f"[{'; '.join(part.replace(' ', _TIED) if len(part) < 32 else part for part in known)}]" if known else ""
