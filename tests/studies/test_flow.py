"""How a network moves its keyframes, and the colours of that."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from dnerv.archive import Archive
from dnerv.encoding import EncodeOptions, encode
from dnerv.families import Components
from dnerv.studies.flow import flow_to_keyframe, full_colour, middlebury_colours


@pytest.fixture(scope="module")
def encoded(tmp_path_factory: pytest.TempPathFactory, write_video: Callable[[Path, int, int], None]) -> Any:
    """Encodes nine frames with a network that is hardly trained."""
    folder = tmp_path_factory.mktemp("flow")
    write_video(folder / "a.mp4", 9, 3)

    def make(**options: Any) -> Path:
        output = folder / "a.dnerv"
        encode(
            [folder / "a.mp4"],
            output,
            EncodeOptions(epochs=1, bits_per_pixel=0.5, network="always", **options),
            force=True,
        )
        return output

    return make


def test_flow_is_that_of_the_frames_asked_for(encoded: Any) -> None:
    with Archive(encoded(), size="coded") as archive:
        whole, part = flow_to_keyframe(archive, "a", 0, 9), flow_to_keyframe(archive, "a", 7, 2)
    assert whole is not None
    assert whole.shape == (9, 64, 80, 2)
    assert np.abs(whole).max() > 0
    assert part is not None
    assert np.array_equal(whole[7:], part)


@pytest.mark.parametrize(
    "options",
    [
        {"model": "nerv"},
        {"components": Components(fusion="none", flow="none")},  # an assertion once: "none" is truthy
        {"components": Components(flow="none")},
    ],
    ids=["nerv", "no fusion", "no flow"],
)
def test_a_network_that_moves_nothing_has_none(encoded: Any, options: dict[str, Any]) -> None:
    with Archive(encoded(**options), size="coded") as archive:
        assert flow_to_keyframe(archive, "a", 0, 2) is None


def test_colours_of_directions() -> None:
    flow = np.array([[[0, 0], [4, 0], [0, 4], [-4, 0], [0, -4], [2, 0], [9, 0]]], np.float32)
    rest, right, down, left, up, half, far = middlebury_colours(flow, 4.0)[0].astype(int)
    assert rest.tolist() == [255, 255, 255]
    assert right[0] == 255
    assert max(right[1:]) < 60  # red
    assert min(down[:2]) > 200
    assert down[2] == 0  # yellow
    assert left[0] == 0
    assert left[2] == 255  # cyan to blue
    assert up[2] > 200
    assert up[1] == 0  # violet
    assert half[0] == 255
    assert 100 < half[1] < 200
    assert far[0] < right[0]


def test_full_colour() -> None:
    flow = np.zeros((1, 10, 10, 2), np.float32)
    assert full_colour(flow) == 0.2
    flow[..., 0] = 3
    assert full_colour(flow) == pytest.approx(3)
