"""Numbers from ranks: every measure is its expectation over random tie breaking (McSherry and Najork 2008).

A relevant passage is known by `above` (passages scored higher) and `tied` (others scored the same). Those of one query
that share a score form a block: `size` passages at ranks above+1 .. above+size, `relevant` of them relevant, in an
order drawn at random. All measures below are closed forms over blocks, vectorised over queries; nothing is sampled and
no order of ids decides anything.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triglot.measures.table import Measure


@dataclass(frozen=True)
class Blocks:
    """The tie blocks that hold a relevant passage, ordered by query and then by rank.

    Attributes:
        query: (blocks,) int64 in [0, len(total)).
        above: (blocks,) int64, passages scored above the block.
        size: (blocks,) int64, passages in the block.
        relevant: (blocks,) int64, relevant ones among them.
        before: (blocks,) int64, relevant passages of the query in earlier blocks.
        gain: (blocks,) float64, sum of the grades of the relevant ones.
        total: (queries,) int64, relevant passages of the query, ranked or not.
        grades: sorted (query, -grade) pairs for the ideal order of nDCG: grades descending within a query.
        grade_query: the query of each of `grades`.
    """

    query: np.ndarray
    above: np.ndarray
    size: np.ndarray
    relevant: np.ndarray
    before: np.ndarray
    gain: np.ndarray
    total: np.ndarray
    grades: np.ndarray
    grade_query: np.ndarray


def tie_blocks(
    query: np.ndarray,
    above: np.ndarray,
    tied: np.ndarray,
    *,
    queries: int,
    grade: np.ndarray | None = None,
    missing_query: np.ndarray | None = None,
    missing_grade: np.ndarray | None = None,
) -> Blocks:
    """Group the relevant passages of each query into tie blocks.

    Args:
        query: (relevant,) index of the query that each relevant passage belongs to.
        above: (relevant,) passages scored above it, relevant ones included.
        tied: (relevant,) other passages with its score, relevant ones included.
        queries: number of queries; one that never occurs in `query` has no relevant passage and gets NaN from every
            measure.
        grade: (relevant,) grade above 0; 1 each by default.
        missing_query: queries of the relevant passages that were not ranked at all (a run that was cut off).
        missing_grade: their grades; 1 each by default.

    Raises:
        ValueError: a block would hold more relevant passages than passages, so the counts contradict one another.
    """
    query, above, tied = (np.asarray(a, np.int64) for a in (query, above, tied))
    grade = np.ones(len(query)) if grade is None else np.asarray(grade, np.float64)
    order = _sorted_by(query, above)
    q, g, t, gain = query[order], above[order], tied[order], grade[order]
    starts = np.flatnonzero(np.r_[True, (q[1:] != q[:-1]) | (g[1:] != g[:-1])]) if len(q) else np.zeros(0, np.int64)
    relevant = np.diff(np.r_[starts, len(q)])
    if (relevant > t[starts] + 1).any():
        raise ValueError(
            "more relevant passages share a rank than passages: 'above' and 'tied' must count the other relevant ones"
        )
    total = np.bincount(q, minlength=queries)
    first = np.r_[0, np.cumsum(total)][q[starts]]
    all_q, all_grades = q, gain
    if missing_query is not None and len(missing_query):
        missing = np.ones(len(missing_query)) if missing_grade is None else np.asarray(missing_grade, np.float64)
        all_q, all_grades = np.r_[q, np.asarray(missing_query, np.int64)], np.r_[gain, missing]
        total = np.bincount(all_q, minlength=queries)
    ideal = np.lexsort((-all_grades, all_q)) if len(all_q) > len(q) or (gain != 1).any() else slice(None)
    return Blocks(
        query=q[starts],
        above=g[starts],
        size=t[starts] + 1,
        relevant=relevant,
        before=starts - first,
        gain=np.add.reduceat(gain, starts) if len(starts) else np.zeros(0),
        total=total,
        grades=all_grades[ideal],
        grade_query=all_q[ideal],
    )


def _sorted_by(major: np.ndarray, minor: np.ndarray) -> np.ndarray | slice:
    """An order by two keys, 0 or more each; often they are in order already."""
    key = major * (minor.max(initial=0) + 1) + minor
    return slice(None) if (key[1:] >= key[:-1]).all() else np.argsort(key, kind="stable")


_SMALL = 32
_H = np.r_[0.0, np.cumsum(1.0 / np.arange(1, _SMALL + 1))]


def _tail(x: np.ndarray) -> np.ndarray:
    """H(x) - log(x) - gamma by its asymptotic series; the error is below 1e-17 from x = 32."""
    y = 1.0 / (x * x)
    return 0.5 / x - y * (1 / 12 - y * (1 / 120 - y * (1 / 252 - y / 240)))


def harmonic(start: np.ndarray, count: np.ndarray) -> np.ndarray:
    """Sum of 1/i for i = start+1 .. start+count, to about 1e-15 relative whatever the size, without a table.

    Args:
        start: integers, 0 or more.
        count: integers, 0 or more.
    """
    start, end = np.asarray(start, np.float64), np.asarray(start, np.float64) + count
    low = np.minimum(start, _SMALL).astype(np.int64)
    small = _H[np.minimum(end, _SMALL).astype(np.int64)] - _H[low]
    a, b = np.maximum(start, _SMALL), np.maximum(end, _SMALL)
    return small + np.log1p((b - a) / a) + (_tail(b) - _tail(a))


def _per_query(blocks: Blocks, value: np.ndarray, by: np.ndarray | float = 1.0) -> np.ndarray:
    """Sum block values into their queries and divide; NaN for a query without relevant passages."""
    total = value if _one_each(blocks) else np.bincount(blocks.query, weights=value, minlength=len(blocks.total))
    return np.where(blocks.total > 0, total / np.where(blocks.total > 0, by, 1.0), np.nan)


def _one_each(blocks: Blocks) -> bool:
    """Whether every query has one block: then blocks are queries, and there is nothing to sum."""
    return len(blocks.query) == len(blocks.total) and bool((blocks.query[1:] > blocks.query[:-1]).all())


def _ends(blocks: Blocks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Queries that have a block, and the index of their first and last block."""
    first = (
        np.flatnonzero(np.r_[True, blocks.query[1:] != blocks.query[:-1]])
        if len(blocks.query)
        else np.zeros(0, np.int64)
    )
    last = np.r_[first[1:], len(blocks.query)] - 1 if len(first) else first
    return blocks.query[first], first, last


