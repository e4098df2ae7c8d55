"""What the help says, and how it is laid out."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pytest

from dnerv.cli.help import command_help, usage_line
from dnerv.options import REQUIRED, Options, option


@dataclass(frozen=True, kw_only=True)
class Given(Options):
    inputs: tuple[Path, ...] = option(REQUIRED, "Files.", flag="FILE...")
    output: Path = option(REQUIRED, "Where to.", short="-o", metavar="FOLDER", group="Output")


@dataclass(frozen=True)
class Asked(Options):
    quality: int | None = option(None, "How good.", low=1, high=100, unset="chosen", group="Size")
    model: Literal["dnerv", "nerv"] = option("dnerv", "A family.", group="Network")
    loss: Literal["log-mse", "mse", "l1", "l1-ssim", "mse-ssim"] = option("mse", "A loss.", group="Network")
    bits_per_pixel: float = option(0.05, "Bits per pixel.", flag="--bpp", low=0.001, group="Size")
    names: tuple[str, ...] = option((), "Only these.", flag="--name", metavar="NAME", is_repeatable=True, group="Size")
    flip: bool = option(True, "Do not mirror.", group="Network")
    a_very_long_name_of_an_option: int = option(1, "Long. " * 30, group="Network")


@pytest.fixture
def text(monkeypatch: pytest.MonkeyPatch) -> str:
    monkeypatch.setenv("COLUMNS", "80")
    return command_help("dnerv try", "Try things.\n\n    More of\n    it.", [Given, Asked])


def test_usage_has_what_must_be_given() -> None:
    assert usage_line("dnerv try", [Given, Asked]) == "Usage: dnerv try FILE... -o FOLDER [options]"


def test_it_fits(text: str, monkeypatch: pytest.MonkeyPatch) -> None:
    assert max(map(len, text.splitlines())) <= 80
    assert "\n\nTry things.\n\nMore of it.\n\n" in text
    monkeypatch.setenv("COLUMNS", "200")  # wider is no easier to read
    assert max(map(len, command_help("dnerv try", "Try.", [Given, Asked]).splitlines())) <= 100


def test_groups_are_together_and_arguments_first(text: str) -> None:
    titles = [line for line in text.splitlines() if line.endswith(":") and not line.startswith(" ")]
    assert titles == ["Arguments:", "Output:", "Size:", "Network:"]
    size = text[text.index("Size:") : text.index("Network:")]
    assert [word for word in size.split() if word.startswith("--")] == ["--quality", "--bpp", "--name"]


@pytest.mark.parametrize(
    "row",
    [
        "-o, --output FOLDER     Where to.",
        "--quality N             How good. [1 to 100; default: chosen]",
        "--bpp X                 Bits per pixel. [0.001 and more; default: 0.05]",
        "--name NAME             Only these. [may be repeated]",
        "--model dnerv|nerv      A family. [default: dnerv]",
        "--loss NAME             A loss. [log-mse, mse, l1, l1-ssim, mse-ssim;\n",
        "--no-flip               Do not mirror.\n",
        "--a-very-long-name-of-an-option N\n                          Long.",
    ],
)
def test_rows_say_range_choices_and_default(text: str, row: str) -> None:
    assert f"  {row}" in text
