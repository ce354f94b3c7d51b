"""Draws are functions of their arguments: nothing else moves them."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from triglot.seeds import bits, generator, uniform

GOLDEN_BITS = 2840303796997324396
GOLDEN_ROW = [5852739448466185495, 3714403407544498049, 3614899813566833792]
GOLDEN_PERMUTATION = [4, 0, 5, 6, 1, 3, 2, 7]
COUNTER = st.integers(-(2**63), 2**63 - 1)


def test_golden_values() -> None:
    """Saved runs rest on these numbers: they may never change."""
    assert bits(1, "words", 2, 3).item() == GOLDEN_BITS
    np.testing.assert_array_equal(bits(7, "noise", 0, np.arange(3)), np.array(GOLDEN_ROW, np.uint64))
    assert uniform(1, "words", 2, 3).item() == GOLDEN_BITS / 2**64 - GOLDEN_BITS % 2**11 / 2**64
    assert generator(1, "rows", 4).permutation(8).tolist() == GOLDEN_PERMUTATION


def test_another_process_draws_the_same() -> None:
    code = "from triglot.seeds import *; print(bits(5, 'p', 1, 2).item(), generator(5, 'p', 1, 2).integers(2**62))"
    drawn = [
        subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True).stdout.split()
        for _ in range(2)
    ]
    assert drawn[0] == drawn[1] == [str(bits(5, "p", 1, 2).item()), str(generator(5, "p", 1, 2).integers(2**62))]


@given(
    st.integers(),
    st.text(st.characters(exclude_categories=["Cs"])),
    st.lists(COUNTER, min_size=1, max_size=4),
    st.randoms(use_true_random=False),
)
def test_a_draw_does_not_depend_on_its_neighbours(seed: int, purpose: str, counters: list[int], random) -> None:
    alone = bits(seed, purpose, *counters)
    assert alone.shape == ()
    others = [random.randrange(-(2**63), 2**63) for _ in range(6)]
    others[random.randrange(6)] = counters[-1]
    place = others.index(counters[-1])
    row = np.array(others)
    assert bits(seed, purpose, *counters[:-1], row)[place] == alone
    np.testing.assert_array_equal(
        bits(seed, purpose, *counters[:-1], row[::-1])[::-1], bits(seed, purpose, *counters[:-1], row)
    )
    np.testing.assert_array_equal(
        bits(seed, purpose, *counters[:-1], row.reshape(2, 3)).ravel(), bits(seed, purpose, *counters[:-1], row)
    )


def test_arrays_broadcast() -> None:
    steps, rows = np.arange(5)[:, None], np.arange(7, dtype=np.int32)
    table = bits(3, "side", 2, steps, rows)
    assert table.shape == (5, 7)
    assert all(table[s, r] == bits(3, "side", 2, s, r) for s in range(5) for r in range(7))


def test_every_argument_matters_and_so_does_their_order() -> None:
    draws = [
        bits(1, "a", 2, 3),
        bits(2, "a", 2, 3),
        bits(1, "b", 2, 3),
        bits(1, "a", 3, 2),
        bits(1, "a", 2),
        bits(1, "a", 2, 3, 0),
        bits(1, "a", 0, 2, 3),
        bits(1, "a", -2, 3),
        bits(1, "a"),
        bits(11, "", 2, 3),
        bits(1, "1", 2, 3),
    ]
    assert len({draw.item() for draw in draws}) == len(draws)
    purposes = [
        generator(*key).integers(2**62)
        for key in [(1, "a", 2, 3), (2, "a", 2, 3), (1, "b", 2, 3), (1, "a", 3, 2), (1, "a", 2), (1, "a")]
    ]
    assert len(set(purposes)) == len(purposes)


def test_a_million_counters_do_not_collide() -> None:
    assert len(np.unique(bits(1, "collide", np.arange(1000)[:, None], np.arange(1000)))) == 1_000_000


@pytest.mark.parametrize("seed", [0, 1, 2**40])
@pytest.mark.parametrize("axis", [0, 1])
def test_uniform_is_uniform(seed: int, axis: int) -> None:
    """Chi-square over 256 cells, counting along the last or the first counter."""
    n = 200_000
    draws = uniform(seed, "chi", 3, np.arange(n)) if axis else uniform(seed, "chi", np.arange(n), 3)
    assert draws.dtype == np.float64
    assert draws.min() >= 0
    assert draws.max() < 1
    assert stats.chisquare(np.bincount((draws * 256).astype(int), minlength=256)).pvalue > 1e-4
    assert stats.kstest(draws, "uniform").pvalue > 1e-4


def test_neighbouring_draws_are_independent() -> None:
    """Successive counters, seeds and purposes: chi-square over a 16 x 16 table of pairs."""
    rows = np.arange(100_000)
    first = uniform(1, "pair", rows)
    for other in (
        uniform(1, "pair", rows + 1),
        uniform(2, "pair", rows),
        uniform(1, "pairs", rows),
        uniform(1, "pair", rows, 0),
    ):
        table = np.histogram2d(first, other, bins=16, range=[[0, 1], [0, 1]])[0]
        assert stats.chi2_contingency(table).pvalue > 1e-4


def test_each_bit_is_fair() -> None:
    draws = bits(9, "bits", np.arange(100_000))
    ones = [int(((draws >> np.uint64(b)) & np.uint64(1)).sum()) for b in range(64)]
    assert min(stats.binomtest(k, len(draws)).pvalue for k in ones) > 1e-5