def _reach(above: np.ndarray, size: np.ndarray, k: int | None) -> np.ndarray:
    """How many ranks of the block are within the first k."""
    return size if k is None else np.minimum(np.maximum(k - above, 0), size)  # several times faster than np.clip


def average_precision(blocks: Blocks, k: int | None = None) -> np.ndarray:
    """AP or AP@k, (queries,). Divided by all relevant passages, as trec_eval's `map` and `map_cut` are.

    At rank above+j of a block the passage is relevant with probability m/n, and then before + 1 + (j-1)(m-1)/(n-1)
    relevant ones are expected down to it. The sum over j of (a + b (j-1)) / (above+j) is b n + (a - b (1+above))
    (H(above+n) - H(above)).
    """
    a, g = blocks.before + 1.0, blocks.above
    out = a / (g + 1) * (_reach(g, blocks.size, k) > 0)
    several = np.flatnonzero(blocks.size > 1)
    if len(several):
        a, g, n, m = a[several], g[several], blocks.size[several], blocks.relevant[several]
        reach = _reach(g, n, k)
        b = (m - 1) / (n - 1)
        out[several] = (b * reach + (a - b * (1 + g)) * harmonic(g, reach)) * m / n
    return _per_query(blocks, out, blocks.total)


def _first_of(above: np.ndarray, size: np.ndarray, relevant: np.ndarray, k: int | None) -> np.ndarray:
    """E[1/rank of the first relevant passage] within one block each (0 beyond k). Works on unique (above, size,
    relevant).
    """
    out = (_reach(above, size, k) > 0) / (above + 1)
    tied = np.flatnonzero(size > 1)
    if len(tied):
        out[tied] = harmonic(above[tied], _reach(above[tied], size[tied], k)) / size[tied]
    several = np.flatnonzero(relevant > 1)
    if len(several):
        keys, inverse = np.unique(np.stack([above, size, relevant], 1)[several], axis=0, return_inverse=True)
        values = np.empty(len(keys))
        for i, (g, n, m) in enumerate(keys.tolist()):
            j = np.arange(1, n - m + 2)
            # P(first at j) = C(n-j, m-1) / C(n, m), by its ratio to the one before
            p = m / n * np.cumprod(np.r_[1.0, (n - j[:-1] - m + 1) / (n - j[:-1])])
            reach = len(j) if k is None else min(max(k - g, 0), len(j))
            values[i] = (p[:reach] / (g + j[:reach])).sum()
        out[several] = values[inverse.reshape(-1)]
    return out


