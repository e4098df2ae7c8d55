"""The transcription of the paper that networks are tested against, a small network of its shape, and a warm Python."""

import os
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from multiprocessing import resource_tracker, spawn
from pathlib import Path
from shlex import quote
from types import SimpleNamespace

import pytest
import transcription

from dnerv.families import DNeRVConfig


@pytest.fixture(scope="session")
def plain() -> SimpleNamespace:
    """The transcription and what it needs."""
    return SimpleNamespace(
        authors_state=transcription.authors_state,
        dnerv=transcription.paper_dnerv,
        nerv=transcription.paper_nerv,
        shuffle=transcription.shuffle,
        keyframes=transcription.smooth_keyframes,
        inputs=transcription.clip_inputs,
    )


@pytest.fixture
def small() -> Callable[..., DNeRVConfig]:
    """The paper's network, small in every width."""

    def make(**changes: object) -> DNeRVConfig:
        fields = {"base_channels": 6, "grid": (2, 3), "strides": (4, 2, 2), "clip_length": 4, "keyframe_every": 4}
        widths = {"min_channels": 8, "encoder_channels": 10, "stem_channels": 16, "encoding_levels": 12}
        colours = {"mean": (0.45, 0.4, 0.5), "std": (0.25, 0.3, 0.2)}
        return DNeRVConfig(**(fields | widths | colours | changes))  # type: ignore[arg-type]

    return make


@pytest.fixture(scope="session")
def warm_python() -> Iterator[str]:
    """A Python for commands that starts with torch imported, see `warm_python.py`; its path."""
    program = Path(__file__).with_name("warm_python.py")
    with tempfile.TemporaryDirectory() as folder:  # pytest's folders have names too long for a socket
        server, python = Path(folder, "server"), Path(folder, "python")
        words = [sys.executable, "-IS", str(program), "ask", str(server)]
        python.write_text(f'#!/bin/sh\nexec {" ".join(map(quote, words))} "$0" "$@"\n')
        python.chmod(0o700)
        command = [sys.executable, str(program), "serve", str(server)]
        around = os.environ | {"OMP_NUM_THREADS": "1"}
        with subprocess.Popen(command, env=around, stdin=subprocess.PIPE, start_new_session=True) as process:
            while not server.exists():
                time.sleep(0.01)
            yield str(python)
            process.stdin.close()  # type: ignore[union-attr]


def _warmed(python: str) -> Iterator[None]:
    resource_tracker.ensure_running()  # it outlives what starts it
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(sys, "executable", python)
        patch.setattr(spawn, "_python_exe", os.fsencode(python))
        yield


@pytest.fixture
def warm_processes(warm_python: str) -> Iterator[None]:
    """Processes that the test starts, by `sys.executable` or by multiprocessing's "spawn", have torch imported."""
    yield from _warmed(warm_python)


@pytest.fixture(scope="module")
def warm_module(warm_python: str) -> Iterator[None]:
    """The same for a whole module."""
    yield from _warmed(warm_python)
