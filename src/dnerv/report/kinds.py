"""The studies that a report knows, in the order in which it shows them: to add one, add a row."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module
from typing import Any

from dnerv.encoding import EncodeOptions
from dnerv.errors import InputError
from dnerv.report import charts_of
from dnerv.report.charts import Chart
from dnerv.tables import Table

Record = Mapping[str, Any]


@dataclass(frozen=True)
class Kind:
    """How one study is shown."""

    title: str
    question: str  # that it answers
    module: str  # of dnerv.studies
    tables: str  # its function that lays a record out
    command: str  # that makes it, without options
    options: str | None  # its class of options, whose defaults need not be said; None: those of `encode`
    charts: Callable[[Record], Sequence[Chart]]

    def laid_out(self, record: Record) -> Sequence[Table | str]:
        """The study's own tables and lines."""
        made: Sequence[Table | str] = getattr(self._imported(), self.tables)(record)
        return made

    def defaults(self) -> Mapping[str, Any]:
        """Options as they are when nothing is asked for, as JSON values."""
        options = EncodeOptions() if self.options is None else getattr(self._imported(), self.options)()
        values = options.to_json() if hasattr(options, "to_json") else vars(options)
        known: Mapping[str, Any] = json.loads(json.dumps(values, default=str))
        return known

    def _imported(self) -> Any:
        try:
            return import_module(f"dnerv.studies.{self.module}")
        except ModuleNotFoundError as error:
            raise InputError(f"this dnerv has no study {self.module!r} ({error})") from None


KINDS: Mapping[str, Kind] = {
    "compare": Kind(
        "Rate and distortion",
        "How good are the same frames, coded by each codec with the same number of bytes?",
        "rate_distortion",
        "tables",
        "compare VIDEOS",
        "CompareOptions",
        charts_of.compare,
    ),
    "ablation": Kind(
        "Ablation",
        "What does each part of the network contribute, at equal bytes?",
        "ablation",
        "tables",
        "study ablation VIDEOS",
        "AblationOptions",
        charts_of.ablation,
    ),
    "diversity": Kind(
        "Diversity",
        "What is lost when the same number of clips comes from more sources?",
        "diversity",
        "tables",
        "study diversity VIDEOS",
        "DiversityOptions",
        charts_of.diversity,
    ),
    "joint": Kind(
        "Joint or separate",
        "Is one network for all videos better than one for each, at equal bytes?",
        "joint",
        "tables",
        "study joint VIDEOS",
        "JointOptions",
        charts_of.joint,
    ),
    "recognition": Kind(
        "Action recognition",
        "How much of what a classifier needs survives compression?",
        "recognition",
        "tables",
        "study recognition VIDEOS",
        "RecognitionOptions",
        charts_of.recognition,
    ),
    "bench": Kind(
        "Loading speed",
        "How fast do clips come from disk to tensors?",
        "loading_speed",
        "tables",
        "bench {archive}",
        "BenchOptions",
        charts_of.bench,
    ),
    "inpainting": Kind(
        "Inpainting",
        "What does each network put in place of pixels it never saw?",
        "inpainting",
        "study_tables",
        "study inpainting VIDEOS",
        None,
        charts_of.inpainting,
    ),
    "inpaint": Kind(
        "Inpainted videos",
        "What stands in place of the hidden pixels?",
        "inpainting",
        "tables",
        "inpaint VIDEOS",
        None,
        charts_of.inpaint,
    ),
    "interpolation": Kind(
        "Interpolation",
        "How good are frames that were held out of training?",
        "interpolation",
        "tables",
        "study interpolation VIDEO",
        None,
        charts_of.interpolation,
    ),
}
