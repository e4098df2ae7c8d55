"""A family of one's own, the one of `examples/own_family.py`: that file is all that it takes."""

from __future__ import annotations

from collections.abc import Iterator
from fractions import Fraction
from pathlib import Path

import numpy as np
import pytest
import torch
from own_family import BLEND, Blend, BlendConfig

from dnerv.archive import Archive
from dnerv.encoding import EncodeOptions, encode
from dnerv.errors import ArchiveError
from dnerv.families import (
    FAMILIES,
    Family,
    Sizing,
    config_from_json,
    config_to_json,
    family_of,
    register,
)
from dnerv.video import Timing, write_mp4


@pytest.fixture(autouse=True)
def registered() -> Iterator[None]:
    register(BLEND)
    yield
    del FAMILIES["blend"]


def test_it_is_encoded_and_read_like_the_others(tmp_path: Path) -> None:
    path, videos = tmp_path / "blend.dnerv", tmp_path / "in"
    videos.mkdir()
    for name, count in (("walk", 10), ("run", 9)):
        shades = [np.full((32, 48, 3), 40 + 12 * i, np.uint8) for i in range(count)]
        write_mp4(videos / f"{name}.mp4", iter(shades), Timing.constant(Fraction(25), count))
    options = EncodeOptions(model="blend", network="always", width=3, every=4, epochs=1, crf=30)
    result = encode([videos], path, options)
    with Archive(path) as archive, Archive(path, precision="reference") as plain:
        model = archive.network.config.model
        assert model == BlendConfig(3, (32, 48), keyframe_every=4)
        assert family_of(model) is BLEND
        assert result.network is not None
        assert result.network.parameters == 3 + 3 + 9 + 3
        assert archive["walk"][:].shape == (10, 3, 32, 48)
        assert torch.equal(archive["walk"][:], plain["walk"][:])
        assert result.quality.psnr > 20


def test_its_configuration_is_checked_like_theirs() -> None:
    config = BLEND.sized(2, Sizing((32, 32)))
    record = config_to_json(config)
    assert record == {
        "family": "blend",
        "base_channels": 2,
        "canvas": (32, 32),
        "clip_length": 8,
        "keyframe_every": 8,
    }
    assert config_from_json(record | {"canvas": [32, 32]}) == config
    for wrong in ({"canvas": [32]}, {"canvas": [32, 1 << 30]}, {"base_channels": 65}, {"colour": 1}):
        with pytest.raises(ArchiveError):
            config_from_json(record | {"canvas": [32, 32]} | wrong)


def test_a_name_is_given_once() -> None:
    register(BLEND)  # again: nothing happens
    with pytest.raises(ValueError, match="a family is called 'blend' already"):
        register(Family("blend", "Other", BlendConfig, Blend, BLEND.sized, BLEND.multiply_adds))
