"""Training of a prior: what it is shown, what it starts from, and the whole script on two tiny videos."""

import json
import sys
from pathlib import Path

import numpy as np
import pytest
import torch
from prior import train
from prior.checkpoint import in_eight_bits, load, save
from prior.context import context
from prior.model import CONDITIONS, SHOWN, SIZES, WITHOUT, Prior, anchor_share, multiply_adds, warp
from prior.pairs import WINDOW, Job, Pair
from prior.samples import Samples
from prior.sources import write_full_colour


def test_context_of_every_second_frame() -> None:
    sizes = np.array([90, 10, 40, 10, 80])
    seen = context(np.array([0, 2, 4, 6, 7]), sizes, 48, 800, 8)
    assert seen.first.tolist() == [0, 0, 1, 1, 2, 2, 3, 4]
    assert seen.second.tolist() == [0, 1, 1, 2, 2, 3, 3, 4]
    assert seen.share.tolist() == [0, 0.5, 0, 0.5, 0, 0.5, 0, 0]
    assert seen.shown[3].tolist() == [1, 2, 0, 4]  # a blend of 2 and 4: neighbours are those, anchors beyond them
    assert seen.shown[4].tolist() == [1, 3, 0, 4]
    assert seen.shown[0].tolist() == [0, 1, 0, 4]  # nothing before: itself
    assert seen.conditions[4, :3].tolist() == [0, 0, 1]
    assert seen.conditions[4, 8:].tolist() == [1, 1, 4 / 8, 3 / 8]
    assert seen.conditions[0, 8:].tolist() == [0, 1, 0, 7 / 8]
    assert seen.conditions[3, 1] == 1
    bits = np.log2(8 * sizes / 800)
    assert seen.conditions[4, 3] == pytest.approx((bits[2] + 5) / 3)
    assert seen.conditions[4, 6] == pytest.approx((bits[0] - bits[2]) / 3)


def test_context_of_a_single_frame() -> None:
    seen = context(np.array([0]), np.array([5]), 30, 80, 1)
    assert seen.shown.tolist() == [[0, 0, 0, 0]]
    assert np.isfinite(seen.conditions).all()


@pytest.mark.parametrize("name", SIZES)
def test_sizes_are_what_they_are_called(name: str) -> None:
    parameters = sum(weight.numel() for weight in Prior(SIZES[name]).parameters())
    assert parameters == pytest.approx(1000 * int(name[:-1]), rel=0.05)
    assert multiply_adds(SIZES[name]) < 17_000


@pytest.mark.parametrize("config", [*SIZES.values(), *WITHOUT.values()])
def test_an_untrained_prior_changes_nothing_and_every_weight_learns(config: object) -> None:
    prior = Prior(config)  # type: ignore[arg-type]
    shown, conditions = torch.rand(2, SHOWN, 3, 22, 38), torch.rand(2, CONDITIONS)
    assert torch.equal(prior(shown, conditions), shown[:, 0])
    with torch.no_grad():
        for weight in prior.parameters():
            weight.add_(0.02 * torch.randn_like(weight))
    made, _ = prior.restored_and_aligned(shown, conditions)
    made.square().mean().backward()
    assert all(weight.grad is not None and weight.grad.any() for weight in prior.parameters())


def test_flow_fetches_what_lies_where_it_points() -> None:
    features = torch.arange(12.0).view(1, 1, 3, 4)
    flow = torch.zeros(1, 2, 3, 4)
    flow[:, 0] = 1
    assert warp(features, flow)[0, 0, 1].tolist() == pytest.approx([5, 6, 7, 7])


def test_nearer_anchors_weigh_more() -> None:
    conditions = torch.zeros(2, CONDITIONS)
    conditions[0, 10:] = torch.tensor([1 / 8, 3 / 8])
    assert anchor_share(conditions).flatten().tolist() == [0.25, 0.5]


def test_checkpoints_come_back(tmp_path: Path) -> None:
    prior = Prior(SIZES["30k"])
    save(prior, tmp_path / "p.safetensors", {"steps": 3})
    again, facts = load(tmp_path / "p.safetensors")
    assert facts == {"steps": 3}
    assert again.config == prior.config
    assert all(torch.equal(weight, prior.state_dict()[name]) for name, weight in again.state_dict().items())


def test_eight_bits_err_by_half_a_step_at_most() -> None:
    weight = torch.randn(4, 3, 3, 3)
    rounded = in_eight_bits({"w": weight, "b": weight[:, 0, 0, 0]})
    step = weight.abs().flatten(1).amax(1) / 127
    assert ((rounded["w"] - weight).abs() <= 0.501 * step[:, None, None, None]).all()
    assert rounded["w"].unique().numel() < weight.numel() + 1
    assert torch.equal(rounded["b"], weight[:, 0, 0, 0])


def test_samples_are_the_pair_s_frames() -> None:
    draw = np.random.default_rng(0)
    source = draw.integers(0, 255, (5, 3, 8, 16), dtype=np.uint8)
    decoded = source[[0, 2, 4]]
    seen = context(np.array([0, 2, 4]), np.array([30, 10, 20]), 40, 128, 5)
    pair = Pair(Job(Path("a"), "g", 2, 40, 4, 64), 0, source, decoded, seen, 0.1)
    samples = Samples(12, (8, 16), torch.device("cpu"))
    samples.add(pair)
    assert (len(samples), samples.num_decoded) == (5, 3)
    batch = samples.all_of(pair)
    assert torch.equal(batch.shown[[0, 2, 4], 0], batch.wanted[[0, 2, 4]])
    blend = np.rint((source[0].astype(float) + source[2]) / 2)
    assert np.allclose(batch.shown[1, 0] * 255, blend)
    drawn = samples.draw(64)
    error = (drawn.shown[:, 0] - drawn.wanted).square().mean((1, 2, 3))
    assert torch.allclose(drawn.weight, 1 / error.clamp(min=2e-5))
    for _ in range(5):
        samples.add(pair)
    assert (samples.num_decoded, samples.dropped) == (12, 2)


def test_the_whole_script(monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    y, x = np.mgrid[: WINDOW[0], : WINDOW[1]] / 8
    frames = [
        np.stack([128 + 90 * np.sin(x + y * c + 0.3 * i) for c in (1, 2, 3)], axis=-1).astype(np.uint8)
        for i in range(3)
    ]
    for part in ("train", "held-out"):
        (tmp_path / part / "waves").mkdir(parents=True)
        write_full_colour(tmp_path / part / "waves" / "a.mp4", frames, 15)
    monkeypatch.setattr("prior.pairs.MEASURED_CRFS", (63,))
    words = ["train", str(tmp_path), str(tmp_path / "out"), "--device", "cpu", "--sizes", "30k", "--first", "3"]
    words += ["--workers", "1", "--seconds", "2", "--batch", "1", "--capacity", "100", "--marks", "1", "--say", "1"]
    monkeypatch.setattr(sys, "argv", words)
    train.main()
    record = json.loads((tmp_path / "out" / "prior.json").read_text())
    assert record["sizes"]["steps"] >= 1
    assert record["priors"]["30k"]["multiply_adds"] < 17_000
    prior, _ = load(tmp_path / "out" / "30k.safetensors")
    assert prior.config == SIZES["30k"]
    assert "MAC/pixel" in capsys.readouterr().out
