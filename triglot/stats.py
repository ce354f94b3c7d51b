"""Intervals and tests for macro averages over queries that are not independent.

The questions and translations of one paragraph stand or fall together, and so do all queries of one training seed. A figure is thus
resampled over clusters and over seeds at once (crossed bootstrap: McCullagh 2000, Owen 2007), and permuted by whole clusters. Values are
summed per cluster and cell beforehand, so that a resample is a weighted sum.
"""

from __future__ import annotations

import math
from collections.abc import Sequence
from dataclasses import dataclass
from statistics import NormalDist

import numpy as np

from triglot import seeds


@dataclass(frozen=True)
class Interval:
    """A macro average, its percentile interval and the level of it; `seeds` and `clusters` say how many were resampled."""

    value: float
    low: float
    high: float
    level: float
    seeds: int
    clusters: int


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
    """Macro averages (resamples, seeds) under cluster weights (resamples, clusters). A cell that lost all its clusters is passed over."""
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


def student_quantile(level: float, freedom: int) -> float:
    """The t with P(|T| < t) = level, for a whole number of degrees of freedom (Abramowitz and Stegun 26.7.3 and 26.7.4)."""

    def inside(t: float) -> float:
        angle = math.atan(t / math.sqrt(freedom))
        sine, cosine = math.sin(angle), math.cos(angle)
        term, total = (cosine, 0.0) if freedom % 2 else (1.0, 0.0)
        for i in range(freedom % 2, freedom - 1, 2):
            total += term
            term *= cosine * cosine * (i + 1) / (i + 2)
        if freedom % 2:
            return 2 / math.pi * (angle + sine * total)
        return sine * total

    low, high = 0.0, 1.0
    while inside(high) < level:
        high *= 2
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if inside(middle) < level else (low, middle)
    return (low + high) / 2


def _seed_stretch(number: int, level: float) -> float:
    """By how much to stretch the spread over seeds.

    Resampling n seeds shows (n-1)/n of their variance, and its tails are a normal's where n calls for Student's t. Without the
    stretch an interval of three seeds covers 73 % where 95 % is asked for.
    """
    return math.sqrt(number / (number - 1)) * student_quantile(level, number - 1) / NormalDist().inv_cdf((1 + level) / 2)


def bootstrap(sums: Sums, *, samples: int = 10_000, seed: int = 0, level: float = 0.95) -> Interval:
    """Percentile interval of a macro average, seeds and clusters resampled together.

    With one seed only clusters are resampled: the interval then says nothing about training anew.

    Args:
        sums: of one arm, or of the difference of two (paired by query, cluster and seed).
        samples: resamples.
        seed: of the draws.
        level: of the interval.
    """
    means = _draws(sums, samples, seed, level)
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(macro_mean(sums), float(low), float(high), level, *sums.total.shape[:2])


def bootstrap_unpaired(a: Sums, b: Sums, *, samples: int = 10_000, seed: int = 0, level: float = 0.95) -> Interval:
    """As `bootstrap` for the difference a - b of arms over the same clusters whose seeds do not belong together (or differ in number).

    Raises:
        ValueError: the arms do not have the same clusters.
    """
    if not np.array_equal(a.clusters, b.clusters):
        raise ValueError(f"{len(a.clusters)} clusters and {len(b.clusters)} others: the arms must be measured on the same queries")
    means = _draws(a, samples, seed, level, "a") - _draws(b, samples, seed, level, "b")
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    count = min(a.total.shape[0], b.total.shape[0])
    return Interval(macro_mean(a) - macro_mean(b), float(low), float(high), level, count, a.total.shape[1])


def bootstrap_ratio(a: Sums, b: Sums, *, paired: bool, samples: int = 10_000, seed: int = 0, level: float = 0.95) -> Interval:
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
    if not np.array_equal(a.clusters, b.clusters):
        raise ValueError(f"{len(a.clusters)} clusters and {len(b.clusters)} others: the arms must be measured on the same queries")
    sides = ("", "") if paired else ("a", "b")
    means = _draws(a, samples, seed, level, sides[0]) / _draws(b, samples, seed, level, sides[1])
    low, high = np.quantile(means, [(1 - level) / 2, (1 + level) / 2])
    return Interval(macro_mean(a) / macro_mean(b), float(low), float(high), level, min(len(a.total), len(b.total)), a.total.shape[1])


def _draws(sums: Sums, samples: int, seed: int, level: float, side: str = "") -> np.ndarray:
    """(samples,) macro averages. The cluster draws depend on `seed` alone, so that two arms share them."""
    number, clusters = sums.total.shape[:2]
    weights = seeds.generator(seed, "bootstrap clusters").multinomial(clusters, np.full(clusters, 1 / clusters), samples)
    out = np.empty(samples)
    stretch = _seed_stretch(number, level) if number > 1 else 0.0
    drawn = seeds.generator(seed, f"bootstrap seeds {side}").multinomial(number, np.full(number, 1 / number), samples)
    of_seed = (1 + stretch * (drawn - 1.0)) / number  # (samples, seeds)
    for begin in range(0, samples, 2000):
        part = slice(begin, begin + 2000)
        out[part] = (_per_seed(sums, weights[part].astype(np.float64)) * of_seed[part]).sum(1)
    return out


def permutation_test(difference: Sums, *, samples: int = 10_000, seed: int = 0) -> float:
    """Two-sided p-value that a paired macro difference is 0: the signs of whole clusters are flipped, seeds averaged.

    Exact (every assignment of signs) up to 14 clusters, else by `samples` draws and (1 + as extreme) / (1 + samples). It speaks of new
    queries for these very weights; only `bootstrap` speaks of new seeds.

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
    signs = 1.0 - 2.0 * seeds.generator(seed, "permutation").integers(0, 2, (samples, clusters), dtype=np.int8)
    return float((1 + (np.abs(signs @ each) >= observed - tolerance).sum()) / (1 + samples))


def holm(p_values: Sequence[float]) -> np.ndarray:
    """p-values corrected for their number (Holm 1979), in the order given."""
    p = np.asarray(p_values, np.float64)
    order = np.argsort(p, kind="stable")
    corrected = np.empty(len(p))
    corrected[order] = np.minimum(1, np.maximum.accumulate(p[order] * np.arange(len(p), 0, -1)))
    return corrected
