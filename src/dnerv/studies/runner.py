"""Runs a study: everything that is the same for all of them.

FOLDER/study.json     which study the folder is of
FOLDER/frames/        frames of the videos, a cache
FOLDER/steps/         what was measured, step by step (`dnerv.studies.steps`), with archives and streams
FOLDER/results.json   the record (`dnerv.studies.record`)
FOLDER/charts.png, FOLDER/NAME.png
"""

from __future__ import annotations

import fcntl
import json
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from fractions import Fraction
from functools import cached_property
from pathlib import Path
from shutil import rmtree
from typing import Any, Generic, TypeVar

import torch

from dnerv import progress
from dnerv.archive import checked_device
from dnerv.archive.priors import given_prior
from dnerv.encoding import EncodeOptions, encode
from dnerv.errors import InputError, OutputError
from dnerv.evaluation.machine import describe_machine
from dnerv.files import write_atomically
from dnerv.studies.archive_quality import measured_archive
from dnerv.studies.content import Content, read_videos
from dnerv.studies.drawing import check_drawing, draw, draw_sheet
from dnerv.studies.fresh import fresh
from dnerv.studies.record import CHARTS, RESULTS, record_of
from dnerv.studies.steps import Steps, make_folder, plain_name
from dnerv.studies.study import MeasuredT, OptionsT, PlanT, Record, Study
from dnerv.studies.tables import machine_line
from dnerv.tables import Part
from dnerv.version import __version__
from dnerv.video import CachedVideo, Masks, Member, cache_video, discover
from dnerv.video.content import digest_of

T = TypeVar("T")
STEPS, FRAMES = "steps", "frames"  # in a study's folder


def library() -> str:
    """What trains and decodes, with versions."""
    return f"dnerv {__version__} (torch {torch.__version__})"


@dataclass(frozen=True)
class Run(Generic[OptionsT]):
    """One study on one set of inputs, in one folder."""

    inputs: tuple[Path, ...]  # files and folders, as they were given
    folder: Path
    options: OptionsT
    steps: Steps = field(init=False)

    def __post_init__(self) -> None:
        object.__setattr__(self, "steps", Steps(self.folder / STEPS))

    @cached_property
    def device(self) -> torch.device:
        """Where networks run."""
        return checked_device(self.options.device)

    @cached_property
    def members(self) -> list[Member]:
        """The videos among the inputs. Raises InputError where there is none."""
        return discover(self.inputs)

    def content(self, inputs: Sequence[Path] | None = None, *, part: str = "", scaled: bool = True) -> Content:
        """Frames of the videos among some inputs, or among all of them, decoded into the cache.

        Args:
            part: a folder of the cache, for videos of the same names that are not the same. scaled: to the resolution
            and the rate that the options say, where they say it; off for what was prepared from such frames.
        """
        resolution, fps = self._scaling if scaled else (None, None)
        given, folder = self.inputs if inputs is None else inputs, self.folder / FRAMES / part
        return read_videos(given, folder, resolution=resolution, fps=fps)

    def cached(self, member: Member) -> CachedVideo:
        """One video, decoded into the cache."""
        resolution, fps = self._scaling
        return cache_video(member, self.folder / FRAMES, size=resolution, fps=fps)

    @property
    def _scaling(self) -> tuple[tuple[int, int] | None, Fraction | None]:
        return getattr(self.options, "resolution", None), getattr(self.options, "fps", None)

    def step(self, name: str, depends_on: Mapping[str, Any], make: Callable[[Path], Record]) -> Record:
        """What was found in a step, now or before; see `Steps.once`. The versions of dnerv and torch are added."""

        def told(stem: Path) -> Record:
            progress.note(f"step: {name}")
            return make(stem)

        return self.steps.once(name, {"library": library(), **depends_on}, told)

    def fresh(self, function: Callable[..., T], *arguments: Any) -> T:
        """Call a function of a module in a process of its own; its progress is told here."""
        return fresh(function, *arguments)

    def archive(
        self,
        name: str,
        content: Content,
        encoding: EncodeOptions,
        *,
        facts: Mapping[str, Any] | None = None,
        masks: Masks | None = None,
        measure: Callable[..., Record] = measured_archive,
        arguments: Sequence[Any] = (),
        is_timed: bool = False,
    ) -> Record:
        """Encode once, and measure in a fresh process what the archive gives back.

        A network without keyframes is as large as the bytes asked for, however little time there is to train it: all
        of its archive is the network, and it would miss the rate.

        Args:
            name: what is made, "dnerv 0.05 bpp". facts: added to what is found, JSON; they tell steps apart.
            masks: of pixels that are hidden from the encoding.
            measure: `measure(path, content, device, *arguments) -> Record`, a function of a module. arguments: JSON
            values, or `Content`s. is_timed: encode in one go, whatever an interrupted run has left.

        Returns:
            What `measure` found, `facts`, and `files`, the archive; where `is_timed`, `encoding_seconds` too.
        """
        facts = dict(facts or {})
        if encoding.prior is not None:  # a file of the same name may hold another
            facts["prior"] = given_prior(encoding.prior).hash
        if not encoding.uses_keyframes:
            encoding = replace(encoding, network_share=1.0)

        def make(stem: Path) -> Record:
            path = stem.with_name(stem.name + ".dnerv")
            timed: Record = {}
            if is_timed or not path.exists():  # else it was finished, and interrupted in being measured
                started = time.monotonic()
                encode(
                    content.sources,
                    path,
                    encoding,
                    masks=masks,
                    device=self.options.device,
                    frames=content.folder,
                    force=is_timed,
                    restart=is_timed,
                )
                timed = {"encoding_seconds": time.monotonic() - started} if is_timed else {}
            rmtree(path.with_name(path.name + ".work"), ignore_errors=True)
            progress.stage("decoding the archive in a fresh process", content.num_frames)
            found = self.fresh(measure, path, content, self.options.device, *arguments)
            return {**facts, **timed, **found, "files": self.steps.listed([path])}

        depends_on = {
            "encoding": encoding.to_json(),
            "content": content.digest,
            "masks": None if masks is None else masks.to_json(),
            "device": self.options.device,
            "measure": measure.__qualname__,
            "arguments": [a.digest if isinstance(a, Content) else a for a in arguments],
            "facts": facts,
        }
        return self.step(name, depends_on, make)

    def path_of(self, found: Record, place: int = 0) -> Path:
        """A file of a step."""
        return self.steps.folder / str(found["files"][place]["path"])

    def folder_once(self, name: str, depends_on: Mapping[str, Any], make: Callable[[Path], None]) -> Path:
        """A folder of prepared files, `frames/NAME-KEY`, made by `make` and then there, whole."""
        target = self.folder / FRAMES / f"{plain_name(name)}-{digest_of(dict(depends_on))[:12]}"
        if not target.exists():
            partial = target.with_name(target.name + ".partial")
            rmtree(partial, ignore_errors=True)
            make_folder(partial)
            make(partial)
            partial.rename(target)
        return target


