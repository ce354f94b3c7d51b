"""Intervals and tests for macro averages over queries that are not independent.

The questions and translations of one paragraph stand or fall together, and so do all queries of one training seed. A
figure is thus resampled over clusters and over seeds at once (crossed bootstrap: McCullagh 2000, Owen 2007), and
permuted by whole clusters. Values are summed per cluster and cell beforehand, so that a resample is a weighted sum.

Resampling three seeds shows two thirds of their variance and none of its tails, and it counts what belongs to one seed
and one cluster alone three times (McCullagh 2000). So the resamples give an interval its shape; its width is that of
the two-way analysis of variance, with Student's t weighted over the parts of the variance (Cochran 1964). In
simulations with 3 and 5 seeds, 95 % intervals then cover 93 to 98 %, whichever part prevails (tests/test_stats.py).
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from functools import lru_cache
from statistics import NormalDist

import numpy as np

from triglot import seeds

MIN_SEEDS = 3  # with fewer, the spread over seeds is not known well enough to judge a trained arm
MARGIN = 0.005  # what non-inferiority allows where no recipe says otherwise: half a point


@dataclass(frozen=True)
class Interval:
    """A macro average or a difference of two, with its interval for new seeds and new clusters.

    Attributes:
        value: the average.
        low, high: ends of the interval; infinite where nothing can be told (a single cluster, a ratio to what may be
            0).
        level: of the interval.
        seeds, clusters: how many were resampled.
        parts: (variance, degrees of freedom) of its independent parts: seeds, then clusters.
    """

    value: float
    low: float
    high: float
    level: float
    seeds: int
    clusters: int
    parts: tuple[tuple[float, int], ...] = ()

    @property
    def error(self) -> float:
        """Standard error; infinite where nothing can be told."""
        return math.sqrt(sum(variance for variance, _ in self.parts)) if self.parts else math.inf

    def p(self, null: float = 0.0) -> float:
        """Two-sided p-value that the truth is `null`: the 1 - p interval, were it symmetric, would end there."""
        distance = abs(self.value - null)
        if distance < 1e-12 or math.isinf(self.error):
            return 1.0
        if self.error == 0:
            return 0.0
        low, high = -300.0, 0.0  # log10 of p
        for _ in range(60):
            middle = (low + high) / 2
            low, high = (middle, high) if _critical(self.parts, 10**middle) > distance / self.error else (low, middle)
        return 10**high


@dataclass(frozen=True)
class Sums:
    """Values summed per cluster and cell (a language, or an ordered pair): what resampling needs.

    Attributes:
        total: (seeds, clusters, cells) float64.
        number: (seeds, clusters, cells) float64, how many values that are numbers went into each total.
        clusters: (clusters,) ids.
    """

    total: np.ndarray
    number: np.ndarray
    clusters: np.ndarray


def cluster_sums(values: np.ndarray, cluster: np.ndarray, cell: np.ndarray | None = None) -> Sums:
    """Sum per-query values into clusters and the cells that the macro average runs over.

    For a paired difference pass the difference of two arms' values.

    Args:
        values: (queries,) or (seeds, queries); NaN where a query has no such figure.
        cluster: (queries,) ids, any integers or strings: what is drawn together.
        cell: (queries,) ids: language or ordered pair; one cell by default, which makes the macro average a plain mean.

    Raises:
        ValueError: lengths differ, or no value is a number.
    """
    values = np.atleast_2d(np.asarray(values, np.float64))
    cell = np.zeros(values.shape[1], np.int64) if cell is None else np.asarray(cell)
    if not values.shape[1] == len(cluster) == len(cell):
        raise ValueError(f"{values.shape[1]} values, {len(cluster)} clusters and {len(cell)} cells: lengths differ")
    known = ~np.isnan(values)
    if not known.any():
        raise ValueError("no value is a number")
    clusters, row = np.unique(cluster, return_inverse=True)
    cells, column = np.unique(cell, return_inverse=True)
    size = len(clusters) * len(cells)
    flat = row.reshape(-1) * len(cells) + column.reshape(-1)
    shape = (len(values), len(clusters), len(cells))
    total = [np.bincount(flat[k], weights=v[k], minlength=size) for v, k in zip(values, known)]
    number = [np.bincount(flat[k], minlength=size).astype(np.float64) for k in known]
    totals, numbers = np.stack(total).reshape(shape), np.stack(number).reshape(shape)
    # A cluster or cell without any value is none.
    held = np.ix_(np.arange(len(values)), numbers.sum((0, 2)) > 0, numbers.sum((0, 1)) > 0)
    return Sums(totals[held], numbers[held], clusters[numbers.sum((0, 2)) > 0])


def _per_seed(sums: Sums, weights: np.ndarray) -> np.ndarray:
    """Macro averages (resamples, seeds) under cluster weights (resamples, clusters).

    A cell that lost all its clusters is passed over.
    """
    out = np.empty((len(weights), len(sums.total)))
    same = (sums.number == sums.number[:1]).all()
    number = weights @ sums.number[0]  # (resamples, cells)
    for seed, total in enumerate(sums.total):
        if seed and not same:
            number = weights @ sums.number[seed]
        mean = weights @ total / np.where(number > 0, number, np.nan)
        out[:, seed] = np.nanmean(mean, axis=1) if (number <= 0).any() else mean.mean(1)
    return out


def macro_mean(sums: Sums) -> float:
    """Mean over seeds of the mean over cells of the mean over queries."""
    return float(_per_seed(sums, np.ones((1, sums.total.shape[1]))).mean())


def _critical(parts: Sequence[tuple[float, int]], alpha: float) -> float:
    """How many standard errors the 1 - alpha interval reaches: Student's t, weighted by the parts of the variance
    (Cochran 1964)."""
    from scipy.special import stdtrit

    variance, freedom = np.array(parts).T
    return float(-(stdtrit(freedom, alpha / 2) * variance).sum() / variance.sum())


def _layout(sums: Sums) -> np.ndarray:
    """(seeds, clusters) float64 whose mean over clusters is the seed's macro average; a cluster stands for its
    influence on it."""
    number = sums.number.sum(1, keepdims=True)  # (seeds, 1, cells)
    safe = np.where(number > 0, number, 1)
    mean = sums.total.sum(1, keepdims=True) / safe
    cells = (number > 0).sum(2)  # (seeds, 1)
    influence = ((sums.total - mean * sums.number) / safe).sum(2) / cells  # (seeds, clusters), each row sums to 0
    return mean.sum(2) / cells + influence * influence.shape[1]


def _parts(layouts: Sequence[np.ndarray]) -> tuple[tuple[float, int], ...]:
    """(variance, degrees of freedom) of the sum of the layouts' means: their seeds are independent, their clusters
    shared.

    Seeds: the variance of seed means, which holds what belongs to one seed and one cluster alone. Clusters: that of
    cluster means, less this part, so that it counts once.
    """
    clusters = layouts[0].shape[1]
    if clusters < 2:
        return ()
    found, alone = [], 0.0
    for layout in layouts:
        number = len(layout)
        if number > 1:
            by_seed, by_cluster = layout.mean(1, keepdims=True), layout.mean(0)
            found.append((float(by_seed.var(ddof=1)) / number, number - 1))
            rest = ((layout - by_seed - by_cluster + layout.mean()) ** 2).sum()
            alone += float(rest) / ((number - 1) * (clusters - 1) * number * clusters)
    together = sum(layout.mean(0) for layout in layouts)
    found.append((max(float(np.var(together, ddof=1)) / clusters - alone, 0.0), clusters - 1))
    return tuple(found)


def _interval(value: float, draws: np.ndarray, layouts: Sequence[np.ndarray], level: float) -> Interval:
    """Percentiles of the resamples, stretched about the value to the width that the variance asks for."""
    parts, clusters, number = _parts(layouts), layouts[0].shape[1], min(map(len, layouts))
    if not parts or not np.isfinite(draws).all():
        return Interval(value, -math.inf, math.inf, level, number, clusters)
    error, spread = math.sqrt(sum(variance for variance, _ in parts)), float(draws.std())
    if error == 0 or spread == 0:
        return Interval(value, value, value, level, number, clusters, parts)
    stretch = error * _critical(parts, 1 - level) / (spread * NormalDist().inv_cdf((1 + level) / 2))
    low, high = np.quantile(draws, [(1 - level) / 2, (1 + level) / 2])
    return Interval(
        value,
        value + stretch * float(low - value),
        value + stretch * float(high - value),
        level,
        number,
        clusters,
        parts,
    )


def bootstrap(sums: Sums, *, samples: int = 10_000, seed: int = 0, level: float = 0.95) -> Interval:
    """Interval of a macro average, seeds and clusters resampled together.

    With one seed only clusters are resampled: the interval then says nothing about training anew.

    Args:
        sums: of one arm, or of the difference of two (paired by query, cluster and seed).
        samples: resamples.
        seed: of the draws.
        level: of the interval.
    """
    return _interval(macro_mean(sums), _draws(sums, samples, seed), [_layout(sums)], level)


def bootstrap_unpaired(a: Sums, b: Sums, *, samples: int = 10_000, seed: int = 0, level: float = 0.95) -> Interval:
    """As `bootstrap` for the difference a - b of arms over the same clusters whose seeds do not belong together (or
    differ in number).

    An arm of one seed (a retriever without training) adds nothing to the spread over seeds.

    Raises:
        ValueError: the arms do not have the same clusters.
    """
    _check_clusters(a, b)
    draws = _draws(a, samples, seed, "a") - _draws(b, samples, seed, "b")
    return _interval(macro_mean(a) - macro_mean(b), draws, [_layout(a), -_layout(b)], level)


def bootstrap_ratio(
    a: Sums, b: Sums, *, paired: bool, samples: int = 10_000, seed: int = 0, level: float = 0.95
) -> Interval:
    """As `bootstrap` for the ratio of two macro averages, a / b, over the same clusters.

    Args:
        a: the numerator.
        b: the denominator; meant to be well away from 0, or the interval is wide.
        paired: whether the seeds of both belong together.
        samples: resamples.
        seed: of the draws.
        level: of the interval.

    Raises:
        ValueError: the arms do not have the same clusters.
    """
    _check_clusters(a, b)
    sides = ("", "") if paired else ("a", "b")
    top, bottom = macro_mean(a), macro_mean(b)
    if bottom == 0:
        return Interval(math.nan, -math.inf, math.inf, level, min(len(a.total), len(b.total)), a.total.shape[1])
    with np.errstate(divide="ignore", invalid="ignore"):
        draws = _draws(a, samples, seed, sides[0]) / _draws(b, samples, seed, sides[1])
    one, other = _layout(a) / bottom, -top / bottom**2 * _layout(b)  # the ratio is linear close to its value
    return _interval(top / bottom, draws, [one + other] if paired else [one, other], level)


def _check_clusters(a: Sums, b: Sums) -> None:
    if not np.array_equal(a.clusters, b.clusters):
        raise ValueError(
            f"{len(a.clusters)} clusters and {len(b.clusters)} others: the arms must be measured on the same queries"
        )


@lru_cache(maxsize=2)
def _cluster_weights(seed: int, clusters: int, samples: int) -> np.ndarray:
    """(samples, clusters) float64: how often each cluster is drawn.

    Kept, since every column of a table asks for the same.
    """
    weights = seeds.generator(seed, "bootstrap clusters").multinomial(
        clusters, np.full(clusters, 1 / clusters), samples
    )
    return weights.astype(np.float64)


def _draws(sums: Sums, samples: int, seed: int, side: str = "") -> np.ndarray:
    """(samples,) macro averages. The cluster draws depend on `seed` alone, so that two arms share them."""
    number, clusters = sums.total.shape[:2]
    weights = _cluster_weights(seed, clusters, samples)
    drawn = (
        seeds.generator(seed, f"bootstrap seeds {side}").multinomial(number, np.full(number, 1 / number), samples)
        / number
    )
    out = np.empty(samples)
    for begin in range(0, samples, 2000):
        part = slice(begin, begin + 2000)
        out[part] = (_per_seed(sums, weights[part]) * drawn[part]).sum(1)
    return out


def permutation_test(difference: Sums, *, samples: int = 10_000, seed: int = 0) -> float:
    """Two-sided p-value that a paired macro difference is 0: the signs of whole clusters are flipped, seeds averaged.

    Exact (every assignment of signs) up to 14 clusters, else by `samples` draws and (1 + as extreme) / (1 + samples).
    It speaks of new queries for these very weights; only `bootstrap` speaks of new seeds.

    Args:
        difference: `cluster_sums` of the difference of two arms.
        samples: draws.
        seed: of the draws.
    """
    number = difference.number.sum(1, keepdims=True)  # (seeds, 1, cells)
    shares = difference.total / np.where(number > 0, number, np.nan)
    cells = np.isfinite(shares[:, 0]).sum(1)  # cells that a seed has
    each = (np.nansum(shares, axis=2) / cells[:, None]).mean(0)  # (clusters,), sums to the macro difference
    observed = abs(each.sum())
    tolerance = 1e-12 * np.abs(each).sum()
    clusters = len(each)
    if clusters <= 14:
        signs = 1.0 - 2.0 * ((np.arange(2**clusters)[:, None] >> np.arange(clusters)) & 1)
        return float((np.abs(signs @ each) >= observed - tolerance).mean())
    turned = seeds.generator(seed, "permutation").integers(0, 2, (samples, clusters), dtype=np.int8)
    # the draws in blocks: all of them as floats are twenty times as slow, for they leave the cache
    blocks = (turned[start : start + 500].astype(np.float64) @ each for start in range(0, samples, 500))
    extreme = np.abs(each.sum() - 2 * np.concatenate(list(blocks))) >= observed - tolerance
    return float((1 + extreme.sum()) / (1 + samples))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values corrected for their number (Holm 1979), in the order given."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected


def verdict(
    difference: float, p: float, *, few: bool = False, lower_is_better: bool = False, alpha: float = 0.05
) -> int:
    """Whether an arm is better than the reference (1), worse (-1), or the two are undecided (0).

    Undecided is one of two things. The test does not decide: p, corrected for the number of comparisons, is above
    `alpha`, so the data go with no difference at all. Or too few seeds: one of the two was trained with fewer than
    `MIN_SEEDS` seeds. One seed shows nothing of the spread over seeds and two leave one degree of freedom, where a t of
    12.7 is asked for; whatever such an interval leaves out would be luck. Retrievers without training (BM25, a model
    evaluated as it is) have no seeds and are judged by their queries.

    Args:
        difference: arm less reference.
        p: corrected p-value that it is 0.
        few: whether one of the two was trained with too few seeds.
        lower_is_better: of the measure.
        alpha: level of the test.
    """
    if few or p > alpha or not difference:
        return 0
    return 1 if (difference > 0) != lower_is_better else -1


def not_below(difference: float, p: float, margin: float, *, few: bool = False, alpha: float = 0.05) -> str:
    """Non-inferiority: whether an arm is not below the reference by more than a margin, as `yes`, `no` or `undecided`.

    Args:
        difference: arm less reference, of a measure where more is better.
        p: corrected two-sided p-value that it is -margin; a two-sided 5 % is the one-sided 2.5 % that is usual here.
        margin: fixed before the figures are looked at (`margin` of a recipe).
        few: whether one of the two was trained with too few seeds; see `verdict`.
        alpha: level of the test.
    """
    if few or p > alpha:
        return "undecided"
    return "yes" if difference > -margin else "no"
