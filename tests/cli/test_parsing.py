"""From words to options."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from dnerv.cli.parsing import UsageError, parse
from dnerv.options import REQUIRED, Options, option


@dataclass(frozen=True, kw_only=True)
class Given(Options):
    inputs: tuple[Path, ...] = option(REQUIRED, "Files.", flag="FILE...")
    output: Path = option(REQUIRED, "A folder.", short="-o")


@dataclass(frozen=True)
class Inner(Options):
    crop: int = option(112, "Side.", low=16)


@dataclass(frozen=True)
class Asked(Options):
    bits_per_pixel: float | None = option(None, "Bits.", flag="--bpp", low=0.1)
    rates: tuple[float, ...] = option((0.1,), "Rates.")
    video: tuple[str, ...] = option((), "Names.", is_repeatable=True)
    model: Literal["dnerv", "nerv"] = option("dnerv", "A family.")
    force: bool = option(False, "Whether.")
    flip: bool = option(True, "Whether.")
    slow: bool = option(True, "Whether.", off="--keep")
    inner: Inner = Inner()


def asked(*words: str) -> Asked:
    given, made = parse([Given, Asked], ["a.mp4", "-o", "out", *words])
    assert given == Given(inputs=(Path("a.mp4"),), output=Path("out"))
    assert isinstance(made, Asked)
    return made


def test_nothing_asked_is_the_default() -> None:
    assert asked() == Asked()


@pytest.mark.parametrize(
    ("words", "wanted"),
    [
        (("--bpp", "0.5"), Asked(bits_per_pixel=0.5)),
        (("--bpp=0.5",), Asked(bits_per_pixel=0.5)),
        (("--bpp", "0.5", "--bpp", "0.7"), Asked(bits_per_pixel=0.7)),
        (("--rates", "1,2"), Asked(rates=(1, 2))),
        (("--video", "a,b", "--video", "c"), Asked(video=("a,b", "c"))),
        (("--model", "nerv"), Asked(model="nerv")),
        (("--force",), Asked(force=True)),
        (("--no-flip",), Asked(flip=False)),
        (("--flip",), Asked()),
        (("--keep",), Asked(slow=False)),
        (("--crop", "64"), Asked(inner=Inner(64))),
    ],
    ids=str,
)
def test_options(words: tuple[str, ...], wanted: Asked) -> None:
    assert asked(*words) == wanted


def test_arguments_may_stand_anywhere() -> None:
    given, made = parse([Given, Asked], ["a", "--force", "b", "-o", "out", "--", "-c"])
    assert given == Given(inputs=(Path("a"), Path("b"), Path("-c")), output=Path("out"))
    assert made == Asked(force=True)


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--bpp", "much"), "--bpp is 'much'; give a number"),
        (("--bpp", "0.01"), r"--bpp is 0\.01; allowed are 0\.1 and more"),
        (("--bpp", "nan"), "--bpp is nan"),
        (("--bpp",), "--bpp: expected one argument"),
        (("--model", "gan"), "--model is 'gan'; known: dnerv, nerv"),
        (("--crop", "8"), "--crop is 8; allowed are 16 and more"),
        (("--bbp", "1"), "no option is called --bbp; did you mean --bpp?"),
        (("--bp", "1"), "no option is called --bp"),  # not taken for what it begins
        (("--xyzzy",), "no option is called --xyzzy$"),
        (("--force=yes",), "--force: ignored explicit argument 'yes'"),
    ],
    ids=str,
)
def test_what_is_wrong_is_said_in_one_line(words: tuple[str, ...], message: str) -> None:
    with pytest.raises(UsageError, match=message) as caught:
        asked(*words)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("words", "missing"), [(["-o", "out"], "FILE..."), (["a"], "-o/--output"), ([], "-o/--output")], ids=str
)
def test_what_is_missing_is_named(words: list[str], missing: str) -> None:
    with pytest.raises(UsageError) as caught:
        parse([Given, Asked], words)
    assert missing in str(caught.value)


def test_one_argument_too_many_is_quoted() -> None:
    @dataclass(frozen=True, kw_only=True)
    class One(Options):
        path: Path = option(REQUIRED, "A file.", flag="FILE")

    assert parse([One], ["a"]) == [One(path=Path("a"))]
    with pytest.raises(UsageError, match="unexpected argument 'b'"):
        parse([One], ["a", "b"])