def run_study(
    study: Study[OptionsT, PlanT, MeasuredT] | str,
    inputs: Sequence[Path] | Path,
    folder: Path,
    options: OptionsT | None = None,
    *,
    command: str | None = None,
) -> Record:
    """Run a study in `folder`, or go on with it, and return the record that `results.json` holds.

    Args:
        study: or its name in `STUDIES`. inputs: files and folders, as `encode` takes them, or what the study takes.
        options: None for the study's own. command: how it was called; None for this call. `command_line()` for a shell.

    Raises:
        InputError: what cannot be measured, nothing to draw with, or a folder of another study.
        OutputError: the folder cannot be written.
    """
    if isinstance(study, str):
        from dnerv.studies import STUDIES

        study = STUDIES[study]
    options = study.options() if options is None else options  # type: ignore[assignment]
    assert options is not None
    inputs = [inputs] if isinstance(inputs, Path) else inputs
    command = command or f"run_study({study.name!r}, {[str(p) for p in inputs]}, {str(folder)!r}, {options!r})"
    check_drawing()
    run: Run[OptionsT] = Run(tuple(inputs), folder, options)
    _ = run.device  # one that is not there is refused before anything is read
    with _claimed(folder, study.name):
        plan = study.plan(run)
        found = study.rows(run, plan, study.measure(run, plan))
        made = record_of(
            study.name,
            command=command,
            work=run.steps.work,
            source=run.steps.source,
            machine=describe_machine(run.device),
            options=options.to_json(),
            inputs=run.inputs,
            files=study.files(run),
            output=folder,
            found=found,
        )
        record: Record = json.loads(json.dumps(made))  # as it will be read
        if charts := study.charts(record):
            draw(charts, folder / CHARTS)
        for name, sheet in study.sheets(run, plan, record).items():
            draw_sheet(sheet, folder / f"{name}.png")
        write_atomically(folder / RESULTS, (json.dumps(record, indent=2) + "\n").encode())
    return record


def shown(study: Study[Any, Any, Any], record: Record) -> Sequence[Part]:
    """The study's tables, and in two lines where all is and what it took."""
    took = f"{record['seconds'] / 60:.0f} minutes" if record["seconds"] >= 120 else f"{record['seconds']:.0f} seconds"
    commit = f", commit {record['commit'][:7]}" if record["commit"] else ""
    return [
        *study.tables(record),
        "",
        f"{machine_line(record['machine'])}; dnerv {record['version']}{commit}; {took} of work",
        f"{record['output']}: {RESULTS}, pictures, {STEPS}/ (archives and streams)",
    ]


@contextmanager
def _claimed(folder: Path, study: str) -> Iterator[None]:
    """The folder, for this study and this process alone. One that holds nothing in the end goes again."""
    _check_claim(folder, study)
    make_folder(folder)
    try:
        lock = (folder / "lock").open("w")
    except OSError as error:
        raise OutputError(f"{folder}: cannot be written ({error.strerror})") from error
    with lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError:
            raise InputError(f"{folder} is in use by another process; wait for it or name another folder") from None
        write_atomically(folder / "study.json", json.dumps({"study": study}).encode())
        try:
            yield
        finally:
            if {path.name for path in folder.iterdir()} <= {"lock", "study.json"}:
                rmtree(folder, ignore_errors=True)


def _check_claim(folder: Path, study: str) -> None:
    """Raise InputError where the folder holds something else, OutputError where it is none."""
    try:
        known = json.loads((folder / "study.json").read_bytes())["study"]
    except FileNotFoundError:
        if folder.is_dir() and any(folder.iterdir()):
            raise InputError(f"{folder} is not empty and holds no study; name another folder") from None
        return
    except OSError as error:
        raise OutputError(f"{folder}: cannot be used ({error.strerror})") from error
    except (ValueError, KeyError, TypeError):
        known = None
    if known != study:
        raise InputError(f"{folder} holds the study {known!r}: name another folder")
