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
    # The second seed has no figure for th.
    assert stats.macro_mean(sums) == pytest.approx(((2 / 3 + 1) / 2 + 1 / 3) / 2)
    assert stats.macro_mean(stats.cluster_sums(np.array([1.0, 3.0, np.nan]), np.arange(3))) == 2
    assert stats.cluster_sums(np.array([1.0, np.nan]), np.arange(2)).clusters.tolist() == [0]


def naive_variance(values, cluster, cell):
    """Of a macro mean over the clusters of one seed: each cluster's influence, by the derivative of a ratio."""
    influence = np.zeros(cluster.max() + 1)
    for g in np.unique(cell):
        rows = cell == g
        for c in np.unique(cluster):
            influence[c] += (
                (values[rows & (cluster == c)] - values[rows].mean()).sum() / rows.sum() / len(np.unique(cell))
            )
    return len(influence) / (len(influence) - 1) * (influence**2).sum()


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
    value, error = stats.macro_mean(sums), np.sqrt(naive_variance(values[0], cluster, cell))
    width = scipy.stats.t.ppf(0.975, 6) * error / (1.959963985 * np.std(means))
    expected = tuple(value + width * (np.quantile(means, [0.025, 0.975]) - value))
    assert (interval.low, interval.high) == pytest.approx(expected)
    assert interval.error == pytest.approx(error)
    assert (interval.seeds, interval.clusters, interval.level) == (1, 7, 0.95)
    assert interval.value == pytest.approx(value)
    assert interval == stats.bootstrap(sums, samples=200, seed=5)
    assert interval != stats.bootstrap(sums, samples=200, seed=6)


CROSSED = [(1.0, 0.0, 0.1), (0.0, 1.0, 0.1), (0.35, 1.0, 0.3), (0.2, 0.5, 1.0)]


@pytest.mark.slow
@pytest.mark.parametrize("number", [3, 5])
@pytest.mark.parametrize(("seed_sd", "cluster_sd", "noise_sd"), CROSSED)
def test_intervals_cover_the_truth(number, seed_sd, cluster_sd, noise_sd):
    """Crossed random effects of seeds and clusters: 95 % intervals cover 92 to 98 %, and p-values below 5 % are as
    rare."""
    rng = np.random.default_rng(11)
    covered, kept, times, clusters = 0, 0, 900, 40
    for time in range(times):
        values = (
            rng.normal(0, seed_sd, (number, 1))
            + rng.normal(0, cluster_sd, clusters)
            + rng.normal(0, noise_sd, (number, clusters))
        )
        interval = stats.bootstrap(stats.cluster_sums(values, np.arange(clusters)), samples=300, seed=time)
        covered += interval.low <= 0 <= interval.high
        kept += interval.p() > 0.05
    assert 0.92 <= covered / times <= 0.98
    assert 0.92 <= kept / times <= 0.98


@pytest.mark.parametrize(("one", "other"), [(3, 1), (5, 3)])
def test_intervals_of_differences_cover_the_truth_without_paired_seeds(one, other):
    """A baseline without seeds (its cluster effects are its own) against seeded arms, and arms with different numbers
    of seeds."""
    rng = np.random.default_rng(8)
    covered, times, clusters = 0, 500, 40
    for time in range(times):
        shared, own = rng.normal(0, 1, clusters), rng.normal(0, 0.4, (2, clusters))
        arms = [
            shared + own[i] + rng.normal(0, 0.05 * (n > 1), (n, 1)) + rng.normal(0, 0.3 * (n > 1), (n, clusters))
            for i, n in enumerate((one, other))
        ]
        a, b = (stats.cluster_sums(values, np.arange(clusters)) for values in arms)
        interval = stats.bootstrap_unpaired(a, b, samples=300, seed=time)
        covered += interval.low <= 0 <= interval.high
    assert 0.92 <= covered / times <= 0.98


def test_one_kind_of_variance_gives_the_classical_tests():
    rng = np.random.default_rng(4)
    by_seed, by_cluster = rng.normal(0.4, 1, 5), rng.normal(0.2, 1, 30)
    seeds = stats.bootstrap(stats.cluster_sums(np.repeat(by_seed[:, None], 30, 1), np.arange(30)), samples=50)
    assert seeds.p(0.1) == pytest.approx(scipy.stats.ttest_1samp(by_seed, 0.1).pvalue)
    clusters = stats.bootstrap(stats.cluster_sums(np.repeat(by_cluster[None], 4, 0), np.arange(30)), samples=50)
    assert clusters.p() == pytest.approx(scipy.stats.ttest_1samp(by_cluster, 0).pvalue)
    alone = stats.bootstrap_unpaired(
        stats.cluster_sums(by_cluster, np.arange(30)), stats.cluster_sums(np.zeros(30), np.arange(30)), samples=50
    )
    assert alone.p(-0.3) == pytest.approx(scipy.stats.ttest_1samp(by_cluster, -0.3).pvalue)
    strong = stats.bootstrap(stats.cluster_sums(by_cluster + 1000, np.arange(30)), samples=50)
    assert strong.p() == pytest.approx(scipy.stats.ttest_1samp(by_cluster + 1000, 0).pvalue, rel=1e-6)


