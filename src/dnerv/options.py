"""Options, each written once: name, type, default, meaning and range stand next to each other in a dataclass.

    @dataclass(frozen=True)
    class JointOptions(Options):
        bits_per_pixel: float = option(0.05, "Bits of the file per pixel.", flag="--bpp", low=1e-4, high=24)

From that follow the checks, the JSON in records and archives, what an interrupted run compares itself by, and the
command line with its help (`dnerv.cli`).
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import MISSING, Field, dataclass, field, fields
from fractions import Fraction
from pathlib import Path
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from dnerv.errors import InputError

_KEY = "dnerv.option"


@dataclass(frozen=True)
class Option:
    """What is known of an option beside its name, type and default."""

    help: str
    flag: str | None = None  # --name-of-the-field where it is None; without dashes: a positional argument
    short: str | None = None  # -o
    metavar: str | None = None
    low: float | None = None  # smallest value allowed
    high: float | None = None
    kind: Literal["seconds", "size"] | None = (
        None  # 90s, 5m, 2h; 256x320. How text is read where the type leaves it open
    )
    group: str = "options"  # heading in the help
    is_stored: bool = True  # whether it decides the result, and so stands in JSON


def option(
    default: Any,
    help: str,
    *,
    flag: str | None = None,
    short: str | None = None,
    metavar: str | None = None,
    low: float | None = None,
    high: float | None = None,
    kind: Literal["seconds", "size"] | None = None,
    group: str = "options",
    is_stored: bool = True,
) -> Any:
    """A field of an `Options` dataclass; `default` may be `dataclasses.MISSING` for one that must be given."""
    facts = Option(help, flag, short, metavar, low, high, kind, group, is_stored)
    return field(default=default, metadata={_KEY: facts})


def described(of: Field[Any]) -> Option:
    """What `option` was told of a field."""
    facts: Option = of.metadata[_KEY]
    return facts


def flag_of(of: Field[Any]) -> str:
    """Its name on the command line."""
    return described(of).flag or "--" + of.name.replace("_", "-")


@dataclass(frozen=True)
class Options:
    """Base of every record of options. Raises InputError for a value out of its range or not among its choices."""

    def __post_init__(self) -> None:
        hints = get_type_hints(type(self))
        for each in fields(self):
            _check(flag_of(each), getattr(self, each.name), described(each), hints[each.name])

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values of all options that decide a result."""
        return {each.name: _plain(getattr(self, each.name)) for each in fields(self) if described(each).is_stored}


def default_of(of: Field[Any]) -> Any:
    """The default, MISSING where there is none."""
    return MISSING if of.default is MISSING else of.default


def _check(flag: str, value: Any, facts: Option, hint: Any) -> None:
    allowed = _choices(hint)
    for each in value if isinstance(value, tuple) else (value,):
        if each is None:
            continue
        if allowed and each not in allowed:
            raise InputError(f"{flag} is {each!r}; known: {', '.join(map(str, allowed))}")
        low, high = facts.low, facts.high
        if (low is not None and each < low) or (high is not None and each > high):
            raise InputError(f"{flag} is {each}; allowed are {_range(low, high)}")


def _range(low: float | None, high: float | None) -> str:
    if high is None:
        return f"{low} and more"
    return f"at most {high}" if low is None else f"{low} to {high}"


def _choices(hint: Any) -> tuple[Any, ...]:
    """The values of a Literal, also inside an optional or a tuple."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    if get_origin(hint) in (Union, UnionType, tuple):
        inner = [_choices(part) for part in get_args(hint) if part not in (NoneType, Ellipsis)]
        return inner[0] if inner else ()
    return ()


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, Options):
        return value.to_json()
    return str(value) if isinstance(value, Fraction | Path) else value
