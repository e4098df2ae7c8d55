"""Rounds, ratios, stages."""

from __future__ import annotations

import time
from pathlib import Path

import pytest
import torch

from dnerv.evaluation.machine import describe_machine, usable_cores
from dnerv.evaluation.timing import Spread, StageClock, drop_pages, interleaved, ratios


def test_one_value_has_no_spread() -> None:
    assert Spread.of([4.0]) == Spread(4.0, 4.0, 4.0)


def test_spread_is_the_median_and_the_ends() -> None:
    assert Spread.of([5.0, 1.0, 2.0]) == Spread(2.0, 1.0, 5.0)


def test_ratios_are_taken_within_a_round() -> None:
    # The machine became ten times slower: no ratio changes.
    assert ratios([20.0, 2.0, 2.0], [10.0, 1.0, 1.0]) == Spread(2.0, 2.0, 2.0)
    with pytest.raises(ValueError, match=r"shorter|longer"):
        ratios([1.0, 2.0], [1.0])


def test_subjects_take_turns_in_changing_order(advanced: list[int]) -> None:
    calls: list[tuple[int, str]] = []

    def subject(name: str) -> object:
        return lambda number: calls.append((number, name)) or f"{name}{number}"

    results = interleaved([subject(n) for n in "abcd"], 6, 0)  # type: ignore[misc]
    assert results == [[f"{name}{number}" for number in range(6)] for name in "abcd"]
    orders = ["".join(name for number, name in calls if number == wanted) for wanted in range(6)]
    assert [number for number, _ in calls] == sorted(number for number, _ in calls)
    assert all(sorted(order) == list("abcd") for order in orders)
    assert len(set(orders)) > 1
    assert sum(advanced) == 24


def test_no_rounds_give_no_results() -> None:
    assert interleaved([lambda number: number], 0, 0) == [[]]


def test_dropping_pages_leaves_the_file(tmp_path: Path) -> None:
    file = tmp_path / "data"
    file.write_bytes(b"x" * 10_000)
    drop_pages([file])
    assert file.read_bytes() == b"x" * 10_000
    with pytest.raises(FileNotFoundError):
        drop_pages([tmp_path / "none"])


def test_stages_add_up() -> None:
    clock = StageClock(torch.device("cpu"))
    for _ in range(2):
        with clock("sleep"):
            time.sleep(0.01)
    with clock("nothing"):
        pass
    assert list(clock.seconds) == ["sleep", "nothing"]
    assert clock.seconds["sleep"] >= 0.02 > clock.seconds["nothing"]


def test_the_machine_is_described() -> None:
    machine = describe_machine(torch.device("cpu"))
    assert machine.processor
    assert machine.cores == usable_cores() >= 1
    assert machine.conversion in ("compiled", "swscale")
    assert (machine.device, machine.torch, machine.threads) == ("cpu", torch.__version__, torch.get_num_threads())
