"""Archives that were written once decode to the same frames for ever, in each family (`make.py` makes them).

What is integer arithmetic, weights and keyframes, is compared by hash. Frames pass through float32 sums, whose order is
the library's and the machine's: they may differ by one level where a value lies half-way between two.
"""

from __future__ import annotations

import hashlib
from pathlib import Path

import numpy as np
import pytest

from dnerv.archive import Archive
from dnerv.bitstream import unpack_weights
from dnerv.bitstream.ans import PlainDecoder
from dnerv.families import FAMILIES, family_of, tensor_shapes

HERE = Path(__file__).parent
WEIGHTS = {"dnerv": "fc9f21dffc8741fe", "nerv": "5a61788de03be8a8"}
KEYFRAMES = {"dnerv": "70b28631922dbd42", "nerv": "none"}


@pytest.fixture(params=sorted(FAMILIES))
def family(request: pytest.FixtureRequest) -> str:
    name: str = request.param
    return name


def digest(*arrays: np.ndarray) -> str:
    return hashlib.sha256(b"".join(np.ascontiguousarray(array).tobytes() for array in arrays)).hexdigest()[:16]


@pytest.mark.parametrize("precision", ["fp32", "reference"])
def test_frames(family: str, precision: str) -> None:
    with Archive(HERE / f"{family}.dnerv", precision=precision) as archive, np.load(HERE / "frames.npz") as stored:  # type: ignore[arg-type]
        assert family_of(archive.config.model).name == family
        assert archive.names == ["even", "odd"]
        for name in archive.names:
            expected, made = stored[f"{family} {name}"], archive[name][:].numpy()
            assert made.shape == expected.shape
            difference = np.abs(made.astype(int) - expected)
            assert difference.max() <= 1
            assert difference.mean() < 0.01
            assert expected.std() > 10


def test_weights(family: str) -> None:
    with Archive(HERE / f"{family}.dnerv") as archive:
        section, shapes = archive.container.read("NETW"), tensor_shapes(archive.config.model)
    assert digest(*unpack_weights(section, shapes).values()) == WEIGHTS[family]
    assert digest(*unpack_weights(section, shapes, decoder=PlainDecoder).values()) == WEIGHTS[family]


def test_keyframes(family: str) -> None:
    with Archive(HERE / f"{family}.dnerv") as archive:
        readers = [archive.keyframe_reader(place) for place in range(len(archive))]
        pictures = [r.read(0, archive.timeline(i).num_keyframes - 1) for i, r in enumerate(readers) if r is not None]
    assert (digest(*pictures) if pictures else "none") == KEYFRAMES[family]
