"""Who does what is done video by video: threads of this process, or processes of any machine (`concurrent.futures`)."""

from __future__ import annotations

from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Executor
from dataclasses import dataclass
from typing import Generic, TypeVar

from dnerv.codecs import SvtAv1
from dnerv.errors import DnervError
from dnerv.process import as_done
from dnerv.version import __version__

Item = TypeVar("Item")
Result = TypeVar("Result")


def for_each(
    work: Callable[[Item], Result], items: Iterable[Item], workers: Executor | None
) -> Generator[tuple[int, Result]]:
    """`dnerv.process.as_done`. Raises DnervError where another version of dnerv or of an encoder did it."""
    if workers is None:
        yield from as_done(work, items)
        return
    ours = _software()
    for place, (software, result) in as_done(_Signed(work), items, workers):
        if software != ours:
            raise DnervError(f"a worker has {software}, and here is {ours}: bytes would differ; install the same")
        yield place, result


@dataclass(frozen=True)
class _Signed(Generic[Item, Result]):
    """Work whose result says what it was done with."""

    work: Callable[[Item], Result]

    def __call__(self, item: Item) -> tuple[str, Result]:
        return _software(), self.work(item)


def _software() -> str:
    return f"dnerv {__version__} with {SvtAv1().library()}"
