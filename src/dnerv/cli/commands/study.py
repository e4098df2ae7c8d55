"""A command for each study: `dnerv compare`, `dnerv bench`, `dnerv study NAME`."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, make_dataclass
from pathlib import Path
from typing import Any

from dnerv.cli.command import Command, Record
from dnerv.options import REQUIRED, Options, option
from dnerv.tables import Part

_RESUMES = "Interrupted, even killed, it goes on when the same command is given again."


@dataclass(frozen=True, kw_only=True)
class StudyOutput(Options):
    """Where to."""

    output: Path = option(
        REQUIRED, "Of steps, results and pictures; taken up again.", short="-o", metavar="FOLDER", group="Output"
    )


def study_command(words: str, name: str) -> Command:
    """The command of a study, called `words`."""
    from dnerv.studies import STUDIES, SUMMARIES

    study = STUDIES[name]

    def run(given: Any, to: StudyOutput, options: Any) -> Record:
        from dnerv.studies.record import command_line
        from dnerv.studies.runner import run_study

        inputs = given.inputs if isinstance(given.inputs, tuple) else (given.inputs,)
        return run_study(study, inputs, to.output, options, command=command_line())

    def tables(record: Record) -> Sequence[Part]:
        from dnerv.studies.runner import shown

        return shown(study, record)

    text = f"{SUMMARIES[name]}\n\n{study.question} {_RESUMES}"
    return Command(words, text, (_given(study.takes), StudyOutput, study.options), run, tables)


def _given(takes: str) -> type[Options]:
    """The study's inputs: several, or one."""
    hint = tuple[Path, ...] if takes.endswith("...") else Path
    inputs = ("inputs", hint, option(REQUIRED, "What is studied.", flag=takes))
    made: type[Options] = make_dataclass("Given", [inputs], bases=(Options,), frozen=True, kw_only=True)
    return made
