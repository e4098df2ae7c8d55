"""Decoders: precisions, families, features that are shared."""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace

import pytest
import torch

from dnerv.engine import Decoder, Features, chosen_precision, computes_in_bf16
from dnerv.errors import InputError
from dnerv.families import DNeRV, NeRV, NeRVConfig

CPU = torch.device("cpu")


def test_decoder_agrees_with_the_reference(model: DNeRV, plain: SimpleNamespace) -> None:
    inputs = plain.inputs(model.config, 29, [0, 2])
    expected = Decoder(model, CPU, "reference").decode(inputs)
    torch.testing.assert_close(Decoder(model, CPU, "fp32").decode(inputs), expected, atol=1e-4, rtol=0)


def test_features_of_single_keyframes_join(make_model: Callable[[str], DNeRV], plain: SimpleNamespace) -> None:
    model = make_model("keyframes inside clips")
    inputs = plain.inputs(model.config, 29, [1])
    decoder = Decoder(model, CPU)
    keyframes = (inputs.keyframes * 255).round().to(torch.uint8)
    features = Features.join([decoder.encode(keyframe[None]) for keyframe in keyframes])
    torch.testing.assert_close(decoder.decode(inputs, features), decoder.decode(inputs), atol=2e-6, rtol=0)


def test_two_decodings_are_identical(make_model: Callable[[str], DNeRV], plain: SimpleNamespace) -> None:
    model = make_model("compact")
    inputs = plain.inputs(model.config, 29, [1])
    assert torch.equal(Decoder(model, CPU).decode(inputs), Decoder(model, CPU).decode(inputs))


@pytest.mark.parametrize("precision", ["fp32", "bf16"])
def test_networks_without_keyframes_are_decoded_too(precision: str, plain: SimpleNamespace) -> None:
    config = NeRVConfig(4, grid=(2, 3), strides=(2, 2), min_channels=8, stem_channels=16, encoding_levels=12)
    torch.manual_seed(0)
    model = NeRV(config)
    inputs = plain.inputs(config, 16, [0, 1])
    decoder = Decoder(model, CPU, precision)  # type: ignore[arg-type]
    assert not decoder.shares_features
    with torch.no_grad():
        torch.testing.assert_close(decoder.decode(inputs), model(inputs), atol=0.02, rtol=0)


def test_auto_is_bf16_only_where_the_hardware_computes_in_it(monkeypatch: pytest.MonkeyPatch) -> None:
    for capabilities, expected in [({}, False), ({"avx512_bf16": True}, True), ({"amx_bf16": True}, True)]:
        monkeypatch.setattr(torch.cpu, "get_capabilities", lambda found=capabilities: found, raising=False)
        assert computes_in_bf16(CPU) is expected
        assert chosen_precision("auto", CPU) == ("bf16" if expected else "fp32")
        assert chosen_precision("fp16", CPU) == "fp16"
    assert not computes_in_bf16(torch.device("meta"))


def test_unknown_precision_is_refused() -> None:
    with pytest.raises(InputError, match=r"'fp8'.*fp32"):
        chosen_precision("fp8", CPU)
