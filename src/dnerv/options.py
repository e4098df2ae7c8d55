"""Options, each written once: name, type, default, meaning and range stand next to each other in a dataclass.

    @dataclass(frozen=True)
    class JointOptions(Options):
        counts: tuple[int, ...] = option((1, 2, 4, 8), "Numbers of videos held together.", low=1)
        bits_per_pixel: float = like(EncodeOptions, "bits_per_pixel", default=0.05)

From that follow the checks, the JSON in records and archives, what an interrupted run compares itself by, and the
command line with its help (`dnerv.cli`). A module of options imports no torch: help is there to be read at once.

What a type means on the command line: `bool` is a switch, `tuple[X, ...]` a comma list of different values (or, where
`is_repeatable`, an option given once for each), `Literal` the names allowed, an `Options` class all of its own options.
"""

from __future__ import annotations

import inspect
import sys
from collections.abc import Callable, Collection, Mapping
from dataclasses import MISSING, Field, asdict, dataclass, field, fields, is_dataclass, replace
from fractions import Fraction
from math import isfinite
from pathlib import Path
from types import NoneType, SimpleNamespace, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from dnerv.errors import InputError, listed

Form = Literal["seconds", "size", "span", "frames"]
ARGUMENTS, RUNNING, EVERYWHERE = "Arguments", "Running", "Everywhere"  # headings of the help: the first, the last two
_KEY = "dnerv.option"


@dataclass(frozen=True)
class Option:
    """What is known of an option beside its name, type and default."""

    help: str
    flag: str | None = None  # --name-of-the-field where it is None; without dashes: a positional argument
    short: str | None = None  # -o
    off: str | None = None  # flag that takes a switch away whose default is True, what `help` is about; None: --no-...
    metavar: str | None = None
    low: float | None = None  # smallest value allowed
    high: float | None = None
    form: Form | None = None  # 90s, 5m, 2h; 256x320; 16:24; 8 or all. How text is read where the type leaves it open
    # Names beside those of a Literal: a table's, or a function that gives them where asking takes long.
    choices: Collection[str] | Callable[[], Collection[str]] | None = None
    unset: str | None = None  # what None stands for, in a word
    group: str = "Options"  # heading in the help
    is_repeatable: bool = False  # given once for each value
    may_be_empty: bool = False  # `none` for a list without values
    is_typed: bool = True  # on the command line; otherwise in Python alone
    is_stored: bool = True  # whether it decides the result, and so stands in JSON


def option(default: Any, help: str, **facts: Any) -> Any:
    """A field of an `Options` dataclass; `default` may be `dataclasses.MISSING` for one that must be given.

    `facts` are those of `Option`.
    """
    return field(default=default, metadata={_KEY: Option(help, **facts)})


def like(options: type[Options], name: str, **changes: Any) -> Any:
    """A field that means what the field `name` of `options` means: its default and facts, but for `changes`."""
    original = {each.name: each for each in fields(options)}[name]
    default = changes.pop("default", original.default)
    return field(default=default, metadata={_KEY: replace(described(original), **changes)})


def described(of: Field[Any]) -> Option:
    """What `option` was told of a field."""
    facts: Option = of.metadata[_KEY]
    return facts


def flag_of(of: Field[Any]) -> str:
    """Its name on the command line, or in Python where it is not there."""
    facts = described(of)
    return facts.flag or ("--" + of.name.replace("_", "-") if facts.is_typed else of.name)


@dataclass(frozen=True)
class Options:
    """Base of every record of options.

    Raises:
        InputError: a value out of its range or not among its choices, a list that is empty or says one thing twice.
    """

    def __post_init__(self) -> None:
        for each in fields(self):
            if each.name not in _inner(type(self)):
                value = getattr(self, each.name)
                _check(flag_of(each), value, described(each), _allowed(type(self), each))
                if type(value) is int and described(each).is_typed and _is_real(type(self), each.name):
                    object.__setattr__(self, each.name, float(value))  # so that 20 and 20.0 give the same bytes

    def to_json(self) -> dict[str, Any]:
        """Plain JSON values of all options that decide a result."""
        inner = _inner(type(self))
        stored = [each for each in fields(self) if each.name in inner or described(each).is_stored]
        return {each.name: _plain(getattr(self, each.name)) for each in stored}


@dataclass(frozen=True)
class TypedOption:
    """A field of an `Options` class as the command line has it."""

    owner: type[Options]
    name: str
    flag: str
    default: Any  # MISSING where it must be given
    facts: Option
    type: Any  # of the value, or of each value of a list; without None
    is_list: bool  # of any number of values
    choices: tuple[str, ...]  # those that are known without asking; empty: any value