def reciprocal_rank(blocks: Blocks, k: int | None = None) -> np.ndarray:
    """1 / rank of the first relevant passage (0 when it is beyond k), (queries,)."""
    out = np.where(blocks.total > 0, 0.0, np.nan)
    query, first, _ = _ends(blocks)
    out[query] = _first_of(blocks.above[first], blocks.size[first], blocks.relevant[first], k)
    return out


def hit(blocks: Blocks, k: int) -> np.ndarray:
    """Probability that one relevant passage or more is among the first k, (queries,)."""
    out = np.where(blocks.total > 0, 0.0, np.nan)
    query, first, _ = _ends(blocks)
    size, relevant = blocks.size[first], blocks.relevant[first]
    reach = _reach(blocks.above[first], size, k)
    miss = np.ones(len(first))
    for i in range(int(reach.max(initial=0))):
        inside = i < reach
        miss[inside] *= np.maximum(size - relevant - i, 0)[inside] / (size - i)[inside]
    out[query] = 1 - miss
    return out


def recall(blocks: Blocks, k: int) -> np.ndarray:
    """Share of the relevant passages among the first k, (queries,)."""
    reach = _reach(blocks.above, blocks.size, k)
    return _per_query(blocks, blocks.relevant * reach / blocks.size, blocks.total)


def ndcg(blocks: Blocks, k: int | None = None) -> np.ndarray:
    """nDCG or nDCG@k with gain = grade and discount 1 / log2(rank+1), as trec_eval's `ndcg_cut`, (queries,)."""
    top = int(max((blocks.above + blocks.size).max(initial=0), blocks.total.max(initial=0)))
    top = top if k is None else min(k, top)
    discount = np.r_[0.0, np.cumsum(1 / np.log2(np.arange(2, top + 2)))]  # (top + 1,)
    start, end = np.minimum(blocks.above, top), np.minimum(blocks.above + blocks.size, top)
    gain = _per_query(blocks, blocks.gain / blocks.size * (discount[end] - discount[start]))
    rank = np.arange(len(blocks.grades)) - np.r_[0, np.cumsum(blocks.total)][blocks.grade_query]
    within = rank < top
    each = discount[rank[within] + 1] - discount[rank[within]]
    ideal = np.bincount(blocks.grade_query[within], weights=blocks.grades[within] * each, minlength=len(blocks.total))
    return np.where(blocks.total > 0, gain / np.where(ideal > 0, ideal, 1.0), np.nan)


