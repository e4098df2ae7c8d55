"""What a study is: one question, measured so that a stranger can ask it again.

    inputs ─ plan ─ measure ─ rows ─ results.json ─┬─ tables   text, 80 columns at most
                     │                             ├─ charts   charts.png, and SVG in a report
                     └ steps/, each made once      ├─ sheets   NAME.png: frames side by side
                                                   └─ views    videos to wipe between, in a report alone

A study is a file with two classes, its options and itself, and a row in `dnerv.studies.STUDIES`. All the rest is done
by `dnerv.studies.runner`, for all studies alike: the cache of frames, going on after a kill, progress, measuring in a
fresh process, the record, its pictures. `examples/own_study.py` is a whole one: how many bytes does each video take by
itself?

What `run` does for a study:

- `run.members`, `run.content(...)`: the videos given, and their frames, cached in the folder (`content.Content`);
- `run.archive(name, content, encoding, ...)`: encodes once, measures in a fresh process what the file gives back;
- `run.step(name, depends_on, make)`: any other step: a JSON file keyed by all that it depends on, written whole;
- `run.fresh(function, *arguments)`: the function in a process of its own; its progress comes through;
- `run.folder_once(name, depends_on, make)`: a folder of files, made whole or not at all.

Modules of studies are imported for a command's help too: what needs torch is imported in `measure`, or done by `run`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, TypeVar

from dnerv.encoding.options import EncodeOptions, FrameOptions, RunOptions
from dnerv.options import RUNNING, Options, like, option
from dnerv.tables import Part

if TYPE_CHECKING:
    from dnerv.studies.charts import Chart, Sheet
    from dnerv.studies.runner import Run
    from dnerv.studies.views import Clip

Record = dict[str, Any]  # JSON
Every = Literal["chosen", "1", "2", "4"]  # frames from one coded to the next
_OF_ARCHIVES = (
    "resolution",
    "fps",
    "bits_per_pixel",
    "budget_seconds",
    "epochs",
    "every",
    "keyframe_dropout",
    "prior",
    "seed",
)
PAPER = "He et al., Towards Scalable Neural Representation for Diverse Videos, CVPR 2023"


def distance_of(every: Every) -> int | None:
    """`EncodeOptions.every` of a word for it."""
    return None if every == "chosen" else int(every)


@dataclass(frozen=True)
class StudyOptions(Options):
    """What every study is asked for."""

    seed: int = option(0, "Of all that is drawn at random.", low=0, group=RUNNING)
    device: str = like(RunOptions, "device", group=RUNNING)

    def encoding(self, **changes: Any) -> EncodeOptions:
        """Of an archive whose network is what is studied: it is kept, whether it wins over the base layer or not.

        What a study asks of its archives under a name of `_OF_ARCHIVES` is taken from it; `changes`: other options.
        """
        own = {name: getattr(self, name) for name in _OF_ARCHIVES if hasattr(self, name)}
        return EncodeOptions(**({"network": "always"} | own | changes))


@dataclass(frozen=True)
class FramesOptions(StudyOptions):
    """Of those that work on frames of videos."""

    resolution: tuple[int, int] | None = like(FrameOptions, "resolution")
    fps: Fraction | None = like(FrameOptions, "fps")


@dataclass(frozen=True)
class ArchiveOptions(FramesOptions):
    """Of those that ask one rate and one time of every archive."""

    bits_per_pixel: float = like(EncodeOptions, "bits_per_pixel", default=0.05)
    budget_seconds: float | None = like(EncodeOptions, "budget_seconds")
    epochs: int | None = like(EncodeOptions, "epochs")

    def __post_init__(self) -> None:
        """Raise InputError for what `encode` would refuse, too."""
        super().__post_init__()
        self.encoding()


OptionsT = TypeVar("OptionsT", bound=StudyOptions)
PlanT = TypeVar("PlanT")  # what `plan` gives
MeasuredT = TypeVar("MeasuredT")  # what `measure` gives


class Study(ABC, Generic[OptionsT, PlanT, MeasuredT]):
    """Base of all studies."""

    name: ClassVar[str]  # of its command and its record
    title: ClassVar[str]  # in a report
    question: ClassVar[str]  # that it answers
    options: ClassVar[type[StudyOptions]]
    takes: ClassVar[str] = "VIDEO|FOLDER..."  # what it is given, as its command's help says; without dots: one file

    @abstractmethod
    def plan(self, run: Run[OptionsT]) -> PlanT:
        """Read and draw what will be measured. Raises InputError for what cannot be, before hours of work."""

    @abstractmethod
    def measure(self, run: Run[OptionsT], plan: PlanT) -> MeasuredT:
        """Make the steps that are not there yet."""

    @abstractmethod
    def rows(self, run: Run[OptionsT], plan: PlanT, measured: MeasuredT) -> Mapping[str, Any]:
        """What was found, as plain JSON values: the study's part of the record."""

    @abstractmethod
    def tables(self, record: Mapping[str, Any]) -> Sequence[Part]:
        """The record for people, at most 80 columns wide."""

    def files(self, run: Run[OptionsT]) -> Iterable[Path]:
        """The files that were given, whose hashes stand in the record."""
        return [member.source_path for member in run.members]

    def charts(self, record: Mapping[str, Any]) -> Sequence[Chart]:
        """Its figures drawn."""
        return ()

    def sheets(self, run: Run[OptionsT], plan: PlanT, record: Mapping[str, Any]) -> Mapping[str, Sheet]:
        """Frames side by side, by the name of the picture."""
        return {}

    def views(self, record: Mapping[str, Any], folder: Path, *, frames: int, rate: float | None) -> Iterator[Clip]:
        """Of one video after another, `frames` frames to wipe between, from what the study's folder holds.

        `rate`: of several archives, the one that was asked for so many bits per pixel; None for the middle one.
        """
        return iter(())
