"""Videos for studies: tiny, but each with its own motion and something to code."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import AbstractContextManager, contextmanager
from fractions import Fraction
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerv import progress
from dnerv.studies import run_study
from dnerv.studies.record import findings
from dnerv.studies.study import Record, Study
from dnerv.tables import Part, Table
from dnerv.terminal import print_parts
from dnerv.video import Timing, write_mp4


@pytest.fixture(scope="session")
def write_video() -> Callable[[Path, int, int], None]:
    """Writes `count` frames of 64x80, a square on noise that moves `speed` pixels a frame."""

    def write(path: Path, count: int, speed: int) -> None:
        path.parent.mkdir(parents=True, exist_ok=True)
        random = np.random.default_rng([count, speed])
        frames = random.normal(90 + 9 * speed, 6, (count, 64, 80, 3)).clip(0, 255).astype(np.uint8)
        for i, frame in enumerate(frames):
            frame[16:32, (4 + speed * i) % 64 :][:, :16] = 230
        write_mp4(path, iter(frames), Timing.constant(Fraction(25), count), crf=4)

    return write


@pytest.fixture
def printed(capsys: pytest.CaptureFixture[str]) -> Callable[[Sequence[Part]], str]:
    """What people read of tables and lines; tables are 80 columns wide at most."""

    def text(parts: Sequence[Part]) -> str:
        print_parts([part for part in parts if isinstance(part, Table)])
        assert all(len(line) <= 80 for line in capsys.readouterr().out.splitlines())
        print_parts(parts)
        return capsys.readouterr().out

    return text


class _Stages(progress.Listener):
    def __init__(self) -> None:
        self.titles: list[str] = []

    def stage(self, title: str, total: int | None = None) -> None:
        self.titles.append(title)


@pytest.fixture
def stages() -> Callable[[], AbstractContextManager[list[str]]]:
    """The titles of all steps of what is done inside."""

    @contextmanager
    def collected() -> Iterator[list[str]]:
        listener = _Stages()
        with progress.listening(listener):
            yield listener.titles

    return collected


@pytest.fixture(scope="module")
def measured_here() -> Iterator[None]:
    """Studies measure in this process: one of its own takes seconds to start, and `test_study` has tried it."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnerv.studies.runner.fresh", lambda function, *arguments: function(*arguments))
        yield


class _Steps(progress.Listener):
    """Counts the steps that are made, and ends the work at one of them."""

    def __init__(self, last: int | None = None) -> None:
        self.names: list[str] = []
        self._last = last

    def note(self, text: str) -> None:
        if text.startswith("step: "):
            self.names.append(text)
            if len(self.names) == self._last:
                raise KeyboardInterrupt


@pytest.fixture(scope="module")
def made_twice(measured_here: None) -> Callable[..., tuple[Record, Record]]:
    """Runs a study in two folders, once as it is, and once killed half-way and given again; the records of both.

    The second run of the killed study makes what the first one has not made, and a third one makes nothing.
    """

    def run(study: Study[Any, Any, Any], inputs: Sequence[Path], root: Path, options: Any) -> tuple[Record, Record]:
        steps = _Steps()
        with progress.listening(steps):
            whole = run_study(study, inputs, root / "whole", options)
        half = len(steps.names) // 2 + 1
        with pytest.raises(KeyboardInterrupt), progress.listening(_Steps(half)):
            run_study(study, inputs, root / "killed", options)
        assert not (root / "killed" / "results.json").exists()
        rest = _Steps()
        with progress.listening(rest):
            resumed = run_study(study, inputs, root / "killed", options)
        assert rest.names == steps.names[half - 1 :]
        nothing = _Steps()
        with progress.listening(nothing):
            assert run_study(study, inputs, root / "whole", options) == whole  # to the second, too
        assert nothing.names == []
        assert not [path for path in root.rglob("*") if path.suffix in (".work", ".begun", ".partial")]
        return whole, resumed

    return run


@pytest.fixture(scope="session")
def located() -> Callable[[Record], Record]:
    """What a study found, with paths as they stand in its folder: two runs in two folders find the same."""

    def told(record: Record) -> Record:
        found: Record = json.loads(json.dumps(findings(record)).replace(record["output"], "."))
        return found

    return told


@pytest.fixture(scope="session")
def untimed() -> Callable[[Record], Record]:
    """What a study found, but for where and for the seconds of its rows: what does not differ from run to run."""

    def told(record: Record) -> Record:
        rows = [{k: v for k, v in row.items() if k != "encoding_seconds"} for row in record["rows"]]
        return findings(record) | {"output": "", "rows": rows}

    return told
