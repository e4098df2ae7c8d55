"""A cluster as an executor: what is said where there is none. Encoding by one is in tests/encoding/test_workers.py."""

import sys
from pathlib import Path

import pytest

from dnerv.cli import main
from dnerv.errors import InputError
from dnerv.integrations import dask


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://here", "127.0.0.1:none"])
def test_no_scheduler_is_one_error(address: str, monkeypatch: pytest.MonkeyPatch) -> None:
    pytest.importorskip("distributed")
    monkeypatch.setattr(dask, "_CONNECT_SECONDS", 0.2)
    with pytest.raises(InputError, match=f"--cluster {address}: no scheduler"), dask.cluster(address):
        pass


def test_without_the_extra_it_is_named(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "distributed", None)
    with pytest.raises(InputError, match=r"pip install 'dnerv\[cluster\]'"), dask.cluster("tcp://127.0.0.1:9"):
        pass


def test_training_is_not_given_away(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    words = [str(tmp_path), "-o", str(tmp_path / "a.dnerv"), "--budget", "1s", "--cluster", "tcp://127.0.0.1:9"]
    monkeypatch.setattr(sys, "argv", ["dnerv", "encode", *words])
    with pytest.raises(SystemExit):
        main()
    assert "--cluster: workers code base layers alone" in capsys.readouterr().err
    assert [*tmp_path.iterdir()] == []
