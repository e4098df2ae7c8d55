"""What the writer lets in the reader opens; the rest is refused, and nothing is left behind."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from dnerv.archive import Archive, CodedVideo, write_archive
from dnerv.errors import DnervError, InputError
from dnerv.families import tensor_shapes

Write = Callable[[list[str], float], Path]


@pytest.fixture
def write(nerv_path: Path, tmp_path: Path) -> Write:
    """Write videos of these names, with weights that are all one number."""

    def run(names: list[str], weight: float = 0.5) -> Path:
        with Archive(nerv_path) as archive:
            config, entry = archive.config, archive.entries[0]
        weights = {name: np.full(shape, weight, np.float32) for name, shape in tensor_shapes(config.model).items()}
        videos = [CodedVideo(replace(entry, name=name), b"", None) for name in names]
        write_archive(tmp_path / "new.dnerv", config, weights, 6, videos)
        return tmp_path / "new.dnerv"

    return run


def test_names_come_back_as_they_were(write: Write) -> None:
    names = ["a", "class/b.mp4", "ü 🎥", "\udcff", "a\x1b[2J", "..."]
    with Archive(write(names, 0.5)) as archive:
        assert archive.names == names
        assert archive.config.source == {"crf": 50}


@pytest.mark.parametrize("names", [[""], ["../a"], ["/a"], ["a\\b"], ["a//b"], ["a\0"], ["a", "b", "a"]], ids=repr)
def test_names_that_no_reader_would_open(write: Write, tmp_path: Path, names: list[str]) -> None:
    with pytest.raises(InputError):
        write(names, 0.5)
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize("weight", [float("nan"), float("inf")])
def test_weights_that_cannot_be_stored(write: Write, tmp_path: Path, weight: float) -> None:
    with pytest.raises(DnervError, match="the trained weights cannot be stored"):
        write(["a"], weight)
    assert list(tmp_path.iterdir()) == []
