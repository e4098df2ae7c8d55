"""Opening an OpenVINO decoder, with OpenVINO or without."""

from __future__ import annotations

import sys
from collections.abc import Callable

import pytest
import torch

from dnerv.engine.openvino import OPENVINO_PRECISIONS, open_decoder
from dnerv.engine.openvino.quantisation import ranges_of
from dnerv.errors import InputError
from dnerv.families import DNeRV, NeRV, NeRVConfig


def test_without_the_extra_it_says_what_to_install(
    make_model: Callable[[str], DNeRV], monkeypatch: pytest.MonkeyPatch
) -> None:
    for name in [name for name in sys.modules if name.startswith("dnerv.engine.openvino.")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "openvino", None)
    with pytest.raises(InputError, match=r"openvino-fp32 needs OpenVINO: pip install 'dnerv\[fast\]'"):
        open_decoder(make_model("paper"), "openvino-fp32")


def test_unknown_precision_is_refused(make_model: Callable[[str], DNeRV]) -> None:
    with pytest.raises(InputError, match=r"'bf16'.*openvino-fp32, openvino-bf16, openvino-int8"):
        open_decoder(make_model("paper"), "bf16")  # type: ignore[arg-type]


@pytest.mark.parametrize("precision", OPENVINO_PRECISIONS)
def test_networks_without_keyframes_are_refused(precision: str) -> None:
    model = NeRV(NeRVConfig(4, grid=(2, 3), strides=(2, 2), min_channels=8, stem_channels=16, encoding_levels=12))
    with pytest.raises(InputError, match="with keyframes; this one, NeRV"):
        open_decoder(model, precision)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("values", "low", "high"),
    [
        ([0.0], 0.0, 1e-6),  # nothing but zero
        ([-1.0, 0.5, 1.0], -128 / 127, 1.0),  # signed: zero is level 128
        ([-0.17, 0.1, 6.0], -0.17, 6.0),  # what GELU answers
    ],
)
def test_ranges_hold_the_sample_and_zero(values: list[float], low: float, high: float) -> None:
    ((found_low, found_high),) = ranges_of({"x": torch.tensor(values)}).values()
    step = (found_high - found_low) / 255
    assert found_low == pytest.approx(low, abs=1.01 * step)
    assert found_high == pytest.approx(high, abs=1.01 * step)
    assert found_low / step == pytest.approx(round(found_low / step), abs=1e-3)


def test_a_rare_outlier_does_not_widen_the_range() -> None:
    values = torch.cat((torch.randn(100_000, generator=torch.Generator().manual_seed(0)), torch.tensor([12.0])))
    ((low, high),) = ranges_of({"x": values}).values()
    assert high < 9
    assert low < -3.5
