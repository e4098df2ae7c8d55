"""Priors: what an untrained one shows, how far they look, what is added to one."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from dnerv.errors import ArchiveError, InputError
from dnerv.families import (
    FAMILIES,
    ClipInputs,
    ClipRequest,
    Components,
    Sizing,
    assemble,
    build_model,
    config_from_json,
    config_to_json,
    count_parameters,
    multiply_adds,
    tensor_shapes,
)
from dnerv.families.prior import ADDITIONS, AdaptedPrior, Addition, Prior, PriorConfig
from dnerv.video import Timeline

SMALL = PriorConfig(8, (32, 48), encoder_channels=4, motion_channels=4, coarse_channels=8, clip_length=4)
NAME = "0123456789abcdef" * 2


def clip(every: int, frames: int = 6, canvas: tuple[int, int] = (32, 48), crf: float = 45.0) -> ClipInputs:
    """The first four frames of a video, its keyframes noise."""
    timeline = Timeline(frames, 4, every)
    conditioning = timeline.clip_conditioning(0)
    keyframes = torch.randint(0, 256, (int(conditioning.end.max()) + 1, 3, *canvas), dtype=torch.uint8)
    return assemble([ClipRequest(conditioning, 0, keyframes, (crf, every))])


def shaken(prior: torch.nn.Module, by: float = 0.05) -> torch.nn.Module:
    """Every weight moved at random."""
    with torch.no_grad():
        for parameter in prior.parameters():
            parameter.add_(by * torch.randn_like(parameter))
    return prior


@pytest.mark.parametrize("every", [1, 2, 4])
def test_an_untrained_prior_shows_the_base_layer(every: int) -> None:
    inputs = clip(every)
    share = inputs.distance[0, :, None, None, None]
    blends = torch.lerp(inputs.keyframes[inputs.start[0]], inputs.keyframes[inputs.end[0]], share)
    made = build_model(SMALL)(inputs)
    assert made.shape == (1, 4, 3, 32, 48)
    torch.testing.assert_close(made[0], blends, rtol=0, atol=1e-4)  # warping by nothing rounds


def test_every_weight_learns() -> None:
    prior = shaken(build_model(SMALL))
    prior(clip(2)).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in prior.parameters())


def test_coded_frames_see_themselves_alone_and_others_both_of_their_keyframes() -> None:
    prior, inputs = shaken(build_model(SMALL)), clip(2)
    other = replace(inputs, keyframes=inputs.keyframes.clone())
    other.keyframes[1] = 1 - other.keyframes[1]
    changed = (prior(inputs) - prior(other)).abs().amax((2, 3, 4))[0] > 1e-6
    assert changed.tolist() == [False, True, True, True]  # frame 2 is keyframe 1; 1 and 3 lie beside it


def test_crf_and_distance_are_told() -> None:
    prior = shaken(build_model(SMALL), 0.2)
    inputs = clip(1)
    for coding in ((60.0, 1.0), (45.0, 4.0)):
        assert not torch.equal(prior(inputs), prior(replace(inputs, coding=torch.tensor([coding]))))


def test_a_prior_looks_no_further_than_tiles_overlap() -> None:
    from dnerv.encoding.prior_stage import HALO

    config = replace(SMALL, canvas=(128, 128), blocks=2)
    prior, inputs = shaken(build_model(config), 0.2), clip(1, canvas=(128, 128))
    other = replace(inputs, keyframes=inputs.keyframes.clone())
    other.keyframes[:, :, :, 64:] = torch.rand_like(other.keyframes[:, :, :, 64:])
    changed = (prior(inputs) - prior(other)).abs().amax((0, 1, 2, 3)) > 1e-7
    assert not changed[: 64 - HALO].any()
    assert changed[64 - HALO : 64].any()


def test_motion_starts_at_zero_and_is_none_of_a_keyframe() -> None:
    prior, inputs = Prior(SMALL), clip(4)
    still = prior.motion(inputs)
    assert still is not None
    assert not still.to_start.any()
    moved = shaken(prior, 0.2).motion(inputs)  # type: ignore[operator]
    assert not moved.to_start[0].any()
    assert moved.to_start[1].any()
    assert moved.to_start.shape == (4, 2, 32, 48)


@pytest.mark.parametrize(("width", "thousands"), [(24, 23), (40, 96)])
def test_sizes(width: int, thousands: int) -> None:
    config = FAMILIES["prior"].sized(width, Sizing((128, 160), 8, 0))
    assert count_parameters(config) // 1000 == thousands - (width == 40)
    assert multiply_adds(config) / (128 * 160) < 17_000


def test_work_is_counted_as_it_is_done() -> None:
    config, counted = replace(SMALL, canvas=(32, 48)), 0
    prior = Prior(config)

    def count(layer: torch.nn.Module, inputs: object, made: torch.Tensor) -> None:
        nonlocal counted
        counted += made.numel() * layer.weight[0].numel()  # type: ignore[operator, index]

    for module in prior.modules():
        if isinstance(module, torch.nn.Conv2d):
            module.register_forward_hook(count)
    timeline = Timeline(1, 1, 1)
    prior(assemble([ClipRequest(timeline.clip_conditioning(0), 0, torch.zeros(1, 3, 32, 48).byte(), (45.0, 1))]))
    assert counted == multiply_adds(config)


@pytest.mark.parametrize("addition", ADDITIONS)
def test_what_is_added_starts_at_nothing(addition: Addition) -> None:
    whole, inputs = shaken(Prior(SMALL)), clip(2)
    adapted = AdaptedPrior(replace(SMALL, prior=NAME, addition=addition)).start_from(dict(whole.named_parameters()))
    assert torch.equal(adapted(inputs), whole(inputs))
    assert torch.equal(adapted.completed(dict(whole.named_parameters()))(inputs), whole(inputs))
    shapes = tensor_shapes(adapted.config)
    assert shapes == {name: tuple(p.shape) for name, p in adapted.named_parameters()}
    assert bool(shapes) == (addition != "nothing")


def test_additions_grow() -> None:
    counts = [count_parameters(replace(SMALL, prior=NAME, addition=addition)) for addition in ADDITIONS]
    assert counts[0] == 0
    assert counts == sorted(counts)
    assert counts[-1] == count_parameters(SMALL)


def test_gains_multiply_and_biases_add() -> None:
    weights = {name: torch.ones_like(p) for name, p in Prior(SMALL).named_parameters()}
    adapted = AdaptedPrior(replace(SMALL, prior=NAME, addition="channels")).start_from(weights)
    with torch.no_grad():
        dict(adapted.named_parameters())["head.gain"][3] = 0.5
        dict(adapted.named_parameters())["head.bias"][2] = 0.25
    made = adapted.whole()
    assert made["head.weight"].flatten(1)[:, 0].tolist() == [1, 1, 1, 1.5, 1, 1, 1, 1, 1, 1, 1, 1]
    assert made["head.bias"].tolist() == [1, 1, 1.25, *[1] * 9]
    assert made["entry.weight"].unique().tolist() == [1]


@pytest.mark.parametrize("addition", ADDITIONS[1:])
def test_what_is_added_learns(addition: Addition) -> None:
    weights = dict(shaken(Prior(SMALL)).named_parameters())
    adapted = AdaptedPrior(replace(SMALL, prior=NAME, addition=addition)).start_from(
        {name: weight.detach() for name, weight in weights.items()}
    )
    adapted(clip(2)).square().mean().backward()
    assert all(p.grad is not None and p.grad.any() for p in adapted.parameters())


def test_weights_of_another_network_are_refused() -> None:
    adapted = AdaptedPrior(replace(SMALL, prior=NAME))
    with pytest.raises(ArchiveError, match="not those of the network"):
        adapted.start_from(dict(Prior(replace(SMALL, base_channels=9)).named_parameters()))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"canvas": (32, 50)}, "multiples of 4"),
        ({"base_channels": 0}, "base_channels"),
        ({"prior": "abc"}, "32 hexadecimal digits"),
        ({"addition": "some", "prior": NAME}, "addition"),
        ({"addition": "nothing"}, "holds all of its weights"),
        ({"coarse_blocks": 65}, "coarse_blocks"),
        ({"canvas": (8192, 8192), "clip_length": 256}, "tensor"),
    ],
)
def test_configurations_are_checked(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ArchiveError, match=message):
        config_from_json(json.loads(json.dumps(config_to_json(SMALL) | changes)))


def test_what_a_prior_has_not_is_refused() -> None:
    with pytest.raises(InputError, match="components"):
        FAMILIES["prior"].sized(8, Sizing((32, 32), components=Components()))
    with pytest.raises(InputError, match="the paper has no prior"):
        FAMILIES["prior"].sized(8, Sizing((32, 32), paper=True))
