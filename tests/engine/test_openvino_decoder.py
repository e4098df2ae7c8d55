"""Frames of OpenVINO decoders against the plain modules."""

from __future__ import annotations

import sys
from collections.abc import Callable
from importlib.util import find_spec
from types import SimpleNamespace

import pytest
import torch

from dnerv.engine import Decoder, Features
from dnerv.engine.openvino import OpenVINOPrecision, open_decoder
from dnerv.errors import InputError
from dnerv.families import ClipInputs, DNeRV

if find_spec("openvino") is None:  # not importorskip: an import from there would not be quiet
    pytest.skip("the extra dnerv[fast] is not installed", allow_module_level=True)

from dnerv.engine.openvino import stages
from dnerv.engine.openvino.request import computes_bf16

CPU = torch.device("cpu")
needs_bf16 = pytest.mark.skipif(not computes_bf16(), reason="this processor has no bfloat16")


def _error(model: DNeRV, inputs: ClipInputs, precision: OpenVINOPrecision) -> float:
    """Root mean square, against the reference in float32."""
    expected = Decoder(model, CPU, "reference").decode(inputs)
    made = open_decoder(model, precision, lambda: [inputs]).decode(inputs)
    assert made.shape == expected.shape
    assert made.dtype == torch.float32
    return (made - expected).square().mean().sqrt().item()


def test_float32_equals_the_reference(model: DNeRV, plain: SimpleNamespace) -> None:
    inputs = plain.inputs(model.config, 29, [0, 2])
    expected = Decoder(model, CPU, "reference").decode(inputs)
    torch.testing.assert_close(open_decoder(model, "openvino-fp32").decode(inputs), expected, atol=1e-5, rtol=0)


@pytest.mark.parametrize("rows", [0, 10**9])
def test_a_wide_temporal_mlp_is_the_same_either_way(
    make_model: Callable[[str], DNeRV], plain: SimpleNamespace, monkeypatch: pytest.MonkeyPatch, rows: int
) -> None:
    monkeypatch.setattr(stages, "_DENSE_ROWS", rows)
    model = make_model("wide GTMLP")
    assert _error(model, plain.inputs(model.config, 29, [1]), "openvino-fp32") < 1e-6


@needs_bf16
def test_bf16_stays_close(model: DNeRV, plain: SimpleNamespace) -> None:
    assert 0 < _error(model, plain.inputs(model.config, 29, [0, 2]), "openvino-bf16") < 0.003


@pytest.mark.parametrize("variant", ["paper", "compact", "strides of 3 and 1"])
def test_int8_stays_close_and_is_not_bf16(
    make_model: Callable[[str], DNeRV], plain: SimpleNamespace, variant: str
) -> None:
    model = make_model(variant)
    inputs = plain.inputs(model.config, 29, [0, 2])
    assert 0 < _error(model, inputs, "openvino-int8") < 0.006
    wide = open_decoder(model, "openvino-bf16" if computes_bf16() else "openvino-fp32").decode(inputs)
    assert not torch.equal(open_decoder(model, "openvino-int8", lambda: [inputs]).decode(inputs), wide)


def test_int8_without_clips_is_refused(make_model: Callable[[str], DNeRV]) -> None:
    for calibration in (None, lambda: []):
        with pytest.raises(InputError, match="needs clips to measure"):
            open_decoder(make_model("paper"), "openvino-int8", calibration)


def test_frames_depend_neither_on_the_batch_nor_on_what_came_before(
    make_model: Callable[[str], DNeRV], plain: SimpleNamespace
) -> None:
    model = make_model("keyframes inside clips")
    decoder = open_decoder(model, "openvino-fp32")
    both = decoder.decode(plain.inputs(model.config, 29, [0, 2]))
    single = decoder.decode(plain.inputs(model.config, 29, [2]))
    torch.testing.assert_close(both[1], single[0], atol=0, rtol=0)


def test_features_of_single_keyframes_join(make_model: Callable[[str], DNeRV], plain: SimpleNamespace) -> None:
    model = make_model("keyframes inside clips")
    inputs = plain.inputs(model.config, 29, [1])
    decoder = open_decoder(model, "openvino-fp32")
    keyframes = (inputs.keyframes * 255).round().to(torch.uint8)
    features = Features.join([decoder.encode(keyframe[None]) for keyframe in keyframes])
    torch.testing.assert_close(decoder.decode(inputs, features), decoder.decode(inputs), atol=2e-6, rtol=0)


def test_the_library_is_imported_without_its_telemetry(make_model: Callable[[str], DNeRV]) -> None:
    open_decoder(make_model("one pixel"), "openvino-fp32")
    assert "openvino" in sys.modules
    assert not [name for name in sys.modules if name.startswith("openvino_telemetry")]
