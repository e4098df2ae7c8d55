"""Training: it learns, it repeats itself to the bit, and it survives being stopped anywhere."""

import os
import signal
import subprocess
import time
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dnerv.engine import Differentiable
from dnerv.errors import DnervError, OutputError
from dnerv.families import DNeRV, DNeRVConfig
from dnerv.progress import Listener, TrainingProgress, listening
from dnerv.training import ClipSet, Trainer, TrainingConfig
from dnerv.training.clip_set import Batch
from dnerv.training.quantised import quantise_like_archive
from dnerv.training.trainer import save_atomically

Tell = Callable[..., Listener]
TRAINING = TrainingConfig(epochs=4, batch_clips=2, precision="fp32", learning_rate=3e-3)  # 8 steps
CPU = torch.device("cpu")


def trainer(clips: ClipSet, config: DNeRVConfig, checkpoint: Path, training: TrainingConfig = TRAINING) -> Trainer:
    torch.manual_seed(5)
    return Trainer(DNeRV(config), clips, training, checkpoint, CPU)


def weights(trained: Trainer) -> dict[str, torch.Tensor]:
    return {name: p.detach().clone() for name, p in trained.model.named_parameters()}


def same(a: dict[str, torch.Tensor], b: dict[str, torch.Tensor]) -> bool:
    return a.keys() == b.keys() and all(torch.equal(a[name], b[name]) for name in a)


@pytest.fixture
def every_step(monkeypatch: pytest.MonkeyPatch) -> None:
    """A clock that leaps a second at every look, so that the listener hears of every step."""
    ticks = iter(range(10**9))
    monkeypatch.setattr("dnerv.training.trainer.time", SimpleNamespace(monotonic=lambda: float(next(ticks))))


@pytest.fixture(scope="module")
def finished(clips: ClipSet, config: DNeRVConfig, tmp_path_factory: pytest.TempPathFactory) -> Trainer:
    whole = trainer(clips, config, tmp_path_factory.mktemp("whole") / "c.pt")
    whole.run()
    assert whole.step == 8
    return whole


@pytest.fixture
def uninterrupted(finished: Trainer) -> dict[str, torch.Tensor]:
    return weights(finished)


def test_the_frames_get_better(
    tmp_path: Path,
    config: DNeRVConfig,
    clips_of: Callable[..., ClipSet],
    every_step: None,
    told: Tell,
) -> None:
    heard: list[TrainingProgress] = []
    training = replace(TRAINING, epochs=12, learning_rate=2e-2, quantise_from=None)
    run = trainer(clips_of(tmp_path / "dark", config, darker=25), config, tmp_path / "c.pt", training)
    start = weights(run)
    with listening(told(heard.append)):
        run.run()
    assert not same(start, weights(run))
    assert len(heard) == run.step == 24
    assert heard[-1].done == 1
    assert heard[-1].seconds_left == 0
    assert heard[-1].psnr > heard[1].psnr + 1  # means over one pass over all clips
    assert not run.model.training


def test_two_runs_are_identical_and_the_seed_matters(
    clips: ClipSet, config: DNeRVConfig, tmp_path: Path, uninterrupted: dict[str, torch.Tensor]
) -> None:
    again = trainer(clips, config, tmp_path / "again.pt")
    again.run()
    assert same(weights(again), uninterrupted)
    other = trainer(clips, config, tmp_path / "other.pt", replace(TRAINING, seed=1))
    other.run()
    assert not same(weights(other), uninterrupted)


@pytest.mark.parametrize("stop", [1, 6, 7])
def test_stopped_by_an_exception_and_resumed(
    clips: ClipSet,
    config: DNeRVConfig,
    tmp_path: Path,
    uninterrupted: dict[str, torch.Tensor],
    every_step: None,
    stop: int,
    told: Tell,
) -> None:
    def listener(progress: TrainingProgress) -> None:
        if progress.step == stop:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listening(told(listener)):
        trainer(clips, config, tmp_path / "c.pt").run()
    resumed = trainer(clips, config, tmp_path / "c.pt")
    assert resumed.step == stop
    resumed.run()
    assert same(weights(resumed), uninterrupted)


