"""Languages of the top k and agreement between parallel queries, from rankings alone."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.bias.scope import Figure, Scope, scope_of
from triglot.files import InputError

_BLOCK = 1 << 20  # ranks of each side compared at a time


@dataclass(frozen=True)
class LanguageShares:
    """Languages of the top k.

    Attributes:
        languages: of queries and pool.
        k: the cut-off.
        pool: (languages,) share of each language in the pool.
        matrix: (query languages, passage languages) mean share of the top k; rows without queries are NaN.
        same: share of the query's own language in the top k.
        expected: share of the query's own language in the pool.
        entropy: of the languages in a query's top k, 1 when all languages of the pool are equally frequent.
        short: queries with fewer results than k and than the pool; their shares are of what they have. Those with none
            are left out.
    """

    languages: tuple[str, ...]
    k: int
    pool: np.ndarray
    matrix: np.ndarray
    same: Figure
    expected: Figure
    entropy: Figure
    short: int


@dataclass(frozen=True)
class RankCorrelation:
    """MRC@k.

    Attributes:
        languages: of queries and pool.
        k: the cut-off.
        candidates: `pool` or `union`, the list that is ranked.
        correlation: mean correlation of each query with its parallels in other languages.
        matrix: (languages, languages) mean correlation of each pair of languages, symmetric; NaN without parallel
            queries.
        pairs: (languages, languages) int64, how many pairs of queries each mean counts.
        short: queries with fewer results than k and than the pool.
    """

    languages: tuple[str, ...]
    k: int
    candidates: str
    correlation: Figure
    matrix: np.ndarray
    pairs: np.ndarray
    short: int


def _top(ranking: np.ndarray, benchmark: RetrievalSet, scope: Scope, k: int) -> tuple[np.ndarray, int]:
    """First k passages in the languages asked for, (queries, k) with -1 filling, and how many queries have fewer than
    they could.
    """
    ranking, passages = np.asarray(ranking), len(benchmark.passages)
    if k < 1:
        raise InputError(f"k is {k}; it must be at least 1")
    if ranking.ndim != 2 or len(ranking) != len(benchmark.queries) or ranking.dtype.kind not in "iu":
        need = f"({len(benchmark.queries)}, k) of passage indices"
        raise InputError(f"{benchmark.name}: a ranking has shape {ranking.shape} of {ranking.dtype}, not {need}")
    ranking = ranking.astype(np.int64)
    if ranking.size and (ranking.min() < -1 or ranking.max() >= passages):
        raise InputError(
            f"{benchmark.name}: a ranking names passages {ranking.min()} to {ranking.max()}; there are {passages}"
        )
    ordered = np.sort(ranking, axis=1)
    twice = ((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0)).any(1)
    if twice.any():
        raise InputError(
            f"{benchmark.name}: the ranking of query {benchmark.queries.ids[int(twice.argmax())]!r} names a "
            "passage twice"
        )
    # -1 picks the last passage, and is masked
    keep = (ranking >= 0) & (scope.passage_lang[ranking] >= 0) & (scope.query_lang >= 0)[:, None]
    order = np.argsort(~keep, axis=1, kind="stable")[:, :k]
    top = np.where(np.take_along_axis(keep, order, 1), np.take_along_axis(ranking, order, 1), -1)
    top = np.pad(top, ((0, 0), (0, k - top.shape[1])), constant_values=-1)
    reachable = min(k, int((scope.passage_lang >= 0).sum()))
    return top, int((((top >= 0).sum(1) < reachable) & (scope.query_lang >= 0)).sum())


def language_shares(
    ranking: np.ndarray, benchmark: RetrievalSet, languages: Sequence[str] | None = None, *, k: int
) -> LanguageShares:
    """Which languages the top k holds, by query language, against their share of the pool.

    share(q, l) = passages of language l in q's top k / passages in it; `same` is l = the query's language. Entropy is
    -sum_l share log share / log L over the L languages that have passages; with k below L it cannot pass log k / log L,
    and with L = 1 it is NaN.

    Args:
        ranking: (queries, at least k) passage indices, best first, as `top_k` gives; -1 where there is none. Which of
            several equal scores stands first, and so the languages of a tied cut-off, is for who ranks to decide.
        benchmark: what was ranked.
        languages: of queries and pool; passages in others are passed over, so a ranking cut off too early is counted in
            `short`.
        k: the cut-off.

    Raises:
        InputError: an unknown language, k below 1, or a ranking that does not fit the benchmark or names a passage
            twice.
    """
    scope, size = scope_of(benchmark, languages), len(benchmark.queries)
    top, short = _top(ranking, benchmark, scope, k)
    number = len(scope.codes)
    row, column = np.nonzero(top >= 0)
    counts = np.bincount(row * number + scope.passage_lang[top[row, column]], minlength=size * number).reshape(
        size, number
    )
    length = counts.sum(1, keepdims=True)
    share = np.where(length > 0, counts / np.maximum(length, 1), np.nan)  # (queries, languages)
    pool = np.bincount(scope.passage_lang[scope.passage_lang >= 0], minlength=number)
    spoken = int((pool > 0).sum())
    pool = pool / max(int(pool.sum()), 1)
    surprise = (share * np.log(np.where(share > 0, share, 1))).sum(1)
    entropy = (0.0 - surprise) / np.log(spoken) if spoken > 1 else np.full(size, np.nan)
    inside = (scope.query_lang >= 0) & (length[:, 0] > 0)
    matrix = np.column_stack([scope.figure(np.where(inside, values, np.nan)).by_language for values in share.T])
    own = share[np.arange(size), scope.query_lang]
    expected = np.where(inside, pool[scope.query_lang], np.nan)
    return LanguageShares(
        scope.codes, k, pool, matrix, scope.figure(own), scope.figure(expected), scope.figure(entropy), short
    )


def _spearman(a: np.ndarray, b: np.ndarray, candidates: int | None) -> np.ndarray:
    """Spearman's correlation of top lists a and b, (pairs, k) with -1 filling, over `candidates` passages, or over
    their union if None.

    Passages that a list does not hold tie after its end. Lists without any variance in ranks correlate 1 if equal, else
    NaN.
    """
    k = a.shape[1]
    both = np.concatenate([a, b], axis=1)
    order = np.argsort(both, axis=1, kind="stable")
    ordered = np.take_along_axis(both, order, 1)
    row, place = np.nonzero((ordered[:, 1:] == ordered[:, :-1]) & (ordered[:, 1:] >= 0))
    shared = np.bincount(row, minlength=len(a))
    size_a, size_b = (a >= 0).sum(1), (b >= 0).sum(1)
    union = size_a + size_b - shared
    n = union if candidates is None else np.full(len(a), candidates)
    mean = (n + 1) / 2
    # Centred ranks of shared passages.
    in_a, in_b = (
        order[row, place] + 1 - mean[row],
        order[row, place + 1] - k + 1 - mean[row],
    )
    sum_a, sum_b, product = (np.bincount(row, weights=w, minlength=len(a)) for w in (in_a, in_b, in_a * in_b))

    def parts(size: np.ndarray) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Centred rank of what is not in the list, sum of those in it, sum of squares of all."""
        after = size / 2  # (size + 1 + n) / 2 - mean
        total = size * (size + 1) / 2 - size * mean
        squares = size * (size + 1) * (2 * size + 1) / 6 - size * (size + 1) * mean + size * mean**2
        return after, total, squares + (n - size) * after**2

    (after_a, total_a, square_a), (after_b, total_b, square_b) = parts(size_a), parts(size_b)
    covariance = product + (total_a - sum_a) * after_b + (total_b - sum_b) * after_a + (n - union) * after_a * after_b
    spread = np.sqrt(square_a * square_b)
    flat = np.where((a == b).all(1) & (size_a > 0), 1.0, np.nan)
    return np.where(spread > 1e-9, np.clip(covariance / np.where(spread > 1e-9, spread, 1), -1, 1), flat)


