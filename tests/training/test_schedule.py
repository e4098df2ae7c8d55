"""Where the learning rate starts, peaks and ends."""

import pytest

from dnerv.training.schedule import learning_rate_factor


@pytest.mark.parametrize(
    ("progress", "warmup", "factor"),
    [
        (0.0, 0.2, 0.1),
        (0.1, 0.2, 0.55),
        (0.2, 0.2, 1.0),
        (0.6, 0.2, 0.5),
        (1.0, 0.2, 0.0),
        (1.5, 0.2, 0.0),
        (0.0, 0.0, 1.0),
        (0.5, 0.0, 0.5),
        (1.0, 0.0, 0.0),
    ],
)
def test_factor(progress: float, warmup: float, factor: float) -> None:
    assert learning_rate_factor(progress, warmup) == pytest.approx(factor, abs=1e-12)
