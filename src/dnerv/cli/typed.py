"""What several commands take, and what becomes of the text that was typed."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Annotated, Any, ParamSpec, TypeVar

import typer

from dnerv import progress, terminal
from dnerv.errors import InputError

P = ParamSpec("P")
R = TypeVar("R")
ArchivePath = Annotated[Path, typer.Argument(metavar="ARCHIVE", help="A .dnerv file.")]
Inputs = Annotated[list[Path], typer.Argument(metavar="VIDEO|FOLDER...", help="Videos, and folders of them.")]
Resolution = Annotated[str | None, typer.Option(metavar="HxW", help="Scale frames to this size.")]
Fps = Annotated[str | None, typer.Option(help="Resample videos to this rate.")]
Epochs = Annotated[int | None, typer.Option(help="Passes over all clips, in place of a time.")]
Seed = Annotated[int, typer.Option(help="Of initial weights and clip order.")]
Device = Annotated[str, typer.Option(help="Where the network runs: cpu, cuda, cuda:1, ...")]
Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead of text.")]


def usage(make: Callable[P, R], *args: P.args, **options: P.kwargs) -> R:
    """What `make` refuses is a mistake on the command line."""
    try:
        return make(*args, **options)
    except InputError as error:
        raise typer.BadParameter(str(error)) from None


def parse_resolution(text: str | None, option: str = "--resolution") -> tuple[int, int] | None:
    if text is None:
        return None
    height, _, width = text.lower().partition("x")
    if not (height.isdecimal() and width.isdecimal()):
        raise typer.BadParameter(f"{option} is {text!r}; give height x width in pixels, 256x320 for example")
    return int(height), int(width)


def parse_words(text: str) -> tuple[str, ...]:
    return tuple(word.strip() for word in text.split(","))


def parse_integers(text: str, option: str = "--batch-sizes") -> tuple[int, ...]:
    try:
        return tuple(int(word) for word in parse_words(text))
    except ValueError:
        raise typer.BadParameter(f"{option} is {text!r}; give integers, 1,4,8 for example") from None


def parse_numbers(text: str) -> tuple[float, ...]:
    try:
        return tuple(float(word) for word in parse_words(text))
    except ValueError:
        raise typer.BadParameter(f"--rates is {text!r}; give bits per pixel, 0.02,0.05,0.1 for example") from None


def parse_rate(text: str | None) -> Fraction | None:
    if text is None:
        return None
    try:
        return Fraction(text)
    except (ValueError, ZeroDivisionError):
        raise typer.BadParameter(f"--fps is {text!r}; give frames per second, 25 or 30000/1001 for example") from None


def parse_seconds(text: str | None) -> float | None:
    if text is None:
        return None
    units = {"s": 1, "m": 60, "h": 3600}
    number, unit = (text[:-1], units[text[-1]]) if text[-1:] in units else (text, 1)
    try:
        return float(number) * unit
    except ValueError:
        raise typer.BadParameter(f"--budget is {text!r}; give a time, 90s, 5m or 2h for example") from None


def parse_span(text: str | None) -> tuple[int | None, int | None] | None:
    if text is None:
        return None
    first, colon, past = text.partition(":")
    if not colon or not all(part == "" or part.isdecimal() for part in (first, past)):
        raise typer.BadParameter(f"--frames is {text!r}; give A:B for frames A to B - 1, 16:24 for example")
    return (int(first) if first else None, int(past) if past else None)


@contextmanager
def watched() -> Iterator[terminal.Display]:
    """Show what goes on inside."""
    with terminal.Display() as display, progress.listening(display):
        yield display


def show(record: Any, tables: Any, as_json: bool) -> None:
    terminal.print_json(record) if as_json else terminal.print_parts(tables(record))