def typed_options(options: type[Options]) -> list[TypedOption]:
    """All that `options`, and the options inside of them, have on the command line; in the order of the fields."""
    made = list[TypedOption]()
    for each in fields(options):
        if each.name in _inner(options):
            made += typed_options(_inner(options)[each.name])
        elif described(each).is_typed:
            hint, is_list = _without_none(hint_of(options, each.name)), False
            if get_origin(hint) is tuple and described(each).form is None:
                hint, is_list = get_args(hint)[0], True
            known = _allowed(options, each)
            choices = () if callable(known) else tuple(known or ())
            made.append(
                TypedOption(options, each.name, flag_of(each), each.default, described(each), hint, is_list, choices)
            )
    return made


def build(options: type[Options], given: Mapping[tuple[type[Options], str], Any]) -> Options:
    """The options from values by class and field; inner ones are made of theirs. Raises InputError."""
    inner = {name: build(one, given) for name, one in _inner(options).items()}
    own = {name: value for (owner, name), value in given.items() if owner is options}
    return options(**own, **inner)


def hint_of(options: type[Options], name: str) -> Any:
    """The type of a field. Of this one alone: others' may be known to type checkers only."""
    for owner in options.__mro__:
        hint = inspect.get_annotations(owner).get(name)
        if hint is not None:
            alone = SimpleNamespace(__annotations__={name: hint})
            return get_type_hints(alone, vars(sys.modules[owner.__module__]))[name]
    raise AttributeError(f"{options.__name__} has no option {name!r}")


def _is_real(options: type[Options], name: str) -> bool:
    return _without_none(hint_of(options, name)) is float


def _inner(options: type[Options]) -> dict[str, type[Options]]:
    """Fields that are options themselves."""
    inner = dict[str, type[Options]]()
    for each in fields(options):
        if isinstance(each.default, Options):
            inner[each.name] = type(each.default)
    return inner


def _allowed(options: type[Options], of: Field[Any]) -> Collection[str] | Callable[[], Collection[str]] | None:
    """The names that are allowed, or what to ask for them; None where any value is."""
    facts = described(of)
    if facts.choices is not None or not facts.is_typed:
        return facts.choices
    return _names(hint_of(options, of.name)) or None


def _names(hint: Any) -> tuple[Any, ...]:
    """The values of a Literal, also inside an optional or a tuple."""
    if get_origin(hint) is Literal:
        return get_args(hint)
    if get_origin(hint) in (Union, UnionType, tuple):
        return next((names for part in get_args(hint) if (names := _names(part))), ())
    return ()


def _without_none(hint: Any) -> Any:
    if get_origin(hint) not in (Union, UnionType):
        return hint
    left = [part for part in get_args(hint) if part is not NoneType]
    return left[0] if len(left) == 1 else Union[tuple(left)]  # noqa: UP007


def _check(
    flag: str, value: Any, facts: Option, allowed: Collection[str] | Callable[[], Collection[str]] | None
) -> None:
    is_list = isinstance(value, tuple) and facts.form is None and not facts.is_repeatable
    if is_list and not value and not facts.may_be_empty:
        raise InputError(f"{flag} is empty; give one value or more")
    if is_list and len(set(value)) < len(value):
        raise InputError(f"{flag} is {listed(value)}; give each value once")
    for each in value if isinstance(value, tuple) else (value,):
        if each is None:
            continue
        names = allowed() if callable(allowed) else allowed
        if names is not None and each not in names:
            raise InputError(f"{flag} is {each!r}; known: {', '.join(map(str, names))}")
        if (facts.low, facts.high) != (None, None) and not _is_within(each, facts.low, facts.high):
            raise InputError(f"{flag} is {each}; allowed are {range_text(facts.low, facts.high)}")


def _is_within(value: float, low: float | None, high: float | None) -> bool:
    return isfinite(value) and (low is None or value >= low) and (high is None or value <= high)


def range_text(low: float | None, high: float | None) -> str:
    """A range in words."""
    if high is None:
        return f"{low} and more"
    return f"at most {high}" if low is None else f"{low} to {high}"


def _plain(value: Any) -> Any:
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, Mapping):
        return {str(name): _plain(each) for name, each in value.items()}
    if isinstance(value, Options):
        return value.to_json()
    if is_dataclass(value) and not isinstance(value, type):
        return _plain(asdict(value))
    return str(value) if isinstance(value, Fraction | Path) else value


REQUIRED = MISSING  # default of an option that must be given
