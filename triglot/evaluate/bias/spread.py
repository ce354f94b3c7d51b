"""Language bias and fairness of a ranking, from the count table and from the top k of each query.

Every function takes the whole pool or any subset of its languages. A subset keeps the queries and passages in these
languages, as `RetrievalSet.restrict` does, and needs no new scores: ranks within it are sums over its languages. All
figures come per query, per query language and as a macro average over query languages, so that they can be compared
between arms and resampled by cluster.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from scipy.special import gammaincc

from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.bias.rankings import LanguageShares, RankCorrelation, language_shares, rank_correlation
from triglot.evaluate.bias.scope import Figure, Scope, scope_of
from triglot.evaluate.counts import Counts
from triglot.files import InputError
from triglot.measures import ranks

__all__ = [
    "Figure",
    "LanguageShares",
    "Peer",
    "PreferenceRate",
    "RankCorrelation",
    "RankSpread",
    "RemovalTest",
    "foreign_recall",
    "kruskal_wallis",
    "language_shares",
    "peer",
    "preference_rate",
    "rank_correlation",
    "rank_spread",
    "removal_test",
]


@dataclass(frozen=True)
class RankSpread:
    """How far apart the relevant passages of a query stand; figures follow `languages`."""

    languages: tuple[str, ...]
    rank_distance: Figure
    max_rank: Figure


@dataclass(frozen=True)
class RemovalTest:
    """mAP with all answers, without those in the query's language, and without those in another language (mean over
    these).
    """

    languages: tuple[str, ...]
    complete: Figure
    without_same: Figure
    without_other: Figure
    difference: Figure


@dataclass(frozen=True)
class PreferenceRate:
    """How often the best-ranked relevant passage is in the query's language, and how often a fair ranking would put it
    there.
    """

    languages: tuple[str, ...]
    rate: Figure
    expected: Figure


@dataclass(frozen=True)
class Peer:
    """PEER@k.

    Attributes:
        languages: of the pool.
        k: the cut-off, None for whole rankings.
        peer: the weighted p-values.
        weights: weight of each grade that occurs; 0 for one that is ignored.
        tests: Kruskal-Wallis tests done, one a (query, grade) with two languages or more.
        constant: those with one passage a language, whose p-value does not depend on the ranking.
        notes: what to print beside the figure.
    """

    languages: tuple[str, ...]
    k: int | None
    peer: Figure
    weights: dict[int, float]
    tests: int
    constant: int
    notes: tuple[str, ...]


@dataclass(frozen=True)
class _Pairs:
    """Judged pairs within the languages asked for, ordered by query, with their place in that pool."""

    query: np.ndarray
    lang: np.ndarray
    grade: np.ndarray
    above: np.ndarray
    tied: np.ndarray
    own: np.ndarray  # whether the passage is in the query's language


def _pairs(counts: Counts, benchmark: RetrievalSet, scope: Scope, parallel_for: str = "") -> _Pairs:
    """Raises InputError when the table is not of this benchmark, or answers are not parallel and `parallel_for` needs
    them to be.
    """
    if parallel_for and not benchmark.parallel:
        raise InputError(
            f"{benchmark.name}: answers are not translations of one another, so {parallel_for} does not apply"
        )
    judged = int((benchmark.judgements[:, 2] > 0).sum())
    if len(counts.query) != judged or counts.above.shape[1] != len(benchmark.languages):
        have, need = counts.above.shape, (judged, len(benchmark.languages))
        raise InputError(f"{benchmark.name}: the count table has {have} pairs and languages; bias needs all {need}")
    keep = (scope.query_lang[counts.query] >= 0) & (scope.passage_lang[counts.passage] >= 0)
    query, lang = counts.query[keep], scope.passage_lang[counts.passage[keep]]
    above, tied = (table[keep][:, scope.columns].sum(1, dtype=np.int64) for table in (counts.above, counts.tied))
    return _Pairs(query, lang, counts.grade[keep], above, tied, lang == scope.query_lang[query])


def rank_spread(counts: Counts, benchmark: RetrievalSet, languages: Sequence[str] | None = None) -> RankSpread:
    """Rank distance (worst minus best rank of the parallel answers; Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536) and
    Max@R.

    Both count queries with two answers or more in the pool, all of them there, and are expectations over ties.

    Raises:
        InputError: an unknown language, a partial count table, or answers that are not parallel.
    """
    scope = scope_of(benchmark, languages)
    pairs, absent = _pairs(counts, benchmark, scope, "rank distance"), benchmark.absent.relevant()
    lacking = absent.query[(scope.query_lang[absent.query] >= 0) & np.isin(absent.lang, scope.columns)]
    blocks = ranks.tie_blocks(
        pairs.query, pairs.above, pairs.tied, queries=len(benchmark.queries), missing_query=lacking
    )
    distance = ranks.rank_distance(blocks)
    worst = np.where(np.isnan(distance), np.nan, ranks.max_rank(blocks))
    return RankSpread(scope.codes, scope.figure(distance), scope.figure(worst))


def removal_test(counts: Counts, benchmark: RetrievalSet, languages: Sequence[str] | None = None) -> RemovalTest:
    """What a query loses when the answer in its own language is taken out of pool and labels, against any other answer.

    (a) mAP with all answers; (b) without those in the query's language; (c) without those in another language, averaged
    over the other languages that have one. `difference` is (c) - (b): 0 for a ranking that treats languages alike,
    above 0 where the query's own language was ranked higher than the others. Several answers in one language go
    together. Queries need an answer in their own language and in another.

    Exact without new scores: passage s stands above r when fewer passages are above s than above r, and they tie when
    as many are; so taking s out lowers r's count of passages above, or of ties, by one.

    Raises:
        InputError: as for `rank_spread`.
    """
    scope = scope_of(benchmark, languages)
    pairs, queries = _pairs(counts, benchmark, scope, "the removal test"), len(benchmark.queries)
    own = np.bincount(pairs.query[pairs.own], minlength=queries)
    counted = (own > 0) & (np.bincount(pairs.query, minlength=queries) > own)
    width = pairs.above.max(initial=0) + 1
    key = pairs.query * width + pairs.above
    same, other, others = np.full(queries, np.nan), np.zeros(queries), np.zeros(queries, np.int64)
    for language in range(len(scope.codes)):
        gone = (pairs.lang == language) & counted[pairs.query]
        touched = np.bincount(pairs.query[gone], minlength=queries) > 0
        rest = ~gone & touched[pairs.query]
        query, removed = pairs.query[rest], np.sort(key[gone])
        first = np.searchsorted(removed, query * width)
        start, end = np.searchsorted(removed, key[rest]), np.searchsorted(removed, key[rest], side="right")
        above, tied = pairs.above[rest] - (start - first), pairs.tied[rest] - (end - start)
        precision = ranks.average_precision(ranks.tie_blocks(query, above, tied, queries=queries))
        mine = touched & (scope.query_lang == language)
        same[mine] = precision[mine]
        other[touched & ~mine] += precision[touched & ~mine]
        others += touched & ~mine
    other = np.where(others > 0, other / np.maximum(others, 1), np.nan)
    complete = ranks.average_precision(ranks.tie_blocks(pairs.query, pairs.above, pairs.tied, queries=queries))
    complete = np.where(counted, complete, np.nan)
    return RemovalTest(scope.codes, *(scope.figure(values) for values in (complete, same, other, other - same)))


def preference_rate(counts: Counts, benchmark: RetrievalSet, languages: Sequence[str] | None = None) -> PreferenceRate:
    """Language preference rate: share of queries whose best-ranked relevant passage is in the query's language.

    Where several share the best place, each counts equally, as a random order of ties would have it. `expected` is the
    share of the query's relevant passages that are in its language: 1/|Rel| with one a language. Queries need an answer
    in their own language and in another.

    Raises:
        InputError: as for `rank_spread`.
    """
    scope = scope_of(benchmark, languages)
    pairs, queries = _pairs(counts, benchmark, scope, "the language preference rate"), len(benchmark.queries)
    best = np.full(queries, np.iinfo(np.int64).max)
    np.minimum.at(best, pairs.query, pairs.above)
    top = pairs.above == best[pairs.query]
    number, own = np.bincount(pairs.query, minlength=queries), np.bincount(pairs.query[pairs.own], minlength=queries)
    counted = (own > 0) & (number > own)
    rate = np.bincount(pairs.query[top & pairs.own], minlength=queries) / np.maximum(
        np.bincount(pairs.query[top], minlength=queries), 1
    )
    expected = own / np.maximum(number, 1)
    return PreferenceRate(
        scope.codes, *(scope.figure(np.where(counted, values, np.nan)) for values in (rate, expected))
    )


def foreign_recall(
    counts: Counts, benchmark: RetrievalSet, languages: Sequence[str] | None = None, *, k: int
) -> Figure:
    """TLR@k, target-languages recall (Jang et al. 2026, arXiv 2606.18801): share of a query's relevant passages in
    other languages than its own that are among the first k of the pool; an expectation over ties.

    Queries without such a passage are left out; a passage that the corpus does not have counts as not found.

    Raises:
        InputError: an unknown language, a partial count table, or k below 1.
    """
    if k < 1:
        raise InputError(f"k is {k}; it must be at least 1")
    scope = scope_of(benchmark, languages)
    pairs, queries, absent = _pairs(counts, benchmark, scope), len(benchmark.queries), benchmark.absent.relevant()
    other = ~pairs.own
    within = np.clip(k - pairs.above[other], 0, pairs.tied[other] + 1) / (pairs.tied[other] + 1)
    number = np.full(len(benchmark.languages), -1, np.int64)
    number[scope.columns] = np.arange(len(scope.codes))
    lacking = (number[absent.lang] >= 0) & (number[absent.lang] != scope.query_lang[absent.query])
    wanted = np.bincount(np.r_[pairs.query[other], absent.query[lacking]], minlength=queries)
    recalled = np.bincount(pairs.query[other], weights=within, minlength=queries)
    return scope.figure(np.where(wanted > 0, recalled / np.maximum(wanted, 1), np.nan))


def kruskal_wallis(
    cell: np.ndarray, group: np.ndarray, value: np.ndarray, *, cells: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Many Kruskal-Wallis tests at once.

    H = (n - 1) * (sum of squares between groups) / (sum of squares in all), over mid-ranks, which includes the
    correction for ties; p is the upper tail of chi-squared with groups - 1 degrees of freedom. Values that are all
    equal give p = 1.

    Args:
        cell: (values,) which test a value belongs to.
        group: (values,) its group, 0 or more.
        value: (values,).
        cells: number of tests.

    Returns:
        p-values, NaN with fewer than two groups; number of groups; number of values; each (cells,).
    """
    order = np.lexsort((value, cell))
    cell, group, value = cell[order], group[order], value[order]
    number = np.bincount(cell, minlength=cells)
    starts = (
        np.flatnonzero(np.r_[True, (cell[1:] != cell[:-1]) | (value[1:] != value[:-1])])
        if len(cell)
        else np.zeros(0, np.int64)
    )
    size = np.diff(np.r_[starts, len(cell)])
    before = (np.cumsum(number) - number)[cell]
    centred = np.repeat(starts + (size + 1) / 2, size) - before - (number[cell] + 1) / 2
    in_all = np.bincount(cell, weights=centred**2, minlength=cells)
    width = group.max(initial=0) + 1
    keys, inverse, members = np.unique(cell * width + group, return_inverse=True, return_counts=True)
    sums = np.bincount(inverse, weights=centred, minlength=len(keys))
    between = np.bincount(keys // width, weights=sums**2 / members, minlength=cells)
    groups = np.bincount(keys // width, minlength=cells)
    h = np.where(in_all > 0, (number - 1) * between / np.where(in_all > 0, in_all, 1), 0.0)
    p = gammaincc(np.maximum(groups - 1, 1) / 2, h / 2)
    return np.where(groups > 1, p, np.nan), groups, number


def peer(
    counts: Counts,
    benchmark: RetrievalSet,
    languages: Sequence[str] | None = None,
    *,
    k: int | None = None,
    weights: Mapping[int, float] | None = None,
) -> Peer:
    """PEER@k, the probability of equal expected rank (Yang, Jänich, Mayfield and Lawrie 2024, arXiv 2405.00978). Higher
    is fairer.

    For each query and grade, the Kruskal-Wallis p-value that the ranks of the relevant passages of that grade are equal
    across their languages; then the weighted mean over grades: PEER(q) = sum_r w_r p_r / sum_r w_r. Passages ranked
    below k tie after it. A passage in a tie stands at the middle of its block; where that is below k the block counts
    as not retrieved. A grade that occurs in one language only compares nothing and is left out (the authors' code gives
    it p = 1); when all are tied, p = 1.

    With one relevant passage a language all variance is between languages: H = n - 1 whatever the ranking, and p is a
    constant (.4405 for 11 languages), or 1 where all tie, as when none is within k. Such tests say nothing; they are
    counted in `constant` and noted.

    Args:
        counts: all judged pairs.
        benchmark: what was counted; answers need not be parallel.
        languages: of queries and pool; all by default.
        k: the cut-off.
        weights: of each grade above 0; equal by default. Passages of grade 0 are not in the count table.

    Raises:
        InputError: an unknown language, a partial count table, k below 1, or weights without any above 0, negative, or
            of grade 0.
    """
    if k is not None and k < 1:
        raise InputError(f"k is {k}; it must be at least 1")
    scope = scope_of(benchmark, languages)
    pairs, queries = _pairs(counts, benchmark, scope), len(benchmark.queries)
    grades = np.unique(pairs.grade)
    if weights is not None and (
        any(g < 1 or not 0 <= w < np.inf for g, w in weights.items()) or not any(weights.values())
    ):
        raise InputError(
            f"weights of grades: above 0 for one grade or more, never below, and grades from 1 on; not {dict(weights)}"
        )
    weight = {grade: 1.0 if weights is None else float(weights.get(grade, 0.0)) for grade in grades.tolist()}
    used = np.array([weight[grade] > 0 for grade in grades.tolist()], bool)
    level = np.searchsorted(grades, pairs.grade)
    kept = used[level]
    rank = pairs.above[kept] + 1 + pairs.tied[kept] / 2
    if k is not None:
        rank[rank > k] = k + 1
    cells, cell = np.unique(pairs.query[kept] * max(len(grades), 1) + level[kept], return_inverse=True)
    p, groups, number = kruskal_wallis(cell, pairs.lang[kept], rank, cells=len(cells))
    tested = groups > 1
    query, by = (
        cells[tested] // max(len(grades), 1),
        np.array(list(weight.values()))[cells[tested] % max(len(grades), 1)],
    )
    total = np.bincount(query, weights=by, minlength=queries)
    value = np.bincount(query, weights=by * p[tested], minlength=queries)
    constant = tested & (groups == number)
    notes = []
    if constant.any():
        fixed = ", ".join(
            f"{gammaincc((g - 1) / 2, (g - 1) / 2):.4f} for {g} languages" for g in np.unique(groups[constant]).tolist()
        )
        share = f"{int(constant.sum())} of {int(tested.sum())} PEER tests have one relevant passage a language"
        notes.append(f"{share}: their p-value is constant whatever the ranking ({fixed}; 1 where they all tie)")
    figure = scope.figure(np.where(total > 0, value / np.where(total > 0, total, 1), np.nan))
    return Peer(scope.codes, k, figure, weight, int(tested.sum()), int(constant.sum()), tuple(notes))
