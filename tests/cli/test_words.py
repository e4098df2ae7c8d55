"""How values are typed."""

from __future__ import annotations

from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import Any, Literal

import pytest

from dnerv.cli.words import default_text, metavar, read
from dnerv.errors import InputError
from dnerv.options import Options, TypedOption, option, typed_options


@dataclass(frozen=True)
class Asked(Options):
    budget: float | None = option(None, "Time.", form="seconds", unset="5m")
    size: tuple[int, int] | None = option(None, "Size.", form="size", unset="their own")
    frames: tuple[int | None, int | None] | None = option(None, "Frames.", form="span")
    fps: Fraction | None = option(None, "Rate.")
    rates: tuple[float, ...] = option((0.02, 0.1), "Rates.")
    counts: tuple[int, ...] = option((1, 4, 8), "Numbers.")
    against: tuple[Literal["jpeg", "png"], ...] = option(("jpeg", "png"), "Opponents.", may_be_empty=True)
    inputs: tuple[Path, ...] = option((), "Files.", is_repeatable=True)
    mode: Literal["inter", "stills"] = option("inter", "A way.")
    loss: Literal["log-mse", "mse", "l1", "l1-ssim", "mse-ssim"] = option("mse", "A loss.")
    force: bool = option(False, "Whether.")
    wait: float = option(90.0, "Time.", form="seconds")
    access: int = option(65_536, "Frames at most.", form="frames", low=1)


OPTIONS: dict[str, TypedOption] = {each.name: each for each in typed_options(Asked)}


@pytest.mark.parametrize(
    ("name", "text", "value"),
    [
        ("budget", "90", 90.0),
        ("budget", "90s", 90.0),
        ("budget", "1.5m", 90.0),
        ("budget", "2h", 7200.0),
        ("size", "256x320", (256, 320)),
        ("size", "256X320", (256, 320)),
        ("frames", "16:24", (16, 24)),
        ("frames", ":24", (None, 24)),
        ("frames", "16:", (16, None)),
        ("frames", ":", (None, None)),
        ("access", "8", 8),
        ("access", "all", 65_536),
        ("fps", "30000/1001", Fraction(30000, 1001)),
        ("fps", "23.976", Fraction(23976, 1000)),
        ("rates", "0.02", (0.02,)),
        ("rates", "0.02, 0.1", (0.02, 0.1)),
        ("counts", "1,4", (1, 4)),
        ("against", "png", ("png",)),
        ("against", "none", ()),
        ("inputs", "a,b.mp4", Path("a,b.mp4")),  # repeated, so that a comma is a comma
    ],
)
def test_read(name: str, text: str, value: Any) -> None:
    assert read(OPTIONS[name], text) == value


@pytest.mark.parametrize(
    ("name", "text", "asked"),
    [
        ("budget", "soon", "90s, 5m or 2h"),
        ("budget", "", "90s, 5m or 2h"),
        ("budget", "s", "90s, 5m or 2h"),
        ("size", "128", "256x320"),
        ("size", "-8x8", "256x320"),
        ("size", "1x2x3", "256x320"),
        ("size", "٣x٣", "256x320"),
        ("frames", "5", "16:24"),
        ("frames", "a:b", "16:24"),
        ("access", "some", "a number of frames, or all"),
        ("fps", "1/0", "30000/1001"),
        ("fps", "much", "30000/1001"),
        ("rates", "0.1,many", "a number"),
        ("counts", "1.5", "a whole number"),
        ("counts", "1,,2", "a whole number"),
    ],
)
def test_what_cannot_be_read_is_quoted_with_an_example(name: str, text: str, asked: str) -> None:
    with pytest.raises(InputError) as caught:
        read(OPTIONS[name], text)
    message = str(caught.value)
    assert message.startswith(f"{OPTIONS[name].flag} is {text!r}; give ")
    assert asked in message
    assert ("commas" in message) == (name in ("rates", "counts"))


def test_defaults_are_shown_as_they_are_typed() -> None:
    assert {name: default_text(each) for name, each in OPTIONS.items()} == {
        "budget": "5m",
        "size": "their own",
        "frames": "",
        "fps": "",
        "rates": "0.02,0.1",
        "counts": "1,4,8",
        "against": "all",
        "inputs": "",
        "mode": "inter",
        "loss": "mse",
        "force": "",
        "wait": "90s",
        "access": "all",
    }
    for name in ("rates", "counts", "mode", "wait", "access"):
        assert read(OPTIONS[name], default_text(OPTIONS[name])) == getattr(Asked(), name)


def test_what_stands_for_values() -> None:
    assert {name: metavar(each) for name, each in OPTIONS.items()} == {
        "budget": "TIME",
        "size": "HxW",
        "frames": "A:B",
        "fps": "RATE",
        "rates": "X,...",
        "counts": "N,...",
        "against": "NAME,...",
        "inputs": "PATH",
        "mode": "inter|stills",
        "loss": "NAME",
        "force": "",
        "wait": "TIME",
        "access": "N|all",
    }
