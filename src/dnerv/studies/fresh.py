"""A function in a process of its own: what it measures cannot come from what is in this one's memory."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from dnerv import progress
from dnerv.errors import DnervError
from dnerv.process import tune_process

T = TypeVar("T")


def fresh(function: Callable[..., T], *arguments: Any) -> T:
    """Call `function(*arguments)` in a new interpreter; its progress is told here.

    Raises what the function raises, and DnervError where the process ends without an answer. An interruption ends it.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, function, arguments))  # it may have processes of its own
    process.start()
    theirs.close()
    try:
        result: T = _listen(ours)
        return result
    except EOFError:
        process.join()
        raise DnervError(f"the process that measures ended with code {process.exitcode}") from None
    finally:
        ours.close()
        process.terminate()
        process.join()


def _listen(pipe: Connection) -> Any:
    while True:
        kind, value = pipe.recv()
        if kind == "result":
            return value
        if kind == "error":
            raise value
        getattr(progress, kind)(*value)


def _answer(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    tune_process()  # as the command line does, whose speed this is
    try:
        with progress.listening(_Piped(pipe)):
            result = function(*arguments)
    except Exception as error:
        pipe.send(("error", error))
    except KeyboardInterrupt:
        return  # the other process was interrupted too, and says so
    else:
        pipe.send(("result", result))


class _Piped(progress.Listener):
    """Sends on what it is told."""

    def __init__(self, pipe: Connection) -> None:
        self._pipe = pipe

    def stage(self, title: str, total: int | None = None) -> None:
        self._pipe.send(("stage", (title, total)))

    def advance(self, units: int = 1) -> None:
        self._pipe.send(("advance", (units,)))

    def training(self, progress: progress.TrainingProgress) -> None:
        self._pipe.send(("training", (progress,)))

    def note(self, text: str) -> None:
        self._pipe.send(("note", (text,)))

    def warning(self, text: str) -> None:
        self._pipe.send(("warning", (text,)))