@pytest.mark.parametrize("place", ["optimizer", "note"])
def test_stopped_within_a_step_keeps_no_half_of_it(
    clips: ClipSet,
    config: DNeRVConfig,
    tmp_path: Path,
    uninterrupted: dict[str, torch.Tensor],
    every_step: None,
    monkeypatch: pytest.MonkeyPatch,
    place: str,
) -> None:
    """Ctrl-C may fall between the update of the weights and the count of it."""
    run = trainer(clips, config, tmp_path / "c.pt", replace(TRAINING, checkpoint_seconds=0))
    update, note = run.optimizer.step, run._note

    def stopped_update(*args: object, **kwargs: object) -> object:
        update()
        if run.step == 3:
            raise KeyboardInterrupt
        return None

    def stopped_note(*args: torch.Tensor) -> None:
        if run.step == 4:
            raise KeyboardInterrupt
        note(*args)

    if place == "optimizer":
        monkeypatch.setattr(run.optimizer, "step", stopped_update)
    else:
        monkeypatch.setattr(run, "_note", stopped_note)
    with pytest.raises(KeyboardInterrupt):
        run.run()
    resumed = trainer(clips, config, tmp_path / "c.pt")
    assert resumed.step == 3
    resumed.run()
    assert same(weights(resumed), uninterrupted)


def test_a_second_interruption_waits_for_the_checkpoint(
    clips: ClipSet,
    config: DNeRVConfig,
    tmp_path: Path,
    every_step: None,
    monkeypatch: pytest.MonkeyPatch,
    told: Tell,
) -> None:
    """Launchers pass the user's Ctrl-C on, so that every process hears two."""

    def impatient(state: dict[str, Any], path: Path) -> None:
        signal.raise_signal(signal.SIGINT)
        save_atomically(state, path)

    def listener(progress: TrainingProgress) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("dnerv.training.trainer.save_atomically", impatient)
    before = signal.getsignal(signal.SIGINT)
    with pytest.raises(KeyboardInterrupt), listening(told(listener)):
        trainer(clips, config, tmp_path / "c.pt", replace(TRAINING, checkpoint_seconds=1e9)).run()
    assert signal.getsignal(signal.SIGINT) is before
    assert trainer(clips, config, tmp_path / "c.pt").step == 1


def test_steps_that_drop_keyframes_are_the_same_after_an_interruption(
    clips: ClipSet,
    config: DNeRVConfig,
    tmp_path: Path,
    uninterrupted: dict[str, torch.Tensor],
    every_step: None,
    told: Tell,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    thinned = list[bool]()
    batch = ClipSet.batch

    def noted(self: ClipSet, indices: Sequence[int], *, is_thinned: bool = False) -> Batch:
        thinned.append(is_thinned)
        return batch(self, indices, is_thinned=is_thinned)

    monkeypatch.setattr(ClipSet, "batch", noted)
    training = replace(TRAINING, keyframe_dropout=0.5)
    whole = trainer(clips, config, tmp_path / "whole.pt", training)
    whole.run()
    assert set(thinned) == {False, True}
    assert not same(weights(whole), uninterrupted)

    def listener(progress: TrainingProgress) -> None:
        if progress.step == 3:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt), listening(told(listener)):
        trainer(clips, config, tmp_path / "c.pt", training).run()
    resumed = trainer(clips, config, tmp_path / "c.pt", training)
    resumed.run()
    assert same(weights(resumed), weights(whole))
    assert thinned[: whole.step] == thinned[whole.step :]


PROGRAM = """
import os, sys, time
from pathlib import Path
sys.path.insert(0, sys.argv[1])
import conftest, test_trainer
from dataclasses import replace
config = conftest.small_config()
clips = conftest.make_clips(Path(sys.argv[2]), config)
run = test_trainer.trainer(clips, config, Path(sys.argv[3]), replace(test_trainer.TRAINING, checkpoint_seconds=0))
step = run._train_step
def slow():
    step()
    time.sleep(0.25)
run._train_step = slow
print(os.getpid(), flush=True)
run.run()
"""


