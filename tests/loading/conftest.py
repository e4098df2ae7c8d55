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
LENGTHS = {"loose": 1, "run/b": 8, "run/d": 21, "walk/a": 13, "walk/c": 3}  # frames; the folder is the label


@pytest.fixture(scope="session")
def alike_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five videos of 32x32 that use a network, whose clips are 4 frames long."""
    sources = [
        archives.Source(name, (32, 32), (32, 32), Timing.constant(Fraction(10), count))
        for name, count in LENGTHS.items()
    ]
    return Path(archives.write(tmp_path_factory.mktemp("alike"), archives.SMALL, sources))


@pytest.fixture(scope="session")
def mixed_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """32x32, 27x31, one frame of 32x32 that was 45x51 and does without the network, and 32x52 in two tiles."""
    return Path(archives.write(tmp_path_factory.mktemp("mixed"), archives.SMALL))


@pytest.fixture(scope="session")
def nerv_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The same videos out of a network alone."""
    return Path(archives.write(tmp_path_factory.mktemp("nerv"), archives.NERV))


@pytest.fixture(scope="session")
def base_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five videos of 32x32 in base layers alone, some groups behind references."""
    sources = [
        archives.Source(name, (32, 32), (32, 32), Timing.constant(Fraction(10), count), shares=count > 8)
        for name, count in LENGTHS.items()
    ]
    return Path(archives.write(tmp_path_factory.mktemp("base"), None, sources, distance=2))


@pytest.fixture(scope="session")
def some_path(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Five videos of 32x32, of which two use the network."""
    sources = [
        archives.Source(name, (32, 32), (32, 32), Timing.constant(Fraction(10), count), uses_network=count in (3, 21))
        for name, count in LENGTHS.items()
    ]
    return Path(archives.write(tmp_path_factory.mktemp("some"), archives.SMALL, sources))


@pytest.fixture(scope="session")
def shards(tmp_path_factory: pytest.TempPathFactory) -> list[Path]:
    """Three archives of base layers whose names interleave."""
    return list(archives.write_shards(tmp_path_factory.mktemp("shards")))


@pytest.fixture(scope="session")
def lengths() -> dict[str, int]:
    return LENGTHS
