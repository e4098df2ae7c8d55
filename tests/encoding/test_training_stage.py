"""`torchrun ... dnerv encode`: the archive of one process, and one message where the first process fails."""

import os
import subprocess
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerv.archive import Archive
from dnerv.bitstream import unpack_weights
from dnerv.families import tensor_shapes

TINY = ["--epochs", "3", "--width", "3", "--every", "4", "--crf", "50", "--network", "always", "--effort", "fast"]
TINY += ["--clip-length", "4", "--precision", "fp32", "--weight-bits", "8"]


@pytest.fixture
def launch(warm_python: str) -> Callable[..., subprocess.CompletedProcess[str]]:
    """`dnerv encode` with these arguments, under torchrun where there are several processes."""

    def run(processes: int, *words: object) -> subprocess.CompletedProcess[str]:
        launcher = ["torch.distributed.run", "--standalone", "--nproc-per-node", str(processes), "-m"]
        command = [warm_python, "-m", *(launcher if processes > 1 else []), "dnerv", "encode", *map(str, words), *TINY]
        around = os.environ | {"OMP_NUM_THREADS": "1"}
        return subprocess.run(command, env=around, capture_output=True, text=True, timeout=240, check=False)

    return run


def weights(path: Path) -> dict[str, np.ndarray]:
    with Archive(path) as archive:
        network = archive.config.network
        assert network is not None
        return unpack_weights(archive.container.read("NETW"), tensor_shapes(network.model))


def test_the_archive_of_one_process(corpus: Path, launch: Callable[..., Any], tmp_path: Path) -> None:
    """At the same batch, here chosen by two processes and given to one.

    Weights agree to 1e-5 before they are rounded, so after it to one level of the quantiser.
    """
    for processes, batch in ((1, ["--batch", "2"]), (2, [])):
        ended = launch(processes, corpus, "-o", tmp_path / f"{processes}.dnerv", *batch)
        assert ended.returncode == 0, ended.stderr
    assert ended.stderr.count("training in 2 processes, 2 clips a step") == 1
    assert sorted(path.name for path in tmp_path.iterdir()) == ["1.dnerv", "2.dnerv"]
    one, two = weights(tmp_path / "1.dnerv"), weights(tmp_path / "2.dnerv")
    for name, expected in one.items():
        level = (expected.max() - expected.min()) / 255
        assert np.abs(two[name] - expected).max() <= 1.01 * level + 1e-4, name
    same = sum(int((np.abs(two[name] - one[name]) < 1e-5).sum()) for name in one)
    assert same > 0.9 * sum(weight.size for weight in one.values())


@pytest.mark.parametrize("wrong", [["absent.mp4"], ["x.mp4", "--bpp", "99"]], ids=["input", "usage"])
def test_a_mistake_is_said_once_and_ends_all(launch: Callable[..., Any], tmp_path: Path, wrong: list[str]) -> None:
    ended = launch(2, *wrong, "-o", tmp_path / "a.dnerv")
    assert ended.returncode != 0
    assert ended.stderr.count("absent.mp4: no such file" if len(wrong) == 1 else "--bpp is 99.0; allowed are") == 1
    assert list(tmp_path.iterdir()) == []
