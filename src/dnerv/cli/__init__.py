"""The command line: parse, call one function, print.

Exit codes: 0, 1 for a named error (one line on stderr), 2 for usage, 130 after an interruption.

words ─ application ─ a command (commands/) ─ parsing ─ options ─ its function ─ record ─ JSON, or tables
                                    └ its options' dataclasses say how they are typed, checked and explained
"""

from __future__ import annotations

import io
import os
import select
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager, redirect_stderr
from typing import NoReturn

from dnerv.cli.application import call, usage
from dnerv.cli.command import is_first_process
from dnerv.cli.parsing import UsageError
from dnerv.errors import DnervError
from dnerv.printable import printable
from dnerv.process import tune_process

__all__ = ["main"]


def main() -> None:
    """Run the command line."""
    tune_process()
    # Typed after the command, where people type it, it would be the command's own option.
    words = [word for word in sys.argv[1:] if word != "--debug"]
    debug = len(words) < len(sys.argv) - 1
    try:
        with _first_process_speaks():
            _call(words)
    except (DnervError, OSError, MemoryError) as error:
        if isinstance(error, BrokenPipeError) and _nobody_reads():
            sys.exit(1)
        if debug:
            raise
        _fail(_one_line(error), 1)
    except KeyboardInterrupt:
        _fail("interrupted", 130)


def _call(words: list[str]) -> None:
    try:
        call(words)
        sys.stdout.flush()
    except UsageError as error:
        print(usage(words), file=sys.stderr)
        _fail(str(error), 2)


@contextmanager
def _first_process_speaks() -> Iterator[None]:
    """Of processes started together all read the same command line: what is wrong with it is said once."""
    if is_first_process():
        yield
        return
    with redirect_stderr(io.StringIO()):
        try:
            yield
        except SystemExit as end:
            if end.code == 2:
                time.sleep(1)  # launchers end all processes as soon as one has ended: let the first one speak
            raise


def _nobody_reads() -> bool:
    """Whether standard output is a pipe whose reader, `head` for example, has gone; then nothing more is written."""
    output = select.poll()
    output.register(1, 0)
    if not any(event & select.POLLERR for _, event in output.poll(0)):
        return False
    os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
    return True


def _fail(reason: str, code: int) -> NoReturn:
    if code != 130 or is_first_process():
        print(f"dnerv: {printable(reason)}", file=sys.stderr)
    sys.exit(code)


def _one_line(error: Exception) -> str:
    if isinstance(error, OSError) and error.strerror:
        return f"{error.filename}: {error.strerror}" if error.filename else error.strerror
    return " ".join(str(error).split()) or type(error).__name__
