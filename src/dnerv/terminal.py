"""What is shown on a terminal: the tables and lines of a record, and what is going on meanwhile."""

from __future__ import annotations

import json
import textwrap
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import TYPE_CHECKING, Any

from rich import table as rich_table
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, SpinnerColumn, TextColumn, TimeRemainingColumn

from dnerv.errors import InputError
from dnerv.printable import printable
from dnerv.progress import Listener, TrainingProgress
from dnerv.tables import Part, Table

if TYPE_CHECKING:
    from torch.utils.tensorboard import SummaryWriter


def print_json(record: Any) -> None:
    """One document on standard output."""
    print(json.dumps(record, indent=2))


def print_parts(parts: Sequence[Part]) -> None:
    """Tables and lines on standard output."""
    console = _console()
    for part in parts:
        if isinstance(part, str):
            console.print(_wrapped(printable(part), console.width), soft_wrap=True)
        else:
            console.print(_laid_out(part) if isinstance(part, Table) else part)


class Display(Listener):
    """Shows what is going on, on standard error: bars on a terminal, one line per step and training epoch elsewhere."""

    def __init__(self) -> None:
        self._console = _console(stderr=True)
        self._bar = Progress(
            SpinnerColumn(),
            TextColumn("{task.description}", markup=False),
            BarColumn(20),
            MofNCompleteColumn(),
            TimeRemainingColumn(),
            console=self._console,
            transient=True,
            disable=not self._console.is_terminal,
        )
        self._task = self._bar.add_task("", visible=False)
        self._last_epoch = -1

    def __enter__(self) -> Display:
        self._bar.start()
        return self

    def __exit__(self, *error: object) -> None:
        self._bar.stop()

    def stage(self, title: str, total: int | None = None) -> None:
        """Begin a new bar, or print the step's name."""
        self._bar.remove_task(self._task)
        self._task = self._bar.add_task(printable(title), total=total)
        self._last_epoch = -1
        if not self._console.is_terminal:
            self._print(f"{title} ..." if total is None else f"{title} ({total}) ...")

    def advance(self, units: int = 1) -> None:
        """Move the bar."""
        self._bar.advance(self._task, units)

    def note(self, text: str) -> None:
        """Print a line."""
        self._print(text)

    def warning(self, text: str) -> None:
        """Print a line that stands out."""
        self._print(f"warning: {text}", style="yellow")

    def training(self, progress: TrainingProgress) -> None:
        """Show epoch, PSNR, speed and time left."""
        text = (
            f"training: epoch {_epoch(progress)}  {progress.psnr:.2f} dB  "
            f"{progress.frames_per_second:.0f} frames/s  {_clock(progress.seconds_left)} left"
        )
        self._bar.update(self._task, description=text, total=100, completed=int(100 * progress.done))
        if not self._console.is_terminal and progress.epoch >= max(self._last_epoch + 1, _next_line(self._last_epoch)):
            self._print(text)
            self._last_epoch = progress.epoch

    def _print(self, text: str, style: str | None = None) -> None:
        self._console.print(printable(text), style=style, soft_wrap=True)


class Curves(Listener):
    """Writes a training's curves for TensorBoard; nothing without a folder.

    Raises:
        InputError: a folder is given, and TensorBoard is not installed.
    """

    def __init__(self, folder: Path | None) -> None:
        self._folder, self._writer = folder, None if folder is None else _summary_writer()
        self._open: SummaryWriter | None = None

    def __enter__(self) -> Curves:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._open is not None:
            self._open.close()

    def training(self, progress: TrainingProgress) -> None:
        """Add a point to each curve."""
        if self._writer is None:
            return
        if self._open is None:
            self._open = self._writer(self._folder)
        self._open.add_scalar("psnr", progress.psnr, progress.step)
        self._open.add_scalar("frames per second", progress.frames_per_second, progress.step)


def _console(*, stderr: bool = False) -> Console:
    # No markup: a video may be called "[bold].mp4".
    return Console(stderr=stderr, highlight=False, markup=False, emoji=False)


def _laid_out(made: Table) -> rich_table.Table:
    laid = rich_table.Table(box=None, pad_edge=False, header_style="bold")
    for name, is_figures in zip(made.columns, made.are_figures, strict=True):
        # Names are broken, never cut: they are there to be copied.
        laid.add_column(printable(name), justify="right" if is_figures else "left", no_wrap=is_figures, overflow="fold")
    for number, row in enumerate(made.rows):
        if number in made.sections:
            laid.add_section()
        laid.add_row(*map(printable, row))
    return laid


def _wrapped(text: str, width: int) -> str:
    """Lines broken between words only: a path stays whole, to be copied."""
    return textwrap.fill(text, width, break_long_words=False, break_on_hyphens=False)


def _epoch(progress: TrainingProgress) -> str:
    """From 1."""
    return f"{progress.epoch + 1}" if progress.epochs is None else f"{progress.epoch + 1} of {progress.epochs}"


def _clock(seconds: float) -> str:
    minutes, rest = divmod(round(seconds), 60)
    return f"{minutes}:{rest:02d}"


def _next_line(epoch: int) -> int:
    """Lines on a log are for epochs 0, 1, 2, 4, 8, ... and then every hundredth."""
    return min(2 * epoch, epoch + 100) if epoch > 0 else 0


def _summary_writer() -> Any:
    """TensorBoard's writer class. Raises InputError where the extra is not installed."""
    try:
        from torch.utils.tensorboard import SummaryWriter
    except ImportError:
        raise InputError("--tensorboard needs the extra: pip install 'dnerv[tensorboard]'") from None
    return SummaryWriter
