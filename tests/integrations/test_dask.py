"""A cluster as an executor: what is said where there is none. Encoding by one is in tests/encoding/test_workers.py."""

import sys
from concurrent.futures import CancelledError
from pathlib import Path

import pytest

from dnerv.cli import main
from dnerv.errors import DnervError, InputError
from dnerv.integrations import dask


@pytest.mark.parametrize("address", ["tcp://127.0.0.1:9", "nonsense://here", "127.0.0.1:none", "banana"])
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


def test_what_ends_a_run_is_one_error_each() -> None:
    distributed = pytest.importorskip("distributed")
    killed = distributed.KilledWorker("a video", "tcp://there", 3)
    here = {"n_workers": 0, "processes": False, "dashboard_address": "127.0.0.1:0", "silence_logs": "CRITICAL"}
    with distributed.LocalCluster(**here) as local:
        address = local.scheduler_address
        for error, said in ((killed, "workers died again and again at one video"), (CancelledError(), "has gone")):
            with pytest.raises(DnervError, match=said), dask.cluster(address):
                raise error
        with dask.cluster(address) as workers:
            waiting = workers.submit(abs, -1)
            local.scale(1)  # a worker that comes later has it to do
            assert waiting.result(60) == 1
