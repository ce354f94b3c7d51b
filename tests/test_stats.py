"""Intervals cover what they should, tests are exact, and weighted sums equal resampling by hand."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
import scipy.stats

from triglot import stats
from triglot.seeds import generator


def test_the_macro_mean_is_over_cells_then_seeds():
    values = np.array([[1, 0, 1, 1], [0, 0, 1, np.nan]])
    sums = stats.cluster_sums(values, np.array(["p", "q", "p", "q"]), np.array(["de", "de", "de", "th"]))
    assert stats.macro_mean(sums) == pytest.approx(((2 / 3 + 1) / 2 + 1 / 3) / 2)  # the second seed has no figure for th
    assert stats.macro_mean(stats.cluster_sums(np.array([1.0, 3.0, np.nan]), np.arange(3))) == 2
    assert stats.cluster_sums(np.array([1.0, np.nan]), np.arange(2)).clusters.tolist() == [0]


def test_resampling_sums_equals_resampling_rows():
    rng = np.random.default_rng(0)
    values, cluster, cell = rng.random((1, 60)), rng.integers(0, 7, 60), rng.integers(0, 3, 60)
    sums = stats.cluster_sums(values, cluster, cell)
    interval = stats.bootstrap(sums, samples=200, seed=5)
    drawn = generator(5, "bootstrap clusters").multinomial(7, np.full(7, 1 / 7), 200)
    means = []
    for weights in drawn:
        rows = np.concatenate([np.repeat(np.flatnonzero(cluster == c), n) for c, n in enumerate(weights)])
        means.append(np.mean([values[0, rows][cell[rows] == g].mean() for g in np.unique(cell[rows])]))
    assert (interval.low, interval.high) == pytest.approx(tuple(np.quantile(means, [0.025, 0.975])))
    assert (interval.seeds, interval.clusters, interval.level) == (1, 7, 0.95)
    assert interval.value == pytest.approx(stats.macro_mean(sums))
    assert interval == stats.bootstrap(sums, samples=200, seed=5)
    assert interval != stats.bootstrap(sums, samples=200, seed=6)


@pytest.mark.parametrize(
    ("number", "seed_sd", "cluster_sd", "noise_sd", "lowest", "highest"),
    [
        (3, 1.0, 0.0, 0.1, 0.90, 0.98),  # all variance between seeds: without the stretch 73 %
        (5, 1.0, 0.0, 0.1, 0.91, 0.99),
        (5, 0.0, 1.0, 0.1, 0.90, 0.98),
        (5, 0.35, 1.0, 0.3, 0.92, 1.00),
        (5, 0.0, 0.0, 1.0, 0.95, 1.00),  # the crossed bootstrap counts pure noise more than once: conservative
    ],
)
def test_intervals_cover_the_truth(number, seed_sd, cluster_sd, noise_sd, lowest, highest):
    rng = np.random.default_rng(7)
    covered, times, clusters = 0, 300, 40
    for time in range(times):
        values = rng.normal(0, seed_sd, (number, 1)) + rng.normal(0, cluster_sd, clusters) + rng.normal(0, noise_sd, (number, clusters))
        interval = stats.bootstrap(stats.cluster_sums(values, np.arange(clusters)), samples=300, seed=time)
        covered += interval.low <= 0 <= interval.high
    assert lowest <= covered / times <= highest


def test_unpaired_arms_may_have_different_numbers_of_seeds():
    rng = np.random.default_rng(1)
    cluster = np.repeat(np.arange(30), 4)
    shared = rng.normal(0, 1, 30)[cluster]
    a = stats.cluster_sums(shared + 0.5 + rng.normal(0, 0.02, (5, 120)), cluster)
    b = stats.cluster_sums(shared + rng.normal(0, 0.02, (4, 120)), cluster)
    interval = stats.bootstrap_unpaired(a, b, samples=2000)
    assert interval.value == pytest.approx(0.5, abs=0.02)
    assert 0.4 < interval.low < 0.5 < interval.high < 0.6  # clusters are shared, so their large variance cancels
    with pytest.raises(ValueError, match="measured on the same queries"):
        stats.bootstrap_unpaired(a, stats.cluster_sums(shared, cluster + 1))


@pytest.mark.parametrize("level", [0.8, 0.95, 0.99])
@pytest.mark.parametrize("freedom", [1, 2, 3, 4, 9, 60])
def test_student_quantiles(level, freedom):
    assert stats.student_quantile(level, freedom) == pytest.approx(scipy.stats.t.ppf((1 + level) / 2, freedom), rel=1e-9)


def test_the_permutation_test_is_exact_for_few_clusters():
    difference = np.array([0.3, 0.1, -0.05, 0.2, 0.15, 0.4, -0.1])
    p = stats.permutation_test(stats.cluster_sums(difference, np.arange(7)))
    totals = [abs(sum(s * d for s, d in zip(signs, difference))) for signs in itertools.product([1, -1], repeat=7)]
    assert p == np.mean([total >= difference.sum() - 1e-12 for total in totals])
    assert stats.permutation_test(stats.cluster_sums(np.zeros(4), np.arange(4))) == 1
    assert stats.permutation_test(stats.cluster_sums(np.ones(5), np.arange(5))) == 2 / 32


def test_the_permutation_test_flips_whole_clusters():
    cluster, cell = np.repeat(np.arange(4), 3), np.tile(["de", "el", "de"], 4)
    difference = np.repeat([1.0, 1.0, 1.0, -0.5], 3)
    p = stats.permutation_test(stats.cluster_sums(np.stack([difference, difference]), cluster, cell))
    assert p == pytest.approx(4 / 16)  # +++-, ++++ and their mirror images


def test_the_permutation_test_with_draws_holds_its_level():
    rng = np.random.default_rng(3)
    ps = [stats.permutation_test(stats.cluster_sums(rng.normal(0, 1, 40), np.arange(40)), samples=199, seed=i) for i in range(400)]
    assert 0.02 <= np.mean(np.array(ps) <= 0.05) <= 0.08
    assert min(ps) >= 1 / 200
    strong = stats.cluster_sums(rng.normal(1, 1, 40), np.arange(40))
    assert stats.permutation_test(strong, samples=999) == 1 / 1000


def test_holm_by_hand():
    assert stats.holm([0.04, 0.01, 0.03]) == pytest.approx([0.06, 0.03, 0.06])
    assert stats.holm([0.9, 0.8]).tolist() == [1, 1]
    assert stats.holm([]).tolist() == []


def test_lengths_that_differ_and_empty_values_are_refused():
    with pytest.raises(ValueError, match="3 values, 2 clusters and 3 cells"):
        stats.cluster_sums(np.ones(3), np.arange(2))
    with pytest.raises(ValueError, match="no value is a number"):
        stats.cluster_sums(np.full(2, np.nan), np.arange(2))
