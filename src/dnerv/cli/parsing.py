"""From the words of a command line to options, as their dataclasses say."""

from __future__ import annotations

from argparse import SUPPRESS, ArgumentParser
from collections.abc import Sequence
from difflib import get_close_matches
from typing import Any, NoReturn

from dnerv.cli.words import read
from dnerv.errors import InputError
from dnerv.options import REQUIRED, Options, TypedOption, build, typed_options


class UsageError(Exception):
    """Words that the command line cannot make sense of."""


class _Words(ArgumentParser):
    """Takes words apart; what they mean is read from the options' types."""

    def error(self, message: str) -> NoReturn:
        raise UsageError(message.removeprefix("argument "))


def parse(classes: Sequence[type[Options]], words: Sequence[str]) -> list[Options]:
    """One record of options for each class. Raises UsageError."""
    options = [option for one in classes for option in typed_options(one)]
    parser = _Words(add_help=False, allow_abbrev=False, argument_default=SUPPRESS)
    for number, option in enumerate(options):
        _declare(parser, f"{number}", option)
    found, unknown = parser.parse_known_intermixed_args(list(words))
    if unknown:
        raise UsageError(_unknown(unknown[0], options))
    given = {}
    try:
        for number, option in enumerate(options):
            if hasattr(found, f"{number}"):
                given[option.owner, option.name] = _value(option, getattr(found, f"{number}"))
        return [build(one, given) for one in classes]
    except InputError as error:
        raise UsageError(str(error)) from None


def is_positional(option: TypedOption) -> bool:
    """Whether it is known by its place, not by a flag."""
    return not option.flag.startswith("-")


def flags(option: TypedOption) -> list[str]:
    """All names of an option."""
    return [option.flag] if option.facts.short is None else [option.facts.short, option.flag]


def off_flag(option: TypedOption) -> str:
    """The flag that takes a switch away."""
    return option.facts.off or option.flag.replace("--", "--no-", 1)


def _declare(parser: ArgumentParser, key: str, option: TypedOption) -> None:
    if is_positional(option):
        parser.add_argument(key, metavar=option.flag, nargs="+" if option.is_list else None)
    elif option.type is bool:
        parser.add_argument(*flags(option), dest=key, action="store_true")
        if option.default is True:
            parser.add_argument(off_flag(option), dest=key, action="store_false")
    else:
        action = "append" if option.facts.is_repeatable else "store"
        parser.add_argument(*flags(option), dest=key, action=action, required=option.default is REQUIRED)


def _value(option: TypedOption, found: Any) -> Any:
    if isinstance(found, list):  # of a positional argument, or of an option given several times
        return tuple(read(_single(option), word) for word in found)
    return found if option.type is bool else read(option, found)


def _single(option: TypedOption) -> TypedOption:
    return option if option.facts.is_repeatable else TypedOption(**(vars(option) | {"is_list": False}))


def _unknown(word: str, options: Sequence[TypedOption]) -> str:
    if not word.startswith("-"):
        return f"unexpected argument {word!r}"
    near = get_close_matches(word, [name for option in options for name in flags(option)], 1)
    return f"no option is called {word}" + (f"; did you mean {near[0]}?" if near else "")
