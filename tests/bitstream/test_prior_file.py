"""Priors on disk."""

from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import save

from dnerv.bitstream.prior_file import PriorFile, read_prior
from dnerv.errors import InputError, OutputError

WEIGHTS = {"b.weight": np.arange(6, dtype=np.float16).reshape(2, 3), "a.bias": np.array([0.5, -2], np.float16)}
PRIOR = PriorFile(WEIGHTS, {"family": "prior"}, {"steps": 3})


def test_it_comes_back(tmp_path: Path) -> None:
    PRIOR.write(tmp_path / "a.prior")
    again = read_prior(tmp_path / "a.prior")
    assert (again.model, again.card, again.hash) == (PRIOR.model, PRIOR.card, PRIOR.hash)
    assert again.weights.keys() == WEIGHTS.keys()
    for name, weight in WEIGHTS.items():
        np.testing.assert_array_equal(again.weights[name], weight)


def test_its_name_is_of_its_weights_alone() -> None:
    """Fixed: archives hold it."""
    assert PRIOR.hash == "76c5b34efc1988267e547622f6648cae"
    assert PriorFile(dict(reversed(WEIGHTS.items())), {}, {}).hash == PRIOR.hash
    for other in (
        {**WEIGHTS, "a.bias": np.array([0.5, -2.002], np.float16)},
        {**WEIGHTS, "b.weight": WEIGHTS["b.weight"].reshape(3, 2)},
        {"c.weight": WEIGHTS["b.weight"], "a.bias": WEIGHTS["a.bias"]},
    ):
        assert PriorFile(other, {}, {}).hash != PRIOR.hash


@pytest.mark.parametrize(
    "data",
    [
        b"",
        b"\x89PNG and more than eight bytes",
        save({"a": np.zeros(3, np.float16)}),
        save({"a": np.zeros(3, np.float16)}, {"dnerv-prior": "{}"}),
        save({"a": np.zeros(3, np.float16)}, {"dnerv-prior": "[1"}),
        save({"a": np.zeros(3, np.float16)}, {"dnerv-prior": '{"model": 3, "card": {}}'}),
        save({"a": np.zeros(3, np.float32)}, {"dnerv-prior": '{"model": {}, "card": {}}'}),
        save({"a": np.full(3, np.nan, np.float16)}, {"dnerv-prior": '{"model": {}, "card": {}}'}),
    ],
)
def test_what_is_no_prior_is_refused(tmp_path: Path, data: bytes) -> None:
    (tmp_path / "a.prior").write_bytes(data)
    with pytest.raises(InputError, match=r"a\.prior: is no prior"):
        read_prior(tmp_path / "a.prior")


def test_a_file_cut_anywhere_is_refused(tmp_path: Path) -> None:
    PRIOR.write(tmp_path / "a.prior")
    data = (tmp_path / "a.prior").read_bytes()
    for length in range(0, len(data), 7):
        (tmp_path / "a.prior").write_bytes(data[:length])
        with pytest.raises(InputError, match="is no prior"):
            read_prior(tmp_path / "a.prior")


def test_what_cannot_be_read_or_written(tmp_path: Path) -> None:
    for path in (tmp_path / "absent.prior", tmp_path):
        with pytest.raises(InputError, match="cannot be read"):
            read_prior(path)
    with pytest.raises(OutputError):
        PRIOR.write(tmp_path / "absent/a.prior")
