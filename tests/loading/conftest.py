"""Small archives with labels, lengths and sizes that differ, written as the tests of the archive room write theirs."""

import importlib.util
import sys
from fractions import Fraction
from pathlib import Path
from types import ModuleType

import pytest

from dnerv.video import Timing


def _archive_conftest() -> ModuleType:
    path = Path(__file__).parents[1] / "archive" / "conftest.py"
    spec = importlib.util.spec_from_file_location("archive_conftest", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = module
    spec.loader.exec_module(module)
    return module


archives = _archive_conftest()
LENGTHS = {"walk/a": 13, "run/b": 8, "loose": 1, "walk/c": 3, "run/d": 21}  # frames; the folder is the label


@pytest.fixture(scope="session")
def alike_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five videos of 32x32, the network's clips are 4 frames long."""
    sources = [
        archives.Source(name, (32, 32), (32, 32), Timing.constant(Fraction(10), count))
        for name, count in LENGTHS.items()
    ]
    return Path(archives.write(tmp_path_factory.mktemp("alike"), archives.SMALL, sources))


@pytest.fixture(scope="session")
def mixed_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32x32, 27x31, one frame of 32x32 that was 45x51, and 32x52 in two tiles."""
    return Path(archives.write(tmp_path_factory.mktemp("mixed"), archives.SMALL))


@pytest.fixture(scope="session")
def nerv_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same videos without keyframes."""
    return Path(archives.write(tmp_path_factory.mktemp("nerv"), archives.NERV))


@pytest.fixture(scope="session")
def lengths() -> dict[str, int]:
    return LENGTHS
