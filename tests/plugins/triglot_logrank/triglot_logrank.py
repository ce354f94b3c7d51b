"""Two measures: one of the ranks of each query's answers, one of the whole pool."""

from __future__ import annotations

import numpy as np

from triglot.evaluate.bias.measures import Pool
from triglot.measures import Measure
from triglot.measures.ranks import Blocks


def log_rank(blocks: Blocks) -> np.ndarray:
    """(queries,) log2 of the rank of the best answer; within a tie, of the middle of it."""
    best = np.full(len(blocks.total), np.inf)
    np.minimum.at(best, blocks.query, blocks.above + (blocks.size + 1) / 2)
    return np.log2(best)


def share_of_pivot(pool: Pool) -> np.ndarray:
    """(queries,) 1 where the best-ranked answer is in the first language of the pool, 0 where it is not; NaN without an
    answer."""
    counts, queries = pool.counts, len(pool.benchmark.queries)
    rank = counts.above.sum(1) + counts.tied.sum(1) / 2
    order = np.lexsort((rank, counts.query))
    query, first = np.unique(counts.query[order], return_index=True)
    found = np.full(queries, np.nan)
    found[query] = pool.benchmark.passages.lang[counts.passage[order][first]] == 0
    return found


LOG_RANK = Measure(
    "log_rank", "log rank", "log2 of the rank of the best answer", log_rank, lower_is_better=True, rank=True
)


def pivot_first() -> Measure:
    """The row; a function may make it."""
    help = "share of the queries whose best answer is in the first language"
    return Measure("pivot_first", "Pivot first", help, share_of_pivot, of="pool", where=("bias",))