def test_killed_and_resumed(
    warm_python: str, clips: ClipSet, config: DNeRVConfig, tmp_path: Path, uninterrupted: dict[str, torch.Tensor]
) -> None:
    checkpoint = tmp_path / "killed.pt"
    command = [warm_python, "-c", PROGRAM, str(Path(__file__).parent), str(tmp_path / "other"), str(checkpoint)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdout is not None
        number = int(process.stdout.readline())
        deadline = time.monotonic() + 60
        while not checkpoint.exists() and process.poll() is None and time.monotonic() < deadline:
            time.sleep(0.005)
        time.sleep(0.3)
        os.kill(number, signal.SIGKILL)
    assert process.returncode == -signal.SIGKILL
    resumed = trainer(clips, config, checkpoint)
    assert 0 < resumed.step < 8
    resumed.run()
    assert same(weights(resumed), uninterrupted)


def test_a_finished_run_is_not_repeated(clips: ClipSet, config: DNeRVConfig, finished: Trainer, told: Tell) -> None:
    heard: list[TrainingProgress] = []
    again = trainer(clips, config, finished.checkpoint)
    assert again.done == 1
    with listening(told(heard.append)):
        again.run()
    assert not heard
    assert same(weights(again), weights(finished))


@pytest.mark.parametrize("training", [TrainingConfig(epochs=0), TrainingConfig(budget_seconds=0)])
def test_no_training_leaves_the_weights(
    clips: ClipSet, config: DNeRVConfig, tmp_path: Path, training: TrainingConfig
) -> None:
    run = trainer(clips, config, tmp_path / "c.pt", training)
    before = weights(run)
    run.run()
    assert same(weights(run), before)
    assert not (tmp_path / "c.pt").exists()


def test_a_budget_of_time_is_kept(clips: ClipSet, config: DNeRVConfig, tmp_path: Path) -> None:
    training = TrainingConfig(budget_seconds=0.5, precision="fp32")
    run = trainer(clips, config, tmp_path / "c.pt", training)
    started = time.monotonic()
    run.run()
    assert 0.5 <= time.monotonic() - started < 10
    assert run.step > 0
    resumed = trainer(clips, config, tmp_path / "c.pt", training)
    assert resumed.done == 1  # time spent before an interruption counts


@pytest.mark.parametrize("damage", [b"", b"no checkpoint", "truncated", "other"])
def test_a_damaged_checkpoint_is_named(
    clips: ClipSet, config: DNeRVConfig, tmp_path: Path, damage: bytes | str
) -> None:
    path = tmp_path / "c.pt"
    trainer(clips, config, path, replace(TRAINING, epochs=1)).run()
    if damage == "truncated":
        path.write_bytes(path.read_bytes()[:1000])
    elif damage == "other":
        torch.save({"model": {}, "optimizer": {}}, path)
    else:
        assert isinstance(damage, bytes)
        path.write_bytes(damage)
    with pytest.raises(DnervError, match=r"c\.pt is not a checkpoint of this run .*--restart"):
        trainer(clips, config, path)


def test_another_networks_checkpoint_is_refused(clips: ClipSet, config: DNeRVConfig, tmp_path: Path) -> None:
    trainer(clips, config, tmp_path / "c.pt", replace(TRAINING, epochs=1)).run()
    with pytest.raises(DnervError, match="not a checkpoint of this run"):
        trainer(clips, replace(config, base_channels=4), tmp_path / "c.pt")


@pytest.mark.parametrize("what", ["loss", "gradient's length"])
def test_divergence_is_an_error_and_not_a_checkpoint(
    clips: ClipSet, config: DNeRVConfig, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, what: str
) -> None:
    for norm in (1.0, None):
        path = tmp_path / f"{norm}.pt"
        run = trainer(clips, config, path, replace(TRAINING, quantise_from=None, gradient_norm=norm))
        if what == "loss":
            poisoned: list[float] = [1.0, 1.0, torch.nan]
            factors = iter(poisoned)
            monkeypatch.setattr("dnerv.training.trainer.frame_loss", lambda *a, f=factors: next(f) * a[1].mean())
        else:
            hook = lambda gradient, run=run: gradient * (torch.nan if run.step == 2 else 1.0)  # noqa: E731
            next(iter(run.model.parameters())).register_hook(hook)
        with pytest.raises(DnervError, match=f"diverged at step 3: the {what} is nan; try a lower --learning-rate"):
            run.run()
        kept = trainer(clips, config, path)
        assert kept.step == 2
        assert all(w.isfinite().all() for w in weights(kept).values())


def test_weights_that_are_no_numbers_end_in_an_error_and_not_in_a_crash(
    clips: ClipSet, config: DNeRVConfig, tmp_path: Path
) -> None:
    """The gradient of grid_sample at a place that is not a number ends the process on a CPU."""
    run = trainer(clips, config, tmp_path / "c.pt")
    with torch.no_grad():
        for parameter in run.model.parameters():
            parameter.fill_(torch.nan)
    with pytest.raises(DnervError, match="diverged at step 1"):
        run.run()


def test_the_average_of_the_weights_is_stored(clips: ClipSet, config: DNeRVConfig, tmp_path: Path, told: Tell) -> None:
    run = trainer(clips, config, tmp_path / "c.pt", replace(TRAINING, epochs=2, ema=0.75))
    expected = weights(run)
    step = run._train_step

    def followed() -> None:
        step()
        decay = min(0.75, (1 + run.step) / (10 + run.step))  # the initial weights fade at once
        for name, parameter in run.model.named_parameters():
            expected[name] = decay * expected[name] + (1 - decay) * parameter.detach()

    run._train_step = followed  # type: ignore[method-assign]
    last: dict[str, torch.Tensor] = {}
    with listening(told(lambda progress: last.update(weights(run)))):
        run.run()
    for name, value in weights(run).items():
        torch.testing.assert_close(value, expected[name], rtol=1e-5, atol=1e-6)
    assert not same(weights(run), last)


def test_the_last_share_sees_stored_weights(clips: ClipSet, config: DNeRVConfig, tmp_path: Path) -> None:
    run = trainer(clips, config, tmp_path / "c.pt", replace(TRAINING, quantise_from=0.5, weight_bits=4))
    seen = []
    forward = run.model.stem.forward

    def spy(time: torch.Tensor) -> torch.Tensor:
        weight = run.model.stem.hidden.weight.detach()
        stored = quantise_like_archive(run.model.stem.hidden.weight.detach(), 4)
        seen.append(torch.allclose(weight, stored, atol=1e-7))
        return forward(time)

    run.model.stem.forward = spy  # type: ignore[method-assign]
    run.run()
    assert seen == [False] * 4 + [True] * 4


def test_the_fused_path_trains_like_the_reference(clips: ClipSet, config: DNeRVConfig, tmp_path: Path) -> None:
    gradients = []
    for precision in ("fp32", "reference"):
        run = trainer(clips, config, tmp_path / f"{precision}.pt")
        with torch.no_grad():
            for parameter in run.parameters:
                parameter.add_(0.05)  # no head starts at zero
        run._network = Differentiable(run.model, precision)  # type: ignore[arg-type]
        run._add_gradients([0, 1], quantised=True)
        gradients.append(torch.cat([parameter.grad.flatten() for parameter in run.parameters]))  # type: ignore[union-attr]
    assert (gradients[0] - gradients[1]).norm() <= 1e-3 * gradients[1].norm()


def test_training_in_bf16_is_finite(clips: ClipSet, config: DNeRVConfig, tmp_path: Path) -> None:
    run = trainer(clips, config, tmp_path / "c.pt", replace(TRAINING, epochs=1, precision="bf16"))
    run.run()
    assert all(w.isfinite().all() for w in weights(run).values())


def test_a_checkpoint_that_cannot_be_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "c.pt"
    save_atomically({"step": 1}, path)
    monkeypatch.setattr(os, "fsync", lambda descriptor: (_ for _ in ()).throw(OSError(28, "No space left on device")))
    with pytest.raises(OutputError, match=r"c\.pt: the checkpoint cannot be written .*No space left"):
        save_atomically({"step": 2}, path)
    assert torch.load(path, weights_only=True) == {"step": 1}
    assert list(tmp_path.iterdir()) == [path]


def test_the_order_of_clips_is_a_permutation_of_each_epoch(
    tmp_path: Path, config: DNeRVConfig, clips_of: Callable[..., ClipSet]
) -> None:
    many = clips_of(tmp_path / "many", config, (17, 9))  # 5 + 3 clips
    run = trainer(many, config, tmp_path / "c.pt", replace(TRAINING, batch_clips=3))
    epochs = []
    for epoch in range(3):
        order = []
        for place in range(3):
            run.step = 3 * epoch + place
            order += run._indices()
        assert sorted(order) == list(range(8))
        epochs.append(order)
    assert epochs[0] != epochs[1] != epochs[2]