def _extremes(blocks: Blocks) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Queries whose relevant passages were all ranked, and the expected rank of their best and worst one.

    The best of m among n places has expected place (n+1)/(m+1), the worst m (n+1)/(m+1).
    """
    query, first, last = _ends(blocks)
    ranked = np.bincount(blocks.query, weights=blocks.relevant, minlength=len(blocks.total)).astype(np.int64)
    whole = ranked[query] == blocks.total[query]
    query, first, last = query[whole], first[whole], last[whole]
    best = blocks.above[first] + (blocks.size[first] + 1) / (blocks.relevant[first] + 1)
    worst = blocks.above[last] + blocks.relevant[last] * (blocks.size[last] + 1) / (blocks.relevant[last] + 1)
    return query, best, worst


def max_rank(blocks: Blocks) -> np.ndarray:
    """Max@R: rank of the worst-ranked relevant passage, (queries,). NaN where one was not ranked."""
    out = np.full(len(blocks.total), np.nan)
    query, _, worst = _extremes(blocks)
    out[query] = worst
    return out


def rank_distance(blocks: Blocks) -> np.ndarray:
    """Worst minus best rank of the relevant passages (Elmahdy, Lin and Ahmad 2024), (queries,); its floor is total - 1.

    Being an expectation, it gives a collapsed encoder (all scores tied) the distance of a random order, not 0.
    NaN where a query has fewer than two relevant passages or one was not ranked.
    """
    out = np.full(len(blocks.total), np.nan)
    query, best, worst = _extremes(blocks)
    out[query] = worst - best
    out[blocks.total < 2] = np.nan
    return out


def spread_max_rank(blocks: Blocks) -> np.ndarray:
    """`max_rank` of the queries that have a rank distance, those with two relevant passages or more."""
    return np.where(blocks.total < 2, np.nan, max_rank(blocks))


def complete(blocks: Blocks, k: int) -> np.ndarray:
    """Complete@k: probability that all relevant passages are among the first k (arXiv 2604.05684), (queries,).

    A block that reaches beyond k holds its m relevant passages in its first r of n places with probability
    C(r, m) / C(n, m). NaN for a query with fewer than two relevant passages: there it is `hit`.
    """
    reach = _reach(blocks.above, blocks.size, k)
    inside = np.ones(len(reach))
    for i in range(int(blocks.relevant.max(initial=0))):
        counted = (i < blocks.relevant) & (reach < blocks.size)
        inside[counted] *= np.maximum(reach - i, 0)[counted] / (blocks.size - i)[counted]
    out = np.ones(len(blocks.total))
    np.multiply.at(out, blocks.query, inside)
    ranked = np.bincount(blocks.query, weights=blocks.relevant, minlength=len(blocks.total))
    return np.where(blocks.total < 2, np.nan, np.where(ranked == blocks.total, out, 0.0))


_MAP = Measure(
    "map",
    "mAP",
    "mean average precision, divided by all relevant passages, as trec_eval's map and map_cut",
    average_precision,
    where=("settings", "ranked"),
    cut_off="optional",
    main=True,
    headline=True,
)
_MRR = Measure("mrr", "MRR", "mean reciprocal rank of the first relevant passage", reciprocal_rank, cut_off="optional")
_RECALL = Measure("r", "R", "share of the relevant passages among the first k", recall, cut_off="needed", mteb="recall")
_HIT = Measure("hit", "hit", "whether a relevant passage is among the first k", hit, cut_off="needed", mteb="hit_rate")
_NDCG = Measure(
    "ndcg", "nDCG", "normalised discounted cumulative gain, as trec_eval's ndcg_cut", ndcg, cut_off="optional"
)
_COMPLETE = Measure(
    "complete",
    "Complete",
    "share of the queries with all parallel answers among the first k of the pool",
    complete,
    where=("bias",),
    cut_off="needed",
    needs=("parallel",),
    elsewhere="Complete@K (arXiv 2604.05684)",
)
_SETTINGS, _RUNS = ("settings",), ("ranked",)

MEASURES = (
    _MAP,
    _MAP.at(20, where=_SETTINGS),
    _MRR,
    _RECALL.at(1, where=_SETTINGS),
    _RECALL.at(10, where=_SETTINGS, headline=True),
    _HIT.at(1, where=_SETTINGS),
    _NDCG.at(20, where=_SETTINGS, elsewhere="in the multilingual setting, nDCG@20 of mixed pools (MIMO, 2605.31171)"),
    _NDCG.at(10, where=_RUNS, main=True, headline=True),
    _RECALL.at(100, where=_RUNS),
    _MRR.at(10, where=_RUNS),
    _MRR.at(100, where=_RUNS),
    Measure(
        "rank_distance",
        "Rank distance",
        "worst less best rank of the parallel answers in the pool (Elmahdy, Lin and Ahmad 2024)",
        rank_distance,
        where=("bias",),
        lower_is_better=True,
        rank=True,
        needs=("parallel",),
        elsewhere="rank distance (arXiv 2408.10536)",
    ),
    Measure(
        "max_rank",
        "Max@R",
        "rank of the worst of the parallel answers in the pool",
        spread_max_rank,
        where=("bias",),
        lower_is_better=True,
        rank=True,
        needs=("parallel",),
        elsewhere="Max@R (arXiv 2604.05684)",
    ),
    _COMPLETE.at(10, where=("bias",)),
)