def test_p_and_the_interval_agree():
    rng = np.random.default_rng(5)
    for time in range(20):
        values = rng.normal(0.1, 0.1, (4, 1)) + rng.normal(0, 0.5, 60) + rng.normal(0, 0.5, (4, 60))
        sums = stats.cluster_sums(values, np.arange(60))
        wide = stats.bootstrap(sums, samples=4000, seed=time)
        for end in (wide.low, wide.high):
            assert 0.03 < wide.p(end) < 0.075  # the resamples are not quite symmetric
        assert wide.p(wide.value) == 1
        assert 0 < wide.p(wide.value + 1) < wide.p(wide.value + 0.5) < 1


def test_figures_that_never_differ_and_a_single_cluster():
    same = stats.bootstrap(stats.cluster_sums(np.full((3, 4), 0.25), np.arange(4)), samples=20)
    assert (same.low, same.high, same.p(0.25), same.p(0.0)) == (0.25, 0.25, 1.0, 0.0)
    single = stats.bootstrap(stats.cluster_sums(np.ones((3, 4)), np.zeros(4)), samples=20)
    assert (single.low, single.high, single.p(9.0)) == (-np.inf, np.inf, 1.0)


def test_the_ratio_of_an_arm_to_a_scaled_copy_is_certain():
    rng = np.random.default_rng(6)
    values, cluster = rng.random((3, 80)) + 0.5, np.repeat(np.arange(20), 4)
    a, b = stats.cluster_sums(2 * values, cluster), stats.cluster_sums(values, cluster)
    paired = stats.bootstrap_ratio(a, b, paired=True, samples=500)
    assert (paired.low, paired.high) == pytest.approx((2, 2))
    loose = stats.bootstrap_ratio(a, b, paired=False, samples=500)
    assert loose.low < 2 < loose.high
    nothing = stats.bootstrap_ratio(a, stats.cluster_sums(0 * values, cluster), paired=True, samples=50)
    assert (nothing.low, nothing.high) == (-np.inf, np.inf)


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
    ps = [
        stats.permutation_test(stats.cluster_sums(rng.normal(0, 1, 40), np.arange(40)), samples=199, seed=i)
        for i in range(400)
    ]
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


@pytest.mark.parametrize(
    ("difference", "p", "few", "lower", "expected"),
    [
        (0.1, 0.01, False, False, 1),
        (-0.1, 0.05, False, False, -1),
        (-3.0, 0.01, False, True, 1),
        (3.0, 0.01, False, True, -1),
        (0.1, 0.051, False, False, 0),  # the test does not decide
        (0.1, 0.0, True, False, 0),  # too few seeds
        (0.0, 0.0, False, True, 0),
    ],
)
def test_verdicts(difference, p, few, lower, expected):
    assert stats.verdict(difference, p, few=few, lower_is_better=lower) == expected


@pytest.mark.parametrize(
    ("difference", "p", "few", "expected"),
    [
        (-0.004, 0.01, False, "yes"),  # below, but surely by less than the margin
        (0.2, 0.0, False, "yes"),
        (-0.02, 0.01, False, "no"),
        (-0.004, 0.3, False, "undecided"),
        (0.2, 0.0, True, "undecided"),
    ],
)
def test_not_below(difference, p, few, expected):
    assert stats.not_below(difference, p, 0.005, few=few) == expected


def test_non_inferiority_is_what_the_interval_says():
    rng = np.random.default_rng(9)
    noise = rng.normal(0, 0.02, (5, 200))
    for shift in (-0.03, -0.012, -0.004, 0.0, 0.01):
        interval = stats.bootstrap(stats.cluster_sums(noise - noise.mean() + shift, np.arange(200)), samples=4000)
        said = stats.not_below(interval.value, interval.p(-0.01), 0.01)
        assert (said == "yes") == (interval.low > -0.01)
        assert (said == "no") == (interval.high < -0.01)
        assert said in ("yes", "no", "undecided")
