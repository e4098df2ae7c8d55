"""D-NeRV against the paper transcribed, and each of its switches."""

from collections.abc import Callable
from dataclasses import replace
from types import SimpleNamespace
from typing import get_args

import numpy as np
import pytest
import torch

from dnerv.families import DNeRV, DNeRVConfig, build_model, load_published_state
from dnerv.families.dnerv.config import FlowKind, TemporalKind
from dnerv.video import Timeline

Small = Callable[..., DNeRVConfig]


def loaded(config: DNeRVConfig, state: dict[str, torch.Tensor]) -> DNeRV:
    model = build_model(config)
    load_published_state(model, state, config)
    assert isinstance(model, DNeRV)
    return model


def pairs_of(plain: SimpleNamespace, config: DNeRVConfig, num_frames: int, clips: list[int]) -> torch.Tensor:
    """[B, 3, 2, H, W]: for clip k the frames kT and min((k + 1) T, N - 1), from the spec's rule alone."""
    length = config.clip_length
    wanted = [(k * length, min((k + 1) * length, num_frames - 1)) for k in clips]
    positions = sorted({0, num_frames - 1} | set(range(0, num_frames, length)))
    keyframes = plain.keyframes(len(positions), config.canvas).float() / 255
    pairs = [torch.stack([keyframes[positions.index(p)] for p in pair], dim=1) for pair in wanted]
    return torch.stack(pairs)


@pytest.mark.parametrize(
    ("num_frames", "clips"),
    [(12, [0, 1]), (10, [0, 2]), (9, [2]), (8, [1, 0]), (1, [0]), (2, [0]), (6, [1, 0, 1])],
    ids=["whole", "padded last", "one frame last", "last keyframe early", "one frame", "two frames", "repeated"],
)
def test_values_equal_the_transcription(
    plain: SimpleNamespace, small: Small, num_frames: int, clips: list[int]
) -> None:
    config = small()
    state = plain.authors_state(config)
    expected = plain.dnerv(state, config, pairs_of(plain, config, num_frames, clips), clips, num_frames)
    with torch.no_grad():
        made = loaded(config, state)(plain.inputs(config, num_frames, clips))
    assert made.shape == (len(clips), 4, 3, 32, 48)
    assert 0.02 < made.std() < 0.5  # a picture, not a constant
    torch.testing.assert_close(made, expected.transpose(1, 2), rtol=0, atol=2e-5)


def test_gradients_equal_the_transcription(plain: SimpleNamespace, small: Small) -> None:
    config, num_frames, clips = small(), 10, [0, 2]
    state = {name: w.requires_grad_() for name, w in plain.authors_state(config).items()}
    pairs = pairs_of(plain, config, num_frames, clips)
    target = torch.rand(len(clips), 3, 4, *config.canvas, generator=torch.Generator().manual_seed(1))
    (plain.dnerv(state, config, pairs, clips, num_frames) - target).square().mean().backward()
    expected = loaded(config, {name: w.grad for name, w in state.items()})

    model = loaded(config, {name: w.detach() for name, w in state.items()})
    made = model(plain.inputs(config, num_frames, clips))
    (made - target.transpose(1, 2)).square().mean().backward()
    for (name, weight), wanted in zip(model.named_parameters(), expected.parameters(), strict=True):
        assert weight.grad is not None
        scale = wanted.abs().max().item()
        assert scale > 0, name
        torch.testing.assert_close(weight.grad, wanted.detach(), rtol=1e-4, atol=1e-4 * scale, msg=name)


def test_initialisation_is_xavier_and_zero_in_the_blocks(small: Small) -> None:
    torch.manual_seed(0)
    model = DNeRV(small(base_channels=64))
    conv = model.blocks[0].upsample.conv
    bound = (6 / (9 * (conv.in_channels + conv.out_channels))) ** 0.5
    assert 0.95 * bound < conv.weight.abs().max() <= bound
    assert not conv.bias.any()
    assert not model.blocks[0].fusion.project.bias.any()
    assert model.head[0].bias.any()  # elsewhere the framework's own


