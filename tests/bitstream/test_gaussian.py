"""The distribution: integer tables as documented, their density, and the fit."""

import math

import numpy as np
import pytest

from dnerv.bitstream.ans import TOTAL, code_length_bits
from dnerv.bitstream.gaussian import SPREADS, exp2_negative, fitted_spread, gaussian_table

CASES = [(alphabet, centre, spread) for alphabet in (2, 4, 64, 256) for centre in (0, 1, alphabet - 1)
         for spread in (0, 20, 40, 60, 96, 97, SPREADS - 1)]  # fmt: skip


@pytest.mark.parametrize("case", [*CASES, (65536, 32768, 0), (65536, 32768, 80), (65536, 0, 127)])
def test_tables_sum_to_the_total_and_give_every_symbol_a_count(case: tuple[int, int, int]) -> None:
    table = gaussian_table(*case)
    assert table.shape == case[:1]
    assert int(table.sum(dtype=np.int64)) == TOTAL
    assert table.min() >= 1
    assert int(table[case[1]]) >= int(table.max()) - case[0]  # what rounding leaves goes to the first of the largest


def table_in_python_integers(alphabet: int, centre: int, spread: int) -> list[int]:
    """The recurrences as docs/format.md states them."""
    powers, power = [], 1 << 31
    for _ in range(16):
        power = math.isqrt(power << 32)
        powers.append(power)

    def exp2(x: int) -> int:
        y = 1 << 32
        for bit in range(16):
            if x >> (15 - bit) & 1:
                y = y * powers[bit] >> 32
        return y >> min(x >> 16, 40)

    rate = exp2(65536 * spread // 3)
    weights = [exp2((k - centre) ** 2 * rate >> 12) for k in range(alphabet)]
    total = sum(weights)
    table = [1 + w * (TOTAL - alphabet) // total for w in weights]
    table[weights.index(max(weights))] += TOTAL - sum(table)
    return table


@pytest.mark.parametrize("case", [*CASES, (65536, 32768, 70), (65536, 1, 0)])
def test_tables_are_the_documented_integers(case: tuple[int, int, int]) -> None:
    assert gaussian_table(*case).tolist() == table_in_python_integers(*case)


def test_tables_follow_the_density() -> None:
    k = np.arange(256)
    for spread in (20, 35, 45):
        density = np.exp(-((k - 128) ** 2) / (2 * (0.2123 * 2 ** (spread / 6)) ** 2))
        table = gaussian_table(256, 128, spread) / TOTAL
        assert np.abs(table - density / density.sum()).max() < 2e-3 * table.max() + 2e-7


def test_the_widest_spreads_are_uniform() -> None:
    assert np.ptp(gaussian_table(256, 3, 127)) == 0
    assert np.ptp(gaussian_table(32, 3, 97)) == 0


def test_exp2_negative_is_exact_to_26_bits() -> None:
    x = np.arange(0, 50 * 65536, 997, dtype=np.uint64)
    exact = 2.0 ** (32 - x / 65536)
    computed = exp2_negative(x).astype(np.float64)
    assert (np.abs(computed - exact) <= 1 + exact * 2**-26).all()
    assert exp2_negative(np.array([0, 41 << 16, 1 << 60], np.uint64)).tolist() == [1 << 32, 0, 0]


@pytest.mark.parametrize("deviation", [0.0, 0.4, 3.0, 11.0, 1e4])
def test_the_fitted_spread_is_the_cheapest(deviation: float) -> None:
    rng = np.random.default_rng(3)
    centres = np.array([9, 20])
    drawn = np.rint(rng.normal(centres[:, None], deviation, (2, 400))).clip(0, 31).astype(int)
    counts = np.stack([np.bincount(row, minlength=32) for row in drawn])

    def bits(spread: int) -> float:
        tables = [gaussian_table(32, int(centre), spread) for centre in centres]
        return sum(code_length_bits(row, table) for row, table in zip(counts, tables, strict=True))

    assert bits(fitted_spread(counts, centres)) <= min(map(bits, range(SPREADS))) * (1 + 1e-6) + 1e-3
    assert fitted_spread(np.zeros((0, 4), np.int64), np.zeros(0, np.int64)) == 0
