"""Priors by name."""

import os
from pathlib import Path

import numpy as np
import pytest

from dnerv.archive import priors
from dnerv.archive.priors import PLACES, given_prior, prior_by_hash, shipped
from dnerv.bitstream.prior_file import PriorFile
from dnerv.errors import InputError, MissingPriorError
from dnerv.families import config_from_json, count_parameters, tensor_shapes
from dnerv.families.prior import PriorConfig

PRIOR = PriorFile({"a": np.ones(2, np.float16)}, {}, {})


@pytest.fixture(autouse=True)
def places(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv(PLACES, "")


def test_those_that_come_along() -> None:
    assert sum(path.stat().st_size for path in shipped().values()) <= 700_000
    for name in shipped():
        prior = given_prior(name)
        model = config_from_json(prior.model)
        assert isinstance(model, PriorConfig)
        assert {key: weight.shape for key, weight in prior.weights.items()} == tensor_shapes(model)
        assert prior.card["parameters"] == count_parameters(model)
        assert prior.card["trained_on"]["licence"]
        assert prior_by_hash(prior.hash).hash == prior.hash
    assert not os.environ[PLACES]


def test_a_file_is_at_hand_once_it_was_given(tmp_path: Path) -> None:
    PRIOR.write(tmp_path / "mine.prior")
    with pytest.raises(MissingPriorError, match=PRIOR.hash):
        prior_by_hash(PRIOR.hash)
    for _ in range(2):
        assert given_prior(str(tmp_path / "mine.prior")).hash == PRIOR.hash
    assert prior_by_hash(PRIOR.hash).hash == PRIOR.hash
    assert os.environ[PLACES] == str(tmp_path / "mine.prior")


def test_a_changed_file_is_read_again(tmp_path: Path) -> None:
    path = tmp_path / "mine.prior"
    PRIOR.write(path)
    given_prior(str(path))
    other = PriorFile({"a": np.zeros(3, np.float16)}, {}, {})
    other.write(path)
    assert given_prior(str(path)).hash == other.hash
    with pytest.raises(MissingPriorError):
        prior_by_hash(PRIOR.hash)


def test_folders_are_looked_through(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for folder in ("one", "two"):
        (tmp_path / folder).mkdir()
    (tmp_path / "one/junk.prior").write_bytes(b"junk")
    PRIOR.write(tmp_path / "two/mine.prior")
    PRIOR.write(tmp_path / "two/mine.other")
    monkeypatch.setenv(PLACES, os.pathsep.join(str(tmp_path / name) for name in ("absent", "one", "two")))
    assert prior_by_hash(PRIOR.hash).hash == PRIOR.hash


def test_a_path_that_a_list_of_places_cannot_hold(tmp_path: Path) -> None:
    (tmp_path / "a:b").mkdir()
    PRIOR.write(tmp_path / "a:b/mine.prior")
    with pytest.raises(InputError, match="move it"):
        given_prior(str(tmp_path / "a:b/mine.prior"))


def test_a_name_that_is_none(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(priors, "shipped", lambda: {"small": Path("small.prior")})
    with pytest.raises(InputError, match="no prior is called 'smal', and no file; known: small"):
        given_prior("smal")
