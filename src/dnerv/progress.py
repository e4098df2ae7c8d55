"""What is going on, told to whoever listens.

Long work calls `stage`, `advance`, `note` and `warning` wherever it is in the code; who listens is a matter of the
context (`with listening(display): ...`), not of every function's parameters. Nobody listening, nothing happens.
Threads started inside do not inherit the listener: they hand results back, and who takes them reports.
"""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


@dataclass(frozen=True)
class TrainingProgress:
    """How far a training has come."""

    done: float  # [0, 1]
    epoch: int  # of the latest step, from 0
    step: int  # steps taken
    psnr: float  # dB, mean over the frames trained on lately, a pass over the clips at most
    frames_per_second: float  # trained on, since this process began
    seconds_left: float
    epochs: int | None = None  # that there will be; None where time bounds the training


class Listener:
    """Told what is going on; this one does nothing with it."""

    def stage(self, title: str, total: int | None = None) -> None:
        """A step begins; `total` is the number of units that will be advanced by, None where they are not counted."""

    def advance(self, units: int = 1) -> None:
        """Units of the step are done."""

    def training(self, progress: TrainingProgress) -> None:
        """A network has been trained a little further."""

    def note(self, text: str) -> None:
        """Something a user will want to know."""

    def warning(self, text: str) -> None:
        """Something is not as it should be, and the work goes on."""


_listeners: ContextVar[tuple[Listener, ...]] = ContextVar("listeners", default=())


@contextmanager
def listening(listener: Listener, *, beside: bool = False) -> Iterator[None]:
    """Tell `listener` what goes on inside: in place of who listens outside, or beside them."""
    token = _listeners.set((*_listeners.get(), listener) if beside else (listener,))
    try:
        yield
    finally:
        _listeners.reset(token)


def stage(title: str, total: int | None = None) -> None:
    """Begin a step of `total` units, or of unknown length."""
    for listener in _listeners.get():
        listener.stage(title, total)


def advance(units: int = 1) -> None:
    """Say that units of the step are done."""
    for listener in _listeners.get():
        listener.advance(units)


def training(progress: TrainingProgress) -> None:
    """Say how far a training has come."""
    for listener in _listeners.get():
        listener.training(progress)


def note(text: str) -> None:
    """Say something a user will want to know."""
    for listener in _listeners.get():
        listener.note(text)


def warning(text: str) -> None:
    """Say that something is not as it should be, and go on."""
    for listener in _listeners.get():
        listener.warning(text)
