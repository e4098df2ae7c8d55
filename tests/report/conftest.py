"""A study that is made in a moment, with everything that a report can show of one."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerv.report import Report, ReportOptions, write_report
from dnerv.studies import STUDIES, run_study
from dnerv.studies.charts import Cell, Chart, Lines, Series, Sheet
from dnerv.studies.runner import Run
from dnerv.studies.study import Record, Study, StudyOptions
from dnerv.studies.tables import figures_table
from dnerv.studies.views import Clip, View
from dnerv.tables import Table

AWKWARD = "a<b> & \"c\" 'd'"
HEIGHT, WIDTH, COUNT = 48, 64, 4


@dataclass(frozen=True)
class ShadesOptions(StudyOptions):
    """Nothing beside the seed."""


class Shades(Study[ShadesOptions, int, Record]):
    """Grey levels of made-up frames."""

    name = "shades"
    title = "Shades"
    question = "How grey is it & why?"
    options = ShadesOptions

    def plan(self, run: Run[ShadesOptions]) -> int:
        return 3

    def measure(self, run: Run[ShadesOptions], plan: int) -> Record:
        return run.step("shades", {"seed": run.options.seed}, lambda _: {"levels": [20.5 * i for i in range(plan)]})

    def rows(self, run: Run[ShadesOptions], plan: int, measured: Record) -> Mapping[str, Any]:
        return {"rows": [{"name": AWKWARD, "level": level} for level in measured["levels"]]}

    def files(self, run: Run[ShadesOptions]) -> Iterator[Path]:
        return iter(run.inputs)

    def tables(self, record: Mapping[str, Any]) -> Sequence[Table | str]:
        table = figures_table("name", "level")
        for row in record["rows"]:
            table.add_row(row["name"], f"{row['level']:.2f}")
        return [table, "that is all"]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        points = [(place, row["level"]) for place, row in enumerate(record["rows"])]
        return [
            Lines(title, "place", "level", [Series(AWKWARD, "dnerv", points)]) for title in ("Levels", "Level <all>")
        ]

    def sheets(self, run: Run[ShadesOptions], plan: int, record: Mapping[str, Any]) -> Mapping[str, Sheet]:
        return {"picture": Sheet("one", ["grey"], [[Cell(np.full((8, 8, 3), 90, np.uint8), "grey")]])}

    def views(self, record: Mapping[str, Any], folder: Path, *, frames: int, rate: float | None) -> Iterator[Clip]:
        assert (folder / "results.json").exists()
        for name in (AWKWARD, "second"):
            views = [
                View("original", pictures(frames, 0)),
                View("darker", pictures(frames, -40), [f"{i}.00 dB" for i in range(frames)], "made up."),
                View("patch", [np.dstack((one, hidden())) for one in pictures(frames, 60)]),
                View("map", pictures(frames, 9), note="of nothing.", is_map=True),
            ]
            yield Clip(name, range(2, 2 + frames), 9, 25.0, views, 1, 2)


def pictures(count: int, brighter: int) -> list[np.ndarray]:
    """Ramps."""
    rows, columns = np.mgrid[:HEIGHT, :WIDTH]
    ramps = [np.stack([80 + rows, 80 + columns, 90 + 9 * i + 0 * rows], axis=-1) + brighter for i in range(count)]
    return [ramp.clip(0, 255).astype(np.uint8) for ramp in ramps]


def hidden() -> np.ndarray:
    """255 where the patch is, 0 elsewhere."""
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[10:30, 20:40] = 255
    return mask


@pytest.fixture(scope="session", autouse=True)
def known_studies() -> Iterator[None]:
    """Reports know this study too."""
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr("dnerv.report.records.STUDIES", {"shades": Shades(), **STUDIES})
        yield


@pytest.fixture(scope="session")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A study's."""
    given = tmp_path_factory.mktemp("report") / f"{AWKWARD}.txt"
    given.write_text("abc")
    run_study(Shades(), [given], given.parent / "shades", command=f"dnerv study shades '{AWKWARD}' --seed 3")
    return given.parent / "shades"


@pytest.fixture(scope="session")
def report(folder: Path, known_studies: None) -> Report:
    """A page of it, with one player."""
    return write_report([folder], folder.parent / "report.html", ReportOptions(frames=COUNT, videos=1))


@pytest.fixture(scope="session")
def patched() -> tuple[Callable[[int, int], list[np.ndarray]], np.ndarray]:
    """What the player shows: `pictures`, and where its patch is."""
    return pictures, hidden() > 0
