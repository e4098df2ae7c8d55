"""What a decoder costs in dB."""

from __future__ import annotations

import pytest
import torch

from dnerv.evaluation.decoder_quality import compare_decoders


def shifted(by: int) -> torch.Tensor:
    return torch.full((2, 3, 4, 4), 100 + by, dtype=torch.uint8)


DECODERS = {"exact": lambda place: shifted(1), "rough": lambda place: shifted(1 + place)}
ONE = 48.1308  # dB of an error of 1 everywhere


def test_cost_is_what_is_lost_against_the_originals(advanced: list[int]) -> None:
    exact, rough = compare_decoders(DECODERS, "exact", [(0, 1), (1, 1)], lambda place: shifted(0))
    assert (exact.name, exact.psnr_to_reference, exact.cost) == ("exact", 100, 0)
    assert exact.psnr_to_originals == pytest.approx(ONE, abs=1e-3)
    assert rough.psnr_to_reference == pytest.approx(ONE, abs=1e-3)
    assert rough.cost == pytest.approx(6.0206, abs=1e-3)
    assert sum(advanced) == 2


def test_each_video_has_one_vote() -> None:
    places = [(0, 1), (0, 1), (0, 1), (1, 2)]
    rough = compare_decoders(DECODERS, "exact", places, None)[1]
    assert rough.psnr_to_reference == pytest.approx(ONE - 6.0206 / 2, abs=1e-3)


def test_without_originals_there_is_no_cost() -> None:
    for one in compare_decoders(DECODERS, "exact", [(0, 1)], None):
        assert one.psnr_to_originals is None
        assert one.cost is None
