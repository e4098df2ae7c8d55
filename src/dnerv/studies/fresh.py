"""A function in a process of its own: what it measures cannot come from what is in this one's memory."""

from __future__ import annotations

from collections.abc import Callable
from multiprocessing import get_context
from multiprocessing.connection import Connection
from typing import Any, TypeVar

from dnerv.errors import DnervError

T = TypeVar("T")


def in_fresh_process(advance: Callable[[], None], function: Callable[..., T], *arguments: Any) -> T:
    """Call `function(advance, *arguments)` in a new interpreter; `advance` is called here as often as there.

    Raises what the function raises, and DnervError where the process ends without an answer. An interruption ends it.
    """
    context = get_context("spawn")
    ours, theirs = context.Pipe(duplex=False)
    process = context.Process(target=_answer, args=(theirs, function, arguments), daemon=True)
    process.start()
    theirs.close()
    try:
        result: T = _listen(ours, advance)
        return result
    except EOFError:
        process.join()
        raise DnervError(f"the process that measures ended with code {process.exitcode}") from None
    finally:
        ours.close()
        process.terminate()
        process.join()


def _listen(pipe: Connection, advance: Callable[[], None]) -> Any:
    while True:
        kind, value = pipe.recv()
        if kind == "result":
            return value
        if kind == "error":
            raise value
        advance()


def _answer(pipe: Connection, function: Callable[..., Any], arguments: tuple[Any, ...]) -> None:
    try:
        result = function(lambda: pipe.send(("advance", None)), *arguments)
    except Exception as error:
        pipe.send(("error", error))
    except KeyboardInterrupt:
        return  # the other process was interrupted too, and says so
    else:
        pipe.send(("result", result))