def residual(small: Small, **changes: object) -> DNeRVConfig:
    return small(head="residual", min_hidden=2, **changes)


OURS = {"adaptive_blend": True, "refined_flow": True, "contrast": True}
HALF = OURS | {"strides": (4, 2), "output_stride": 2}


@pytest.mark.parametrize("changes", [{}, OURS, HALF], ids=["plain", "ours", "ours at half resolution"])
@pytest.mark.parametrize(("num_frames", "every"), [(11, 4), (11, 2), (11, 1), (11, 8), (1, 4)])
def test_residual_head_starts_at_the_blend(
    plain: SimpleNamespace, small: Small, changes: dict[str, object], num_frames: int, every: int
) -> None:
    config = residual(small, keyframe_every=every, **changes)
    timeline = Timeline(num_frames, 4, every)
    clips = list(range(timeline.num_clips))
    with torch.no_grad():
        made = DNeRV(config)(plain.inputs(config, num_frames, clips))
    keyframes = plain.keyframes(timeline.num_keyframes, config.canvas).numpy() / np.float32(255)
    positions = timeline.keyframe_positions
    for place in range(len(clips) * 4):
        frame = min(place, num_frames - 1)
        after = min(int(np.searchsorted(positions, frame, side="right")), len(positions) - 1)
        before = max(after - 1, 0) if positions[after] > frame or frame == positions[-1] else after
        span = max(1, positions[after] - positions[before])
        weight = (frame - positions[before]) / span
        blend = (1 - weight) * keyframes[before] + weight * keyframes[after]
        np.testing.assert_allclose(made[place // 4, place % 4].numpy(), blend, atol=3e-6)


def shaken(model: DNeRV, seed: int = 0) -> DNeRV:
    """The model with its zero-started heads moved off zero."""
    generator = torch.Generator().manual_seed(seed)
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.add_(torch.randn(parameter.shape, generator=generator) * 0.05)
    return model.eval()


@pytest.mark.parametrize(
    ("switch", "starts_with"),
    [
        ("adaptive_blend", "flow_heads.3.2."),
        ("refined_flow", None),
        ("contrast", "blocks.0.fusion."),
    ],
)
def test_extensions_change_the_frame_and_are_trained(
    plain: SimpleNamespace, small: Small, switch: str, starts_with: str | None
) -> None:
    inputs = plain.inputs(residual(small), 9, [0, 1])
    model = shaken(DNeRV(residual(small, **{switch: True})))
    without = shaken(DNeRV(residual(small)))
    with torch.no_grad():
        for name, parameter in without.named_parameters():
            other = model.state_dict()[name]
            parameter.copy_(other[tuple(slice(n) for n in parameter.shape)])
        difference = (model(inputs) - without(inputs)).abs().max()
    assert difference > 1e-5
    model(inputs).square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        if starts_with and name.startswith(starts_with):
            assert parameter.grad.abs().max() > 0, name


def test_refined_flow_adds_the_coarser_scale_in_finer_pixels(plain: SimpleNamespace, small: Small) -> None:
    """With every flow head answering a constant, the finest flow is the sum of all, each times what is finer."""
    model = DNeRV(residual(small, refined_flow=True))
    with torch.no_grad():
        for scale, head in enumerate(model.flow_heads):
            head[2].bias.copy_(torch.tensor([1.0, 0.0, 0.0, -0.5]) * (scale + 1))
        _, motion = model.frames_and_motion(plain.inputs(model.config, 8, [0]))
    expected = ((1 * 4 + 2) * 2 + 3) * 2 + 4  # strides 4, 2, 2
    assert motion is not None
    torch.testing.assert_close(motion.to_start[:, 0], torch.full_like(motion.to_start[:, 0], expected))
    torch.testing.assert_close(motion.to_end[:, 1], torch.full_like(motion.to_end[:, 1], -0.5 * expected))


def test_flow_of_half_the_resolution_is_doubled(plain: SimpleNamespace, small: Small) -> None:
    """A constant flow of one pixel at the last scale fetches keyframe pixels from two away."""
    model = DNeRV(residual(small, strides=(4, 2), output_stride=2))
    inputs = plain.inputs(model.config, 5, [0])
    with torch.no_grad():
        model.flow_heads[-1][2].bias[0] = 1
        made, motion = model.frames_and_motion(inputs)
    assert motion is not None
    assert torch.equal(motion.to_start[:, 0], torch.full_like(motion.to_start[:, 0], 2))
    torch.testing.assert_close(made[0, :, :, :-2], inputs.keyframes[0, :, :, 2:], atol=2e-5, rtol=0)


def test_adaptive_blend_shifts_the_weight(plain: SimpleNamespace, small: Small) -> None:
    model = DNeRV(residual(small, adaptive_blend=True))
    inputs = plain.inputs(model.config, 5, [0])
    with torch.no_grad():
        weight_bias = model.flow_heads[-1][2].bias[4:]  # beside the four of the flow
        weight_bias.fill_(2.0)
        only_end, motion = model.frames_and_motion(inputs)
        assert motion is not None
        assert torch.equal(motion.weight, torch.ones_like(motion.weight))
        torch.testing.assert_close(only_end[0], inputs.keyframes[1], atol=3e-6, rtol=0)
        weight_bias.fill_(-2.0)
        torch.testing.assert_close(model(inputs)[0, 3], inputs.keyframes[0], atol=3e-6, rtol=0)


@pytest.mark.parametrize("flow", get_args(FlowKind))
@pytest.mark.parametrize("temporal", get_args(TemporalKind))
@pytest.mark.parametrize("fusion", ["adaptive", "concatenation"])
def test_components_can_be_replaced_or_left_out(
    plain: SimpleNamespace, small: Small, flow: str, temporal: str, fusion: str
) -> None:
    config = small(flow=flow, temporal=temporal, fusion=fusion)
    model = DNeRV(config)
    assert len(model.flow_heads) == {"multi-scale": 4, "single-scale": 1, "none": 0}[flow]
    assert any(".temporal." in name for name, _ in model.named_parameters()) == (temporal != "none")
    assert any(".fusion." in name for name, _ in model.named_parameters()) == (fusion == "adaptive")
    frames, motion = model.frames_and_motion(plain.inputs(config, 9, [0, 2]))
    assert frames.shape == (8, 3, 32, 48)
    assert motion is not None
    assert bool(motion.to_start.abs().max() > 0) == (flow != "none")
    frames.square().mean().backward()
    for name, parameter in model.named_parameters():
        assert parameter.grad is not None, name
        assert parameter.grad.any(), name


def test_a_single_flow_is_enlarged_for_every_finer_scale(plain: SimpleNamespace, small: Small) -> None:
    model = DNeRV(small(flow="single-scale"))
    with torch.no_grad():
        model.flow_heads[0][2].weight.zero_()
        model.flow_heads[0][2].bias.copy_(torch.tensor([0.25, 0.0, 0.0, -0.5]))
        _, motion = model.frames_and_motion(plain.inputs(model.config, 8, [0]))
    assert motion is not None
    assert motion.to_start.shape[-2:] == (32, 48)
    torch.testing.assert_close(motion.to_start[:, 0], torch.full((4, 32, 48), 0.25 * 16))  # strides 4, 2, 2
    torch.testing.assert_close(motion.to_end[:, 1], torch.full((4, 32, 48), -0.5 * 16))


def test_concatenated_features_reach_the_convolution(plain: SimpleNamespace, small: Small) -> None:
    config = small(fusion="concatenation", contrast=True)
    convolution = DNeRV(config).blocks[1].upsample.conv
    assert convolution.in_channels == config.stage_channels[0] + 2 * config.encoder_channels


@pytest.mark.parametrize("temporal", [kind for kind in get_args(TemporalKind) if kind != "none"])
def test_temporal_modules_can_start_with_nothing_to_add(plain: SimpleNamespace, small: Small, temporal: str) -> None:
    torch.manual_seed(0)
    without = DNeRV(small(temporal="none"))
    torch.manual_seed(0)
    model = DNeRV(small(temporal=temporal))
    model.load_state_dict(without.state_dict(), strict=False)
    inputs = plain.inputs(model.config, 10, [0, 2])
    with torch.no_grad():
        assert not torch.allclose(model(inputs), without(inputs))  # as published: at random
        model.start_at_identity()
        torch.testing.assert_close(model(inputs), without(inputs), rtol=0, atol=1e-6)
    model(inputs).square().mean().backward()
    assert all(
        any(p.grad is not None and p.grad.any() for p in block.temporal.parameters()) for block in model.blocks
    )  # and they learn


@pytest.mark.parametrize("temporal", get_args(TemporalKind))
def test_without_fusion_there_are_no_keyframes(plain: SimpleNamespace, small: Small, temporal: str) -> None:
    config = small(fusion="none", flow="none", temporal=temporal)
    assert not config.uses_keyframes
    assert config.absolute_time
    assert not small().absolute_time
    model = DNeRV(config)
    assert model.encoder is None
    inputs = plain.inputs(config, 9, [0, 2])
    with torch.no_grad():
        made, motion = model.frames_and_motion(inputs)
        empty = model(replace(inputs, keyframes=inputs.keyframes[:0]))
    assert motion is None
    assert made.shape == (8, 3, 32, 48)
    assert torch.equal(made, empty.flatten(0, 1))


def test_temporal_modules_mix_the_frames_of_one_clip_only(plain: SimpleNamespace, small: Small) -> None:
    # Three stages with a kernel of 3 reach from frame 1 to all four.
    for temporal in get_args(TemporalKind):
        model = shaken(DNeRV(small(temporal=temporal, fusion="none", flow="none")))
        inputs = plain.inputs(model.config, 8, [0, 1])
        moved = inputs.time.clone()
        moved[0, 1] = 0.9
        with torch.no_grad():
            before = model(inputs)
            after = model(replace(inputs, time=moved))
        changed = (before != after).flatten(2).any(2)
        assert changed[0].tolist() == ([True] * 4 if temporal != "none" else [False, True, False, False])
        assert not changed[1].any()


@pytest.mark.parametrize("every", [1, 2, 3, 8])
def test_a_frame_depends_on_the_keyframes_around_it_alone(plain: SimpleNamespace, small: Small, every: int) -> None:
    """Warped RGB of other keyframes does not leak in: with K other than T, rows are picked frame by frame."""
    config = residual(small, keyframe_every=every)
    model = DNeRV(config)
    inputs = plain.inputs(config, 9, [0, 1])
    with torch.no_grad():
        before = model(inputs)
        for row in range(len(inputs.keyframes)):
            other = inputs.keyframes.clone()
            other[row] = 1 - other[row]
            changed = (model(replace(inputs, keyframes=other)) != before).flatten(2).any(2)
            touches = ((inputs.start == row) & (inputs.distance < 1)) | ((inputs.end == row) & (inputs.distance > 0))
            assert torch.equal(changed, touches), row


def test_batching_does_not_change_a_clip(plain: SimpleNamespace, small: Small) -> None:
    model = shaken(DNeRV(small()))
    with torch.no_grad():
        together = model(plain.inputs(model.config, 11, [0, 1, 2]))
        alone = torch.cat([model(plain.inputs(model.config, 11, [k])) for k in range(3)])
    torch.testing.assert_close(together, alone, rtol=0, atol=1e-5)


def test_autocast_stays_near_float32(plain: SimpleNamespace, small: Small) -> None:
    model = shaken(DNeRV(residual(small)))
    inputs = plain.inputs(model.config, 9, [0])
    with torch.no_grad():
        exact = model(inputs)
        with torch.autocast("cpu", torch.bfloat16):
            rounded = model(inputs)
    assert rounded.dtype == torch.float32
    assert (rounded - exact).abs().mean() < 0.02
