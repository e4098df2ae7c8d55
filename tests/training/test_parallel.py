"""Several processes train as one: the same weights, wherever they are stopped."""

import os
import socket
import subprocess
from collections.abc import Callable
from pathlib import Path

import pytest
import torch
from torch import nn

from dnerv.errors import DnervError
from dnerv.families import DNeRV, DNeRVConfig
from dnerv.training import (
    ONE_PROCESS,
    ClipSet,
    LostProcessError,
    ProcessGroup,
    Trainer,
    TrainingConfig,
    join_processes,
    local_device,
)

CPU = torch.device("cpu")
TOLERANCE = 1e-5  # of a weight after a dozen steps of 3e-3: sums over ranks round otherwise than sums over a batch
LENGTHS = (6, 3, 9)  # frames: clips of 4, 2; 3; 4, 4, 1 real frames
SCENARIOS = {
    "uneven": TrainingConfig(epochs=3, batch_clips=4, precision="fp32", learning_rate=3e-3, quantise_from=None),
    "quantised": TrainingConfig(epochs=3, batch_clips=3, precision="fp32", learning_rate=3e-3, quantise_from=0.8),
    "averaged": TrainingConfig(epochs=3, batch_clips=5, precision="fp32", learning_rate=3e-3, ema=0.75),
    "alone": TrainingConfig(epochs=1, batch_clips=1, precision="fp32", learning_rate=3e-3, loss="l1"),
}
STOPPED = TrainingConfig(epochs=4, batch_clips=4, precision="fp32", checkpoint_seconds=0)

PROGRAM = """
import sys
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import torch
torch.set_num_threads(1)
import conftest, test_parallel as t
from dnerv.progress import listening
from dnerv.training import LostProcessError, TrainingConfig, join_processes
folder, what = Path(sys.argv[2]), sys.argv[3]
config = conftest.small_config()
with join_processes("cpu") as group:
    if group.rank:
        clips = group.receive()
    else:
        clips = conftest.make_clips(folder / what, config, t.LENGTHS)
        if what == "failing":
            raise SystemExit(7)
        group.hand_out(clips)
    def run(name, training, listener=lambda progress: None):
        trainer = t.trainer(clips, config, training, folder / f"{name}.pt", group)
        heard = []
        with listening(conftest.Told(lambda progress: (heard.append(progress), listener(progress)))):
            trainer.run()
        weights = dict(trainer.model.state_dict())
        torch.save({"weights": weights, "step": trainer.step, "heard": len(heard)}, folder / f"{name}.{group.rank}")
    if what == "stopped":
        def stop(progress):
            raise KeyboardInterrupt
        run("stopped", t.STOPPED, stop)
    run("stopped", t.STOPPED)
    run("whole", t.STOPPED)
    for name, training in t.SCENARIOS.items():
        run(name, training)
    run("budget", TrainingConfig(budget_seconds=0.5, batch_clips=2, precision="fp32"))
    try:
        torch.manual_seed(group.rank)
        group.check_agreement([torch.nn.Parameter(torch.rand(2))], 0)
    except Exception as error:
        (folder / f"disagreement.{group.rank}").write_text(str(error))
"""


def trainer(
    clips: ClipSet, config: DNeRVConfig, training: TrainingConfig, checkpoint: Path, group: ProcessGroup
) -> Trainer:
    torch.manual_seed(5)
    return Trainer(DNeRV(config), clips, training, checkpoint, CPU, group)


