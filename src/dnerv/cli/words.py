"""How values are typed and shown: `90s`, `256x320`, `30000/1001`, `16:24`, `1,4,8`, `all`."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import MISSING, dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any

from dnerv.errors import InputError
from dnerv.options import TypedOption

_UNITS = {"h": 3600, "m": 60, "s": 1}
_URL = re.compile(r"[A-Za-z][A-Za-z0-9+.-]*://")
_NOTHING = "none"  # a list without values
ALL_FRAMES = 65_536  # what `all` stands for as a number of frames


@dataclass(frozen=True)
class Form:
    """How one kind of value is typed."""

    read: Callable[[str], Any]  # raises ValueError or ZeroDivisionError
    show: Callable[[Any], str]
    asked: str  # what a user who got it wrong is asked for
    metavar: str


def read(option: TypedOption, text: str) -> Any:
    """The value, or tuple of values, that was typed. Raises InputError."""
    form, is_list = _form(option), option.is_list and not option.facts.is_repeatable
    if is_list and option.facts.may_be_empty and text == _NOTHING:
        return ()
    try:
        return tuple(form.read(word.strip()) for word in text.split(",")) if is_list else form.read(text)
    except (ValueError, ZeroDivisionError, OverflowError):
        asked = f"{form.asked}, or several with commas between" if is_list else form.asked
        raise InputError(f"{option.flag} is {text!r}; give {asked}") from None


def default_text(option: TypedOption) -> str:
    """The default as it would be typed; empty where there is nothing to say."""
    value = option.default
    if value is MISSING or isinstance(value, bool):
        return ""
    if value is None or value == ():
        return option.facts.unset or (_NOTHING if option.facts.may_be_empty else "")
    if option.is_list and value == option.choices:
        return "all"
    form = _form(option)
    return ",".join(map(form.show, value)) if option.is_list else form.show(value)


def metavar(option: TypedOption) -> str:
    """What stands for the value in the help; empty for a switch."""
    if option.type is bool:
        return ""
    if option.facts.metavar is not None:
        return option.facts.metavar
    if option.choices and not option.is_list:
        return "NAME" if sum(map(len, option.choices)) > 24 else "|".join(option.choices)
    one = "NAME" if option.choices or option.facts.choices is not None else _form(option).metavar
    return f"{one},..." if option.is_list and not option.facts.is_repeatable else one


def _form(option: TypedOption) -> Form:
    return _FORMS.get(option.facts.form or option.type, _TEXT)


def _seconds(text: str) -> float:
    unit = _UNITS.get(text[-1:])
    return float(text) if unit is None else float(text[:-1]) * unit


def _seconds_text(seconds: float) -> str:
    letter, unit = next(
        ((letter, unit) for letter, unit in _UNITS.items() if seconds and seconds % unit == 0), ("s", 1)
    )
    return f"{seconds / unit:g}{letter}"


def _size(text: str) -> tuple[int, int]:
    height, _, width = text.lower().partition("x")
    return _natural(height), _natural(width)


def _span(text: str) -> tuple[int | None, int | None]:
    first, colon, past = text.partition(":")
    if not colon:
        raise ValueError(text)
    return (_natural(first) if first else None, _natural(past) if past else None)


def _frames(text: str) -> int:
    return ALL_FRAMES if text == "all" else _natural(text)


def _frames_text(frames: int) -> str:
    return "all" if frames == ALL_FRAMES else str(frames)


def _path(text: str) -> Path:
    if _URL.match(text):  # as a path it would be a file that is missing
        raise ValueError(text)
    return Path(text)


def _natural(text: str) -> int:
    if not (text.isascii() and text.isdecimal()):
        raise ValueError(text)
    return int(text)


_TEXT = Form(str, str, "a name", "TEXT")
_FORMS: dict[Any, Form] = {
    "seconds": Form(_seconds, _seconds_text, "a time, 90s, 5m or 2h for example", "TIME"),
    "size": Form(_size, lambda size: "x".join(map(str, size)), "height x width in pixels, 256x320 for example", "HxW"),
    "span": Form(_span, str, "A:B for frames A to B - 1, 16:24 for example", "A:B"),
    "frames": Form(_frames, _frames_text, "a number of frames, or all", "N|all"),
    int: Form(int, str, "a whole number", "N"),
    float: Form(float, lambda number: f"{number:g}", "a number", "X"),
    Fraction: Form(Fraction, str, "frames per second, 25 or 30000/1001 for example", "RATE"),
    Path: Form(_path, str, "a path on this machine (info, decode, verify and interpolate take URLs)", "PATH"),
}
