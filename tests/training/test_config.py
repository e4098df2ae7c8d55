"""What bounds a run, and the paper's recipe."""

from typing import Any

import pytest

from dnerv.errors import InputError
from dnerv.training import TrainingConfig, paper_recipe


@pytest.mark.parametrize(
    ("fields", "message"),
    [
        ({}, "exactly one"),
        ({"epochs": 1, "budget_seconds": 1.0}, "exactly one"),
        ({"epochs": -1}, "--epochs is -1"),
        ({"budget_seconds": -0.5}, r"--budget is -0\.5"),
        ({"epochs": 1, "batch_clips": 0}, "at least 1"),
        ({"epochs": 1, "keyframe_dropout": 1.0}, "--keyframe-dropout is 1.0"),
    ],
)
def test_refused(fields: dict[str, Any], message: str) -> None:
    with pytest.raises(InputError, match=message):
        TrainingConfig(**fields)


def test_the_papers_recipe() -> None:
    recipe = paper_recipe(loss="l1-ssim", epochs=1600, budget_seconds=None, seed=3)
    assert (recipe.learning_rate, recipe.betas, recipe.warmup, recipe.batch_clips) == (5e-4, (0.9, 0.999), 0.2, 32)
    assert (recipe.quantise_from, recipe.gradient_norm, recipe.weight_bits, recipe.seed) == (None, None, 8, 3)
