"""The transcription of the paper that networks are tested against, and a small network of the paper's shape."""

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import transcription

from dnerv.families import DNeRVConfig


@pytest.fixture(scope="session")
def plain() -> SimpleNamespace:
    """The transcription and what it needs."""
    return SimpleNamespace(
        authors_state=transcription.authors_state,
        dnerv=transcription.paper_dnerv,
        nerv=transcription.paper_nerv,
        shuffle=transcription.shuffle,
        keyframes=transcription.smooth_keyframes,
        inputs=transcription.clip_inputs,
    )


@pytest.fixture
def small() -> Callable[..., DNeRVConfig]:
    """The paper's network, small in every width."""

    def make(**changes: object) -> DNeRVConfig:
        fields = {"base_channels": 6, "grid": (2, 3), "strides": (4, 2, 2), "clip_length": 4, "keyframe_every": 4}
        widths = {"min_channels": 8, "encoder_channels": 10, "stem_channels": 16, "encoding_levels": 12}
        colours = {"mean": (0.45, 0.4, 0.5), "std": (0.25, 0.3, 0.2)}
        return DNeRVConfig(**(fields | widths | colours | changes))  # type: ignore[arg-type]

    return make
