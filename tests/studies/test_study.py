"""The protocol and its runner, on studies of a few lines: kept steps, interruptions, what a record says."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from rich.table import Table

from dnerv import __version__, progress
from dnerv.errors import DnervError, InputError, OutputError
from dnerv.options import option
from dnerv.studies import STUDIES, SUMMARIES, run_study
from dnerv.studies.charts import Bar, Bars, Cell, Chart, Sheet
from dnerv.studies.fresh import fresh
from dnerv.studies.record import check_record, findings, hashed_files, source_state
from dnerv.studies.runner import Run, shown
from dnerv.studies.steps import Steps
from dnerv.studies.study import Record, Study, StudyOptions
from dnerv.studies.tables import figures_table


@dataclass(frozen=True)
class SquaresOptions(StudyOptions):
    """Two numbers."""

    count: int = option(3, "Numbers to square.", low=1)
    bound: int = option(1000, "Of the squares.", low=1)


class Squares(Study[SquaresOptions, list[int], list[Record]]):
    """Squares of small numbers."""

    name = "squares"
    title = "Squares"
    question = "How large are they?"
    options = SquaresOptions
    made: list[int]  # in this process

    def __init__(self, fail_at: int | None = None) -> None:
        self.made, self.fail_at = [], fail_at

    def plan(self, run: Run[SquaresOptions]) -> list[int]:
        if run.options.count > 9:
            raise InputError("--count is larger than 9")
        return list(range(run.options.count))

    def measure(self, run: Run[SquaresOptions], plan: list[int]) -> list[Record]:
        return [run.step(f"number {n}", {"number": n}, lambda stem, n=n: self._square(run, stem, n)) for n in plan]

    # A process takes seconds to start: one of the numbers is squared in another.
    def _square(self, run: Run[SquaresOptions], stem: Path, n: int) -> Record:
        if n == self.fail_at:
            raise KeyboardInterrupt
        self.made.append(n)
        path = stem.with_suffix(".txt")
        path.write_text("x" * n)
        return {"square": run.fresh(squared, n) if n == 2 else n * n, "files": run.steps.listed([path])}

    def rows(self, run: Run[SquaresOptions], plan: list[int], measured: list[Record]) -> Mapping[str, Any]:
        return {"rows": [{"number": n, "square": found["square"]} for n, found in zip(plan, measured, strict=True)]}

    def files(self, run: Run[SquaresOptions]) -> Iterator[Path]:
        return iter(run.inputs)

    def tables(self, record: Mapping[str, Any]) -> Sequence[Table | str]:
        table = figures_table("number", "square")
        for row in record["rows"]:
            table.add_row(str(row["number"]), str(row["square"]))
        return [table]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        return [Bars("Squares", "square", [Bar(str(r["number"]), r["square"], "plain") for r in record["rows"]])]

    def sheets(self, run: Run[SquaresOptions], plan: list[int], record: Mapping[str, Any]) -> Mapping[str, Sheet]:
        return {"picture": Sheet("one", ["grey"], [[Cell(np.full((8, 8, 3), 90, np.uint8), "$no mathematics$")]])}


def squared(number: int) -> int:
    progress.advance()
    return number**2


@pytest.fixture
def given(tmp_path: Path) -> list[Path]:
    (tmp_path / "given.txt").write_text("abc")
    return [tmp_path / "given.txt"]


@pytest.mark.usefixtures("warm_processes")
def test_a_study_that_is_killed_ends_with_the_same_record(given: list[Path], tmp_path: Path) -> None:
    whole = run_study(Squares(), given, tmp_path / "whole")
    with pytest.raises(KeyboardInterrupt):
        run_study(Squares(fail_at=2), given, tmp_path / "out")
    assert not (tmp_path / "out" / "results.json").exists()
    study = Squares()
    record = run_study(study, given, tmp_path / "out")
    assert study.made == [2]
    assert findings(record) | {"output": ""} == findings(whole) | {"output": ""}
    assert [row["square"] for row in record["rows"]] == [0, 1, 4]
    again = Squares()
    assert run_study(again, given, tmp_path / "out") == record  # to the second, too: nothing was made
    assert again.made == []
    assert json.loads((tmp_path / "out" / "results.json").read_text()) == record
    for name in ("charts.png", "picture.png"):
        assert (tmp_path / "out" / name).read_bytes().startswith(b"\x89PNG")
    assert not list((tmp_path / "out").rglob("*.begun"))
    assert not list((tmp_path / "out").rglob("*.partial"))


@pytest.mark.usefixtures("warm_processes")
def test_a_step_is_made_again_only_when_it_must_be(given: list[Path], tmp_path: Path) -> None:
    out = tmp_path / "out"
    run_study(Squares(), given, out)
    next(out.glob("steps/number-1-*.txt")).write_text("longer than it was")
    next(out.glob("steps/number-2-*.json")).write_text("{")
    study = Squares()
    run_study(study, given, out, SquaresOptions(count=4))  # another option that the others do not depend on
    assert study.made == [1, 2, 3]


def test_what_a_record_says(given: list[Path], tmp_path: Path) -> None:
    options = SquaresOptions(count=2, seed=5)
    record = run_study(Squares(), given, tmp_path / "out", options, command="dnerv study squares 'a b'")
    check_record(record, "here")
    assert record["command"] == "dnerv study squares 'a b'"
    assert record["seed"] == 5
    assert record["options"] == {"count": 2, "bound": 1000, "seed": 5, "device": "cpu"}
    assert record["inputs"]["files"] == [
        # echo -n abc | sha256sum
        {
            "path": str(given[0]),
            "bytes": 3,
            "sha256": "ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad",
        }
    ]
    assert record["started"] <= record["ended"]
    assert record["started"].endswith("+00:00")
    assert record["machine"]["cores"] >= 1
    assert (record["version"], record["commit"]) == (__version__, source_state()["commit"])
    assert "run_study('squares', " in run_study(Squares(), given, tmp_path / "out", options)["command"]
    words = " ".join(map(str, shown(Squares(), record)))
    assert str(tmp_path / "out") in words


@pytest.mark.parametrize("lost", ["command", "started", "inputs", "machine"])
def test_a_record_that_does_not_say_how_it_was_made(given: list[Path], tmp_path: Path, lost: str) -> None:
    record = run_study(Squares(), given, tmp_path / "out", SquaresOptions(count=1))
    del record[lost]
    with pytest.raises(InputError, match=f"here: does not say how it was made, it lacks {lost}"):
        check_record(record, "here")
    with pytest.raises(InputError, match="its command is empty"):
        check_record(record | {lost: "x", "command": ""}, "here")


def test_the_commit_is_that_of_the_steps(given: list[Path], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    def by(commit: str, count: int) -> Record:
        source = {"version": "1", "commit": commit, "modified": False}
        monkeypatch.setattr("dnerv.studies.steps.source_state", lambda: source)
        return run_study(Squares(), given, tmp_path / "out", SquaresOptions(count=count))

    assert by("aaa", 1)["commit"] == "aaa"
    assert by("bbb", 1)["commit"] == "aaa"  # nothing was made
    both = by("ccc", 2)
    assert set(both["commits"]) == {"aaa", "ccc"}


def test_the_state_of_a_source_tree() -> None:
    head = subprocess.run(["git", "rev-parse", "HEAD"], cwd=Path(__file__).parent, capture_output=True, text=True)
    assert (source_state()["commit"] is None) == (head.returncode != 0)
    assert source_state()["commit"] is None or len(source_state()["commit"]) == 40


def test_folders_that_are_something_else(given: list[Path], tmp_path: Path) -> None:
    class Others(Squares):
        name = "others"

    run_study(Squares(), given, tmp_path / "out", SquaresOptions(count=1))
    with pytest.raises(InputError, match="holds the study 'squares'"):
        run_study(Others(), given, tmp_path / "out")
    (tmp_path / "letters").mkdir()
    (tmp_path / "letters" / "to.txt").write_text("")
    with pytest.raises(InputError, match="is not empty and holds no study"):
        run_study(Squares(), given, tmp_path / "letters")
    (tmp_path / "file").write_text("")
    with pytest.raises(OutputError):
        run_study(Squares(), given, tmp_path / "file")


def test_nothing_is_left_of_a_study_that_cannot_be_planned(given: list[Path], tmp_path: Path) -> None:
    with pytest.raises(InputError, match="larger than 9"):
        run_study(Squares(), given, tmp_path / "out", SquaresOptions(count=10))
    assert not (tmp_path / "out").exists()


def test_one_process_at_a_time(given: list[Path], tmp_path: Path) -> None:
    class Nested(Squares):
        def plan(self, run: Run[SquaresOptions]) -> list[int]:
            with pytest.raises(InputError, match="in use by another process"):
                run_study(Squares(), given, run.folder)
            return super().plan(run)

    run_study(Nested(), given, tmp_path / "out", SquaresOptions(count=1))


def test_time_of_an_interrupted_step_counts(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clock = iter(range(0, 1000, 10))
    monkeypatch.setattr("dnerv.studies.steps.time.monotonic", lambda: next(clock))
    dates = iter(["2026-01-01T00:00:00+00:00", "2026-01-02T00:00:00+00:00", "2026-01-02T00:00:30+00:00"])
    monkeypatch.setattr("dnerv.studies.steps.now", lambda: next(dates))

    def interrupted(stem: Path) -> Record:
        raise KeyboardInterrupt

    steps = Steps(tmp_path / "steps")
    with pytest.raises(KeyboardInterrupt):
        steps.once("a", {}, interrupted)
    steps.once("a", {}, lambda stem: {})
    assert steps.work == ("2026-01-01T00:00:00+00:00", "2026-01-02T00:00:30+00:00", 20)


class TestFresh:
    def test_it_is_another_process_and_its_progress_is_told_here(self) -> None:
        told: list[Any] = []

        class Listener(progress.Listener):
            def stage(self, title: str, total: int | None = None) -> None:
                told.append((title, total))

            def advance(self, units: int = 1) -> None:
                told.append(units)

            def warning(self, text: str) -> None:
                told.append(text)

        with progress.listening(Listener()):
            assert fresh(speaking, 2) != os.getpid()
        assert told == [("counting", 2), 1, 1, "done"]

    @pytest.mark.usefixtures("warm_processes")
    def test_an_error_comes_back_and_a_death_is_told(self) -> None:
        with pytest.raises(InputError, match="mine"):
            fresh(failing)
        with pytest.raises(DnervError, match="code 3"):
            fresh(os._exit, 3)


def speaking(times: int) -> int:
    progress.stage("counting", times)
    for _ in range(times):
        progress.advance()
    progress.warning("done")
    return os.getpid()


def failing() -> None:
    raise InputError("mine")


def test_the_hash_of_a_folder_is_of_names_and_bytes(tmp_path: Path) -> None:
    for name in ("a", "b", "c"):
        (tmp_path / name / "inner").mkdir(parents=True)
        (tmp_path / name / "inner" / "0.png").write_text("x")
    (tmp_path / "b" / "inner" / "0.png").write_text("y")
    (tmp_path / "c" / "inner" / "0.png").rename(tmp_path / "c" / "inner" / "1.png")
    files = hashed_files([tmp_path / name for name in ("a", "b", "c", "a")])
    assert len({one["sha256"] for one in files}) == 3
    assert files[0] == files[3]
    assert {one["bytes"] for one in files} == {1}


def test_paths_are_as_they_were_given(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "videos" / "a").mkdir(parents=True)
    for name in ("videos/a/1.mp4", "2.mp4", "3.mp4"):
        (tmp_path / name).write_text(name)
    monkeypatch.chdir(tmp_path)
    found = [tmp_path / "videos" / "a" / "1.mp4", tmp_path / "2.mp4", Path("3.mp4")]
    given = [Path("videos"), Path("2.mp4")]
    assert [one["path"] for one in hashed_files(found, given)] == ["videos/a/1.mp4", "2.mp4", "3.mp4"]


def test_the_table_of_studies_is_cheap_to_read() -> None:
    code = "import sys; from dnerv.studies import SUMMARIES; assert not {'torch', 'numpy'} & set(sys.modules)"
    subprocess.run([sys.executable, "-c", code], check=True)


@pytest.mark.parametrize("name", list(STUDIES))
def test_every_study_is_what_its_row_says(name: str) -> None:
    study = STUDIES[name]
    assert study.name == name
    assert study.options() == replace(study.options())
    assert SUMMARIES[name].endswith(".")
    assert len(SUMMARIES[name]) <= 64
    assert study.question.endswith("?")
