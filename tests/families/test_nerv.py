"""NeRV against its transcription."""

from types import SimpleNamespace

import torch

from dnerv.families import ClipInputs, NeRV, NeRVConfig, absolute_time, load_published_state

CONFIG = NeRVConfig(6, (2, 3), (4, 2, 2), clip_length=4)


def only_time(time: torch.Tensor) -> ClipInputs:
    nothing = torch.empty(0)
    return ClipInputs(time, nothing, nothing, nothing, nothing, nothing, nothing)


def test_values_and_gradients_equal_the_transcription(plain: SimpleNamespace) -> None:
    state = {name: w.requires_grad_() for name, w in plain.authors_state(CONFIG).items()}
    time = torch.tensor([[0.0, 0.125, 0.25, 0.5], [0.625, 0.75, 0.875, 0.9375]])
    expected = plain.nerv(state, CONFIG, time)
    expected.square().mean().backward()
    gradients = NeRV(CONFIG)
    load_published_state(gradients, {name: w.grad for name, w in state.items()}, CONFIG)
    model = NeRV(CONFIG)
    load_published_state(model, state, CONFIG)
    made = model(only_time(time))
    assert made.shape == (2, 4, 3, 32, 48)
    torch.testing.assert_close(made, expected, rtol=0, atol=1e-5)
    made.square().mean().backward()
    for (name, weight), wanted in zip(model.named_parameters(), gradients.parameters(), strict=True):
        torch.testing.assert_close(weight.grad, wanted.detach(), rtol=1e-4, atol=1e-5, msg=name)


def test_frames_are_independent(plain: SimpleNamespace) -> None:
    model = NeRV(CONFIG).eval()
    time = torch.tensor([[0.1, 0.2, 0.3, 0.4]])
    moved = torch.tensor([[0.1, 0.9, 0.3, 0.4]])
    with torch.no_grad():
        changed = (model(only_time(time)) != model(only_time(moved))).flatten(2).any(2)
    assert changed.tolist() == [[False, True, False, False]]


def test_absolute_time_counts_frames_of_all_videos() -> None:
    import numpy as np

    times = absolute_time(np.array([0, 5, 9]), 10)
    assert times.dtype == np.float32
    np.testing.assert_allclose(times, [0, 0.5, 0.9])