def rank_correlation(
    ranking: np.ndarray,
    benchmark: RetrievalSet,
    languages: Sequence[str] | None = None,
    *,
    k: int,
    candidates: str = "pool",
) -> RankCorrelation:
    """MRC@k, mean rank correlation (Yang, Jiang and Baldwin 2025, arXiv 2509.06195): do parallel queries rank alike?
    Higher is fairer.

    RC(q) = mean over the parallels q' of q in other languages of Spearman's correlation between the two rankings of one
    list of candidates; then the mean over queries of a language, and over languages. A cut-off ranking ties what it
    does not hold after its end. With `candidates="pool"` the list is the whole pool in these languages, so that in a
    large pool two disjoint top lists correlate about 0; with `"union"` it is what either of the two holds, so that they
    correlate far below 0. Queries are parallel if they share a group that is 0 or more. How the cut-off enters is our
    reading: the paper's formula ranks the same documents.

    Args:
        ranking: as for `language_shares`.
        benchmark: what was ranked.
        languages: of queries and pool; all by default.
        k: the cut-off.
        candidates: `pool` or `union`.

    Raises:
        InputError: as for `language_shares`, or other `candidates`.
    """
    if candidates not in ("pool", "union"):
        raise InputError(f"candidates: 'pool' or 'union', not {candidates!r}")
    scope, size = scope_of(benchmark, languages), len(benchmark.queries)
    top, short = _top(ranking, benchmark, scope, k)
    pool = int((scope.passage_lang >= 0).sum()) if candidates == "pool" else None
    group = benchmark.queries.group.astype(np.int64)
    usable = np.flatnonzero((scope.query_lang >= 0) & (group >= 0) & (top[:, 0] >= 0))
    usable = usable[np.argsort(group[usable], kind="stable")]
    number = len(scope.codes)
    total, partners = np.zeros(size), np.zeros(size, np.int64)
    sums, pairs = np.zeros(number * number), np.zeros(number * number, np.int64)
    widest = int(np.unique(group[usable], return_counts=True)[1].max(initial=0))
    rows = max(1, _BLOCK // k)
    for offset in range(1, widest):
        one, two = usable[:-offset], usable[offset:]
        parallel = (group[one] == group[two]) & (scope.query_lang[one] != scope.query_lang[two])
        one, two = one[parallel], two[parallel]
        for begin in range(0, len(one), rows):
            left, right = one[begin : begin + rows], two[begin : begin + rows]
            value = _spearman(top[left], top[right], pool)
            known = ~np.isnan(value)
            for here, there in ((left[known], right[known]), (right[known], left[known])):
                total += np.bincount(here, weights=value[known], minlength=size)
                partners += np.bincount(here, minlength=size)
                cell = scope.query_lang[here] * number + scope.query_lang[there]
                sums += np.bincount(cell, weights=value[known], minlength=number * number)
                pairs += np.bincount(cell, minlength=number * number)
    figure = scope.figure(np.where(partners > 0, total / np.maximum(partners, 1), np.nan))
    matrix = np.where(pairs > 0, sums / np.maximum(pairs, 1), np.nan)
    return RankCorrelation(
        scope.codes, k, candidates, figure, matrix.reshape(number, number), pairs.reshape(number, number), short
    )