def launch(python: str, folder: Path, what: str) -> list[tuple[int, str]]:
    """Two processes: exit code and standard error of each. They must end by themselves."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = str(probe.getsockname()[1])
    around = os.environ | {"WORLD_SIZE": "2", "MASTER_ADDR": "127.0.0.1", "MASTER_PORT": port, "OMP_NUM_THREADS": "1"}
    command = [python, "-c", PROGRAM, str(Path(__file__).parent), str(folder), what]
    processes = [
        subprocess.Popen(command, env=around | {"RANK": str(rank)}, stderr=subprocess.PIPE, text=True)
        for rank in range(2)
    ]
    try:
        errors = [process.communicate(timeout=180)[1] for process in processes]
    finally:
        for process in processes:
            process.kill()
    return [(process.returncode, error) for process, error in zip(processes, errors, strict=True)]


@pytest.fixture(scope="module")
def folder(warm_python: str, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """What a pair of processes leaves that is stopped, and what a second pair makes of it and of everything else."""
    folder = tmp_path_factory.mktemp("pair")
    (first, _), (second, said) = launch(warm_python, folder, "stopped")
    assert first != 0
    assert second != 0
    assert "LostProcessError: another process of this training has ended" in said
    assert torch.load(folder / "stopped.pt", weights_only=True)["step"] > 0
    assert [code for code, _ in launch(warm_python, folder, "going on")] == [0, 0]
    return folder


def result(folder: Path, name: str, rank: int) -> dict[str, torch.Tensor]:
    weights: dict[str, torch.Tensor] = torch.load(folder / f"{name}.{rank}", weights_only=True)["weights"]
    return weights


@pytest.mark.parametrize("name", SCENARIOS)
def test_the_same_weights_as_one_process(
    folder: Path, name: str, config: DNeRVConfig, clips_of: Callable[..., ClipSet], tmp_path: Path
) -> None:
    one = trainer(clips_of(tmp_path, config, LENGTHS), config, SCENARIOS[name], tmp_path / "c.pt", ONE_PROCESS)
    start = {key: p.detach().clone() for key, p in one.model.named_parameters()}
    one.run()
    moved = 0.0
    for key, weight in one.model.named_parameters():
        torch.testing.assert_close(result(folder, name, 0)[key], weight.detach(), rtol=0, atol=TOLERANCE)
        assert torch.equal(result(folder, name, 0)[key], result(folder, name, 1)[key])  # to the bit
        moved = max(moved, float((weight.detach() - start[key]).abs().max()))
    assert moved > 100 * TOLERANCE


def test_going_on_gives_what_an_undisturbed_pair_gives(folder: Path) -> None:
    whole, stopped = result(folder, "whole", 0), result(folder, "stopped", 0)
    assert all(torch.equal(whole[name], stopped[name]) for name in whole)


def test_a_budget_ends_on_one_step(folder: Path) -> None:
    first, second = (torch.load(folder / f"budget.{rank}", weights_only=True) for rank in range(2))
    assert first["step"] == second["step"] > 0
    assert (first["heard"] > 0, second["heard"]) == (True, 0)  # rank 0 alone tells of progress
    assert all(torch.equal(first["weights"][name], second["weights"][name]) for name in first["weights"])


def test_processes_that_do_not_share_a_disk_are_told(folder: Path) -> None:
    for rank in range(2):
        assert "different weights" in (folder / f"disagreement.{rank}").read_text()


def test_a_first_process_that_fails_before_training_frees_the_others(warm_python: str, tmp_path: Path) -> None:
    (first, _), (second, said) = launch(warm_python, tmp_path, "failing")
    assert first == 7
    assert second != 0
    assert "LostProcessError: rank 0 ended before the training" in said


def test_alone_there_is_nobody_to_meet(monkeypatch: pytest.MonkeyPatch) -> None:
    assert join_processes("cpu") is ONE_PROCESS
    assert local_device("cuda") == "cuda"
    assert ONE_PROCESS.share([4, 2, 7]) == [4, 2, 7]
    weight = nn.Parameter(torch.ones(2))
    figure = torch.tensor(0.1, dtype=torch.float64)
    assert ONE_PROCESS.combine([weight], [figure])[0] is figure
    assert weight.grad is None
    with pytest.raises(LostProcessError):
        ONE_PROCESS.receive()
    assert issubclass(LostProcessError, DnervError)


def test_each_process_has_a_device_of_its_own(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    monkeypatch.setenv("LOCAL_RANK", "3")
    assert (local_device("cuda"), local_device("cuda:1"), local_device("cpu")) == ("cuda:3", "cuda:1", "cpu")
