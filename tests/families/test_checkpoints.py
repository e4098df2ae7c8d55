"""The authors' checkpoints: read as weights alone, checked, and giving the authors' frames."""

import os
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
import torch

from dnerv.errors import InputError
from dnerv.families import DNeRVConfig, NeRVConfig, load_published

Small = Callable[..., DNeRVConfig]


def save(path: Path, state: dict[str, torch.Tensor], prefix: str = "") -> Path:
    torch.save(
        {
            "epoch": 1600,
            "state_dict": {prefix + name: value for name, value in state.items()},
            "train_best_psnr": torch.tensor(34.0),
            "optimizer": {"state": {}, "param_groups": [{"lr": 5e-4}]},
        },
        path,
    )
    return path


@pytest.mark.parametrize("prefix", ["", "module."])
def test_dnerv_gives_the_authors_frames(plain: SimpleNamespace, small: Small, tmp_path: Path, prefix: str) -> None:
    config = small(stem_channels=512, encoding_levels=240, encoder_channels=64, min_channels=32)
    state = plain.authors_state(config)
    assert state["stem.mlp.0.weight"].shape == (512, 480, 1)
    constants = {f"wk_list.{i}": torch.zeros(1, 1, 4, 1, 1) for i in range(3)}
    model = load_published(save(tmp_path / "m.pth", state | constants, prefix), config)
    keyframes = plain.keyframes(2, config.canvas).float() / 255
    expected = plain.dnerv(state, config, keyframes.transpose(0, 1)[None], [0], 5)
    with torch.no_grad():
        made = model(plain.inputs(config, 5, [0]))
    torch.testing.assert_close(made, expected.transpose(1, 2), rtol=0, atol=2e-5)


@pytest.mark.parametrize("prefix", ["", "module."])
def test_nerv_gives_the_authors_frames(plain: SimpleNamespace, tmp_path: Path, prefix: str) -> None:
    config = NeRVConfig(6, (2, 3), (4, 2), clip_length=3)
    state = plain.authors_state(config)
    model = load_published(save(tmp_path / "m.pth", state, prefix), config)
    inputs = plain.inputs(config, 3, [0])
    with torch.no_grad():
        made = model(inputs)
    torch.testing.assert_close(made, plain.nerv(state, config, inputs.time), rtol=0, atol=1e-5)


def test_a_bare_state_dict_with_flat_kernels(plain: SimpleNamespace, small: Small, tmp_path: Path) -> None:
    """Kernels of depth 1 may be kept as 2-D ones."""
    config = small()
    state = plain.authors_state(config)
    torch.save(state, tmp_path / "deep.pth")
    torch.save({n: w.squeeze(2) if w.dim() == 5 else w for n, w in state.items()}, tmp_path / "flat.pth")
    deep, flat = (load_published(tmp_path / f"{name}.pth", config) for name in ("deep", "flat"))
    for a, b in zip(deep.parameters(), flat.parameters(), strict=True):
        assert torch.equal(a, b)


class Malicious:
    def __init__(self, trace: Path) -> None:
        self.trace = trace

    def __reduce__(self) -> tuple[Any, ...]:
        return os.mkdir, (str(self.trace),)


def test_code_in_the_file_is_refused_and_not_run(small: Small, tmp_path: Path) -> None:
    trace = tmp_path / "trace"
    torch.save({"state_dict": Malicious(trace)}, tmp_path / "m.pth")
    with pytest.raises(InputError, match="not a checkpoint of weights alone"):
        load_published(tmp_path / "m.pth", small())
    assert not trace.exists()


@pytest.mark.parametrize(
    ("damage", "message"),
    [
        (lambda s: s.pop("decoder_list.1.tfc.bias"), "missing"),
        (lambda s: s.update({"decoder_list.7.conv.bias": torch.zeros(3)}), "left over"),
        (lambda s: s.update({"stem.mlp.0.bias": torch.zeros(15)}), "shape"),
        (lambda s: s.update({"encoder.head.0.weight": torch.zeros(3, 10, 1, 3, 3)}), "shape"),
        (lambda s: s.update({"encoder.head.0.weight": "weights"}), "not a tensor"),
    ],
)
def test_another_networks_weights_are_refused(
    plain: SimpleNamespace, small: Small, tmp_path: Path, damage: Callable[[dict[str, Any]], Any], message: str
) -> None:
    config = small()
    state = plain.authors_state(config)
    damage(state)
    with pytest.raises(InputError, match=message):
        load_published(save(tmp_path / "m.pth", state), config)


def test_another_familys_weights_are_refused(plain: SimpleNamespace, small: Small, tmp_path: Path) -> None:
    config = small()
    with pytest.raises(InputError, match="does not hold this network"):
        load_published(save(tmp_path / "m.pth", plain.authors_state(config)), NeRVConfig(6, (2, 3), (4, 2, 2)))


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", b"PK\x03\x04 truncated"])
def test_a_file_that_is_no_checkpoint(small: Small, tmp_path: Path, content: bytes) -> None:
    (tmp_path / "m.pth").write_bytes(content)
    with pytest.raises(InputError, match=r"m\.pth is not a checkpoint"):
        load_published(tmp_path / "m.pth", small())
    with pytest.raises(InputError, match="absent"):
        load_published(tmp_path / "absent.pth", small())


@pytest.mark.parametrize("content", [[1, 2], {"state_dict": None}, {"state_dict": [1]}, {}])
def test_a_checkpoint_of_something_else(small: Small, tmp_path: Path, content: Any) -> None:
    torch.save(content, tmp_path / "m.pth")
    with pytest.raises(InputError):
        load_published(tmp_path / "m.pth", small())
