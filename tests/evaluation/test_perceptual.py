"""ST-LPIPS with weights of the package's names and shapes, drawn at random: the distance against plain modules."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from torch import Tensor, nn

from dnerv.errors import InputError
from dnerv.evaluation import packages, perceptual
from dnerv.evaluation.perceptual import perceptual_distance, st_lpips

CONVOLUTIONS = {  # name: channels out, channels in, side, stride-1 padding
    "slice1.0": (64, 3, 11),
    "slice2.5": (192, 64, 5),
    "slice3.9": (384, 192, 3),
    "slice4.11": (256, 384, 3),
    "slice5.13": (256, 256, 3),
}


@pytest.fixture(scope="module")
def weights() -> dict[str, Tensor]:
    torch.manual_seed(1)
    found = {
        "scaling_layer.shift": torch.tensor([-0.03, -0.088, -0.188]).view(1, 3, 1, 1),
        "scaling_layer.scale": torch.tensor([0.458, 0.448, 0.45]).view(1, 3, 1, 1),
    }
    for place, (name, (out, into, side)) in enumerate(CONVOLUTIONS.items()):
        found[f"net.{name}.weight"] = torch.randn(out, into, side, side) * (2 / (into * side * side)) ** 0.5
        found[f"net.{name}.bias"] = 0.1 * torch.randn(out)
        found[f"lin{place}.model.1.weight"] = torch.rand(1, out, 1, 1)
    return found


@pytest.fixture
def installed(weights: dict[str, Tensor], tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A package that holds such a file, and nothing to import."""
    folder = tmp_path / "stlpips_pytorch" / "weights" / "vST0.0"
    folder.mkdir(parents=True)
    (tmp_path / "stlpips_pytorch" / "__init__.py").write_text("raise ImportError('it is read, not imported')")
    torch.save(weights, folder / "alex_shift_tolerant.pth")
    monkeypatch.syspath_prepend(tmp_path)
    perceptual._weights.cache_clear()


def frame(seed: int, height: int = 40, width: int = 48) -> np.ndarray:
    rows, columns = np.mgrid[:height, :width]
    shades = np.stack((rows * 5 + 9 * seed, columns * 4, rows + columns), axis=-1) % 256
    return (shades + np.random.default_rng(seed).normal(0, 8, shades.shape)).clip(0, 255).astype(np.uint8)


def plain_distance(first: Tensor, second: Tensor, weights: dict[str, Tensor]) -> float:
    """One module after the other, and loops over channels in the pooling."""

    def halve(x: Tensor) -> Tensor:
        padded = nn.ReflectionPad2d(2)(x)
        taps = torch.tensor([[1.0, 2, 1], [2, 4, 2], [1, 2, 1]]) / 16
        blurred = [nn.functional.conv2d(padded[:, i : i + 1], taps[None, None]) for i in range(x.shape[1])]
        return torch.cat(blurred, dim=1)[:, :, ::2, ::2]

    def maps(x: Tensor) -> list[Tensor]:
        x = (x.float() / 255 * 2 - 1 - weights["scaling_layer.shift"]) / weights["scaling_layer.scale"]
        found = []
        for name, (out, into, side) in CONVOLUTIONS.items():
            layer = nn.Conv2d(into, out, side, padding={11: 2, 5: 2, 3: 1}[side])
            layer.load_state_dict({part: weights[f"net.{name}.{part}"] for part in ("weight", "bias")})
            if name in ("slice2.5", "slice3.9"):
                x = halve(nn.MaxPool2d(3, stride=1)(x))
            x = nn.ReLU()(halve(layer(x)) if name == "slice1.0" else layer(x))
            found.append(x / (x.square().sum(1, keepdim=True).sqrt() + 1e-10))
        return found

    with torch.no_grad():
        pairs = zip(maps(first), maps(second), strict=True)
        parts = [
            ((a - b) ** 2 * weights[f"lin{place}.model.1.weight"]).sum(1).mean() for place, (a, b) in enumerate(pairs)
        ]
    return float(sum(parts))


def test_the_distance_is_the_plain_modules(weights: dict[str, Tensor]) -> None:
    first, second = (torch.from_numpy(frame(seed)).permute(2, 0, 1)[None] for seed in (1, 2))
    wanted = plain_distance(first, second, weights)
    assert wanted > 1e-3
    assert st_lpips(first, second, weights).item() == pytest.approx(wanted, rel=1e-4)


@pytest.mark.usefixtures("installed")
class TestVideos:
    def test_mean_over_frames(self) -> None:
        one, two, three = (frame(seed) for seed in (1, 2, 3))
        parts = [perceptual_distance([one], [other]) for other in (two, three)]
        assert perceptual_distance([one, one], [two, three]) == pytest.approx(sum(parts) / 2)
        assert parts[0] != pytest.approx(parts[1])

    def test_nothing_between_a_frame_and_itself(self) -> None:
        assert perceptual_distance([frame(1)], [frame(1)]) == 0

    @pytest.mark.parametrize(
        ("frames", "decoded", "words"),
        [
            ([], [], "a frame at least"),
            ([frame(1)], [], "as many frames"),
            ([frame(1)], [frame(1, 40, 50)], "one size"),
            ([frame(1, 24, 48)], [frame(1, 24, 48)], "32 pixels"),
        ],
    )
    def test_what_cannot_be_compared(self, frames: list[np.ndarray], decoded: list[np.ndarray], words: str) -> None:
        with pytest.raises(InputError, match=words):
            perceptual_distance(frames, decoded)


def test_weights_that_are_not_there(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    with pytest.raises(InputError, match="stlpips-pytorch"):
        perceptual.check_perceptual()
