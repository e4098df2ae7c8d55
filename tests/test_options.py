"""Options written once: what follows from their declaration."""

from __future__ import annotations

import json
from dataclasses import FrozenInstanceError, dataclass
from fractions import Fraction
from math import inf, nan
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

import pytest

from dnerv.errors import InputError
from dnerv.options import REQUIRED, Options, build, like, option, typed_options

if TYPE_CHECKING:
    from nowhere import Unknown


@dataclass(frozen=True)
class Inner(Options):
    crop: int = option(112, "Side of a square.", low=16)
    rounds: int = option(20, "Passes.", flag="--inner-rounds", low=1)


@dataclass(frozen=True)
class Asked(Options):
    rate: float | None = option(None, "Bits per pixel.", flag="--bpp", low=0.5, high=24)
    size: tuple[int, int] | None = option(None, "Height and width.", form="size", low=8, high=64)
    counts: tuple[int, ...] = option((1, 2), "Numbers.", low=1)
    kinds: tuple[Literal["a", "b"], ...] = option(("a",), "Names.", may_be_empty=True)
    paths: tuple[Path, ...] = option((), "Files.", is_repeatable=True)
    mode: Literal["fast", "slow"] | None = option(None, "A way.")
    named: str = option("x", "A name of a table.", choices=lambda: ("x", "y"))
    fps: Fraction = option(Fraction(25), "Rate.", low=Fraction(1, 1000))
    device: str = option("cpu", "Where.", is_stored=False)
    hidden: Unknown | None = option(None, "Of a type that nobody can import.", is_typed=False)
    inner: Inner = Inner()


@pytest.mark.parametrize(
    ("given", "message"),
    [
        ({"rate": 0.4}, r"--bpp is 0\.4; allowed are 0\.5 to 24"),
        ({"rate": 24.1}, r"--bpp is 24\.1"),
        ({"rate": nan}, "--bpp is nan"),
        ({"rate": inf}, "--bpp is inf"),
        ({"size": (8, 65)}, "--size is 65; allowed are 8 to 64"),
        ({"counts": (1, 0)}, "--counts is 0; allowed are 1 and more"),
        ({"counts": ()}, "--counts is empty"),
        ({"counts": (3, 3)}, "--counts is 3,3; give each value once"),
        ({"kinds": ("a", "c")}, "--kinds is 'c'; known: a, b"),
        ({"mode": "still"}, "--mode is 'still'; known: fast, slow"),
        ({"named": "z"}, "--named is 'z'; known: x, y"),
        ({"fps": Fraction(0)}, "--fps is 0; allowed are 1/1000 and more"),
    ],
    ids=str,
)
def test_what_is_out_of_range_is_named(given: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        Asked(**given)


@pytest.mark.parametrize(
    "given",
    [
        {"rate": 0.5},
        {"rate": 24},
        {"size": (8, 8)},  # twice the same is no mistake in a size
        {"kinds": ()},
        {"paths": (Path("a"), Path("a"))},
        {"mode": "slow"},
    ],
    ids=str,
)
def test_what_is_allowed_is_taken(given: dict[str, Any]) -> None:
    (name, value), *_ = given.items()
    assert getattr(Asked(**given), name) == value


def test_inner_options_are_checked_too() -> None:
    with pytest.raises(InputError, match="--crop is 8; allowed are 16 and more"):
        Inner(crop=8)


def test_json_holds_all_that_decides_the_result() -> None:
    record = Asked(size=(8, 9), paths=(Path("a/b"),), inner=Inner(crop=64)).to_json()
    assert json.loads(json.dumps(record)) == {
        "rate": None,
        "size": [8, 9],
        "counts": [1, 2],
        "kinds": ["a"],
        "paths": ["a/b"],
        "mode": None,
        "named": "x",
        "fps": "25",
        "hidden": None,
        "inner": {"crop": 64, "rounds": 20},
    }


def test_they_are_frozen() -> None:
    with pytest.raises(FrozenInstanceError):
        Asked().rate = 1.0  # type: ignore[misc]


def test_like_another_option_but_for_what_is_said() -> None:
    @dataclass(frozen=True)
    class Other(Options):
        rate: float = like(Asked, "rate", default=1.0, help="Of each archive.")

    (made,) = typed_options(Other)
    assert (made.flag, made.facts.low, made.facts.high, made.facts.help) == ("--bpp", 0.5, 24, "Of each archive.")
    assert Other().rate == 1.0
    with pytest.raises(InputError, match="--bpp is 0"):
        Other(rate=0)
    with pytest.raises(KeyError):
        like(Asked, "speed")


def test_the_command_line_has_inner_options_and_not_hidden_ones() -> None:
    flags = [each.flag for each in typed_options(Asked)]
    assert flags[-3:] == ["--device", "--crop", "--inner-rounds"]
    assert "--hidden" not in flags
    types = {each.name: (each.type, each.is_list) for each in typed_options(Asked)}
    assert types["counts"] == (int, True)
    assert types["size"] == (tuple[int, int], False)
    assert types["rate"] == (float, False)


def test_values_go_to_the_class_that_declares_them() -> None:
    made = build(Asked, {(Asked, "rate"): 2.0, (Inner, "rounds"): 3})
    assert made == Asked(rate=2.0, inner=Inner(rounds=3))


def test_a_misspelt_fact_is_an_error() -> None:
    with pytest.raises(TypeError, match="lower"):
        option(1, "A number.", lower=0)


def test_one_that_must_be_given() -> None:
    @dataclass(frozen=True, kw_only=True)
    class Needy(Options):
        path: Path = option(REQUIRED, "A file.", flag="FILE")

    with pytest.raises(TypeError, match="path"):
        Needy()
    assert Needy(path=Path("x")).path == Path("x")
