"""One pass over all scores: how many passages of each language stand above each relevant passage, and how many tie with
it.

With above[i, l] for every judged pair i and language l, the rank of a relevant passage in any pool made of whole
languages is a sum of a few numbers, so the monolingual setting, every ordered pair of languages, the multilingual pool
and any subset of languages come from one product. The scores themselves are never kept: a block of queries is scored,
counted and forgotten.
"""

from __future__ import annotations

import os
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass
from itertools import product

import numpy as np
from threadpoolctl import threadpool_limits

from triglot import seeds
from triglot.corpus.retrieval import RetrievalSet
from triglot.files import InputError
from triglot.memory import check_fits

ScoreBlock = Callable[[np.ndarray], np.ndarray]
"""From query indices (rows,) to their scores with all passages in the set's order, (rows, passages)."""

ITSELF = "the passage that is the query itself is left out of its ranking"


@dataclass(frozen=True)
class Counts:
    """The count table of a retrieval set, one row a (query, relevant passage). A passage that is the query itself is
    counted nowhere.

    Attributes:
        query, passage: (pairs,) int64 indices into the set, ordered by query.
        grade: (pairs,) int64, above 0.
        above: (pairs, languages) int32: passages of that language with a higher score.
        tied: (pairs, languages) int32: other passages of that language with the same score.
        top: (queries, k) int64 passages of the whole pool, best first, where they were asked for. Equal scores stand in
            a random order that does not depend on ids or languages. -1 for queries without a judged pair, and where
            there are fewer passages.
    """

    query: np.ndarray
    passage: np.ndarray
    grade: np.ndarray
    above: np.ndarray
    tied: np.ndarray
    top: np.ndarray | None = None


# Columns: their scores are read once a relevant passage and once more, and should stay in a core's cache meanwhile.
_TILE = 14_336
_CACHED = 1 << 20  # bytes of comparisons held at a time, likewise


@dataclass(frozen=True)
class _Layout:
    """Columns of a score block: passages by language, each language filled up to a multiple of 8 columns.

    Eight bytes of a comparison are then added at once as one 64-bit word; a segment has at most 255 words, so that no
    byte overflows.
    """

    order: np.ndarray  # (columns,) passage of a column, -1 for filling
    column: np.ndarray  # (passages,) column of a passage
    starts: np.ndarray  # (segments,) first word of each segment
    segment_lang: np.ndarray  # (segments,)
    filling: np.ndarray  # columns without a passage
    tiles: list[tuple[slice, slice]]  # (columns, segments) compared in one go


def _layout(lang: np.ndarray, languages: int) -> _Layout:
    by_lang = np.argsort(lang, kind="stable")
    sizes = np.bincount(lang, minlength=languages)
    words = -(-sizes // 8)
    order = np.full(int(words.sum()) * 8, -1, np.int64)
    starts, segment_lang, word, taken = [], [], 0, 0
    for language, (size, width) in enumerate(zip(sizes.tolist(), words.tolist())):
        order[word * 8 : word * 8 + size] = by_lang[taken : taken + size]
        starts += range(word, word + width, 255)
        segment_lang += [language] * len(range(0, width, 255))
        word, taken = word + width, taken + size
    column = np.empty(len(lang), np.int64)
    column[order[order >= 0]] = np.flatnonzero(order >= 0)
    ends = [*starts[1:], word]
    tiles, first = [], 0
    for segment in range(len(starts)):
        if segment + 1 == len(starts) or 8 * (ends[segment + 1] - starts[first]) > _TILE:
            tiles.append((slice(8 * starts[first], 8 * ends[segment]), slice(first, segment + 1)))
            first = segment + 1
    return _Layout(
        order, column, np.array(starts, np.int64), np.array(segment_lang, np.int64), np.flatnonzero(order < 0), tiles
    )


def _byte_sums(words: np.ndarray) -> np.ndarray:
    """Sum of the eight bytes of each 64-bit word, int32; `words` is overwritten."""
    odd = words >> np.uint64(8)
    odd &= np.uint64(0x00FF00FF00FF00FF)
    words &= np.uint64(0x00FF00FF00FF00FF)
    words += odd  # four 16-bit sums
    words *= np.uint64(0x0001000100010001)
    words >>= np.uint64(48)
    return words.astype(np.int32)


def threads_allowed(threads: int = 0) -> int:
    """Threads to count with: as asked, else the processors this process may use, within OMP_NUM_THREADS."""
    if threads > 0:
        return threads
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors, int(limit)) if limit.isdigit() and int(limit) > 0 else processors


def judged_pairs(benchmark: RetrievalSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Query, passage and grade of each relevant judgement, ordered by query and passage.

    Raises:
        InputError: a pair is judged twice.
    """
    judged = benchmark.judgements[benchmark.judgements[:, 2] > 0]
    key = judged[:, 0] * len(benchmark.passages) + judged[:, 1]
    if (key[1:] <= key[:-1]).any():
        order = np.argsort(key, kind="stable")
        judged, key = judged[order], key[order]
        twice = np.flatnonzero(key[1:] == key[:-1])
        if len(twice):
            query, passage, _ = judged[twice[0]].tolist()
            pair = f"{benchmark.queries.ids[query]!r} and {benchmark.passages.ids[passage]!r}"
            raise InputError(f"{benchmark.name}: {len(twice)} judgements are given twice, the first for {pair}")
    return judged[:, 0].copy(), judged[:, 1].copy(), judged[:, 2].copy()


@dataclass(frozen=True)
class _Task:
    """What the counting of one set needs: pairs as flat arrays, the pairs of a query side by side."""

    layout: _Layout
    passage: np.ndarray  # (pairs,)
    first: np.ndarray  # (queries + 1,) first pair of each query
    above: np.ndarray  # (pairs, languages), written
    tied: np.ndarray  # (pairs, languages), written
    docno: np.ndarray | None  # (passages,) place in the order of ids, to break ties by


@contextmanager
def _plain_loops() -> Iterator[None]:
    """NumPy copies broadcast operands whose rows are shorter than half its buffer into that buffer, which is four times
    slower.
    """
    before = np.setbufsize(16)
    try:
        yield
    finally:
        np.setbufsize(before)


def _count_block(task: _Task, rows: np.ndarray, scores: np.ndarray) -> None:
    """Count for the queries `rows`, whose scores are (rows, columns), into the tables of the task."""
    layout = task.layout
    numbers = task.first[rows + 1] - task.first[rows]
    width = int(numbers.max())
    place = task.first[rows][:, None] + np.arange(width)  # (rows, width) pairs
    valid = np.arange(width) < numbers[:, None]
    pair = place[valid]
    row = np.nonzero(valid)[0]
    threshold = np.full(place.shape, np.inf, np.float32)
    threshold[valid] = scores[row, layout.column[task.passage[pair]]]
    higher = np.empty((*place.shape, len(layout.starts)), np.uint64)
    equal = np.empty_like(higher)
    place_of_column = np.zeros(0, np.int64)
    own = np.zeros((0, 0), np.int64)
    if task.docno is not None:
        place_of_column = np.where(layout.order >= 0, task.docno[layout.order], -1)
        own = np.zeros(place.shape, np.int64)
        own[valid] = task.docno[task.passage[pair]]
    widest = max(columns.stop - columns.start for columns, _ in layout.tiles)
    wide = min(width, max(1, _CACHED // widest))
    tall = min(len(rows), max(1, _CACHED // (widest * wide)))
    buffer = np.empty(tall * wide * widest, bool)
    for top, left, tile in product(range(0, len(rows), tall), range(0, width, wide), range(len(layout.tiles))):
        columns, segments = layout.tiles[tile]
        part = scores[top : top + tall, None, columns]  # (b, 1, columns)
        high, across = slice(top, top + tall), slice(left, left + wide)
        limit = threshold[high, across, None]
        flags = buffer[: limit.size * part.shape[2]].reshape(*limit.shape[:2], part.shape[2])
        words, starts = flags.view(np.uint64), layout.starts[segments] - columns.start // 8
        np.greater(part, limit, out=flags)
        np.add.reduceat(words, starts, axis=2, out=higher[high, across, segments])
        np.equal(part, limit, out=flags)
        if task.docno is not None:
            flags &= place_of_column[columns] > own[high, across, None]
        np.add.reduceat(words, starts, axis=2, out=equal[high, across, segments])
    spoken, begins = np.unique(layout.segment_lang, return_index=True)
    whole = len(pair) == place.size
    for sums, table in ((higher, task.above), (equal, task.tied)):
        counts = _byte_sums(sums.reshape(-1, len(layout.starts)) if whole else sums[valid])  # (pairs, segments)
        if len(spoken) < counts.shape[1]:
            counts = np.add.reduceat(counts, begins, axis=1)
        if len(spoken) == table.shape[1]:
            table[pair] = counts
        else:
            table[pair[:, None], spoken] = counts


def _leaders(scores: np.ndarray, rows: np.ndarray, k: int) -> np.ndarray:
    """(rows, k) columns with the highest scores, best first; equal ones in an order drawn for (query, column); -1 for
    NaN columns.
    """
    known = np.where(np.isnan(scores), -np.inf, scores)
    bar = -np.partition(-known, k - 1, axis=1)[:, k - 1]
    row, column = np.nonzero(known >= bar[:, None])
    order = np.lexsort((seeds.bits(0, "ties of the top k", rows[row], column), -known[row, column], row))
    row, column = row[order], column[order]
    place = np.arange(len(row)) - np.searchsorted(row, row)
    out = np.full((len(scores), k), -1, np.int64)
    place, row, column = (one[(place < k) & ~np.isnan(scores[row, column])] for one in (place, row, column))
    out[row, place] = column
    return out


def _count(
    benchmark: RetrievalSet,
    layout: _Layout,
    fill: Callable[[np.ndarray, np.ndarray], None],
    pairs: np.ndarray | None,
    ties: str,
    memory: int,
    threads: int,
    top: int = 0,
) -> Counts:
    """Count with `fill(rows, out)` writing the scores of a block in the layout's columns."""
    docno = _docno(benchmark, ties)
    query, passage, grade = judged_pairs(benchmark)
    if pairs is not None:
        query, passage, grade = query[pairs], passage[pairs], grade[pairs]
    shape = (len(query), len(benchmark.languages))
    check_fits(
        8 * shape[0] * shape[1],
        f"{benchmark.name}: counts for {shape[0]:,} relevant pairs in {shape[1]} languages (fewer languages or queries "
        "need less)",
    )
    numbers = np.bincount(query, minlength=len(benchmark.queries))
    first = np.r_[0, np.cumsum(numbers)]
    task = _Task(layout, passage, first, np.zeros(shape, np.int32), np.zeros(shape, np.int32), docno)
    workers = threads_allowed(threads)
    # Queries with about as many relevant passages share a block, so that little of it is filling.
    blocks: list[np.ndarray] = []
    sizes = np.ceil(np.log2(np.maximum(numbers, 1))).astype(np.int64)
    for size in np.unique(sizes[numbers > 0]).tolist():
        rows = np.flatnonzero((numbers > 0) & (sizes == size))
        bytes_a_row = 4 * len(layout.order) + 16 * 2**size * len(layout.starts)
        height = int(np.clip(memory // workers // bytes_a_row, 1, 1024))
        turns = -(-len(rows) // (height * workers))  # so that all workers end together
        blocks += [block for block in np.array_split(rows, turns * workers) if len(block)]
    highest = max((len(block) for block in blocks), default=0)
    own, itself = threading.local(), benchmark.itself
    leaders = np.full((len(benchmark.queries), min(top, len(benchmark.passages))), -1, np.int64)

    def work(rows: np.ndarray) -> None:
        if not hasattr(own, "scores"):
            own.scores = np.empty((highest, len(layout.order)), np.float32)
        scores = own.scores[: len(rows)]
        fill(rows, scores)
        scores[:, layout.filling] = np.nan  # neither above nor equal to anything
        if len(itself):
            place = np.full(len(benchmark.queries), -1)
            place[rows] = np.arange(len(rows))
            pairs = itself[place[itself[:, 0]] >= 0]
            scores[place[pairs[:, 0]], layout.column[pairs[:, 1]]] = np.nan
        with _plain_loops():
            _count_block(task, rows, scores)
        if top:
            best = _leaders(scores, rows, leaders.shape[1])
            leaders[rows] = np.where(best >= 0, layout.order[best], -1)

    # Each worker multiplies on its own: BLAS threads that wait by spinning would take the processors from those that
    # count.
    with threadpool_limits(1, user_api="blas"), ThreadPoolExecutor(workers) as pool:
        for _ in pool.map(work, blocks):  # raises what a worker raised
            pass
    if docno is None:
        task.tied[np.arange(len(query)), benchmark.passages.lang[passage]] -= 1  # each passage equals itself
    else:
        task.above[:] += task.tied
        task.tied[:] = 0
    return Counts(query, passage, grade, task.above, task.tied, leaders if top else None)


def _docno(benchmark: RetrievalSet, ties: str) -> np.ndarray | None:
    if ties == "expected":
        return None
    if ties != "trec":
        raise InputError(f"ties: 'expected' or 'trec', not {ties!r}")
    order = np.argsort(np.array([i.encode() for i in benchmark.passages.ids], dtype=object), kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def first_equal(vectors: np.ndarray) -> np.ndarray:
    """(n,) index of the first row that is bitwise the same."""
    n = len(vectors)
    raw = np.ascontiguousarray(vectors).view(np.uint32)
    if raw.shape[1] % 2:
        raw = np.concatenate([raw, np.zeros((n, 1), np.uint32)], axis=1)
    words = raw.view(np.uint64)  # (n, dim / 2)
    weights = np.random.Generator(np.random.Philox(0)).integers(0, 2**63, words.shape[1], dtype=np.uint64) * np.uint64(
        2
    ) + np.uint64(1)
    _, first, inverse = np.unique(np.einsum("ij,j->i", words, weights), return_index=True, return_inverse=True)
    first = first[inverse.reshape(-1)]
    doubtful = np.flatnonzero(first != np.arange(n))
    differs = doubtful[(words[doubtful] != words[first[doubtful]]).any(1)]
    first[differs] = differs
    return first


def count_embeddings(
    queries: np.ndarray,
    passages: np.ndarray,
    benchmark: RetrievalSet,
    *,
    ties: str = "expected",
    memory: int = 256 << 20,
    threads: int = 0,
    top: int = 0,
) -> Counts:
    """The count table of dot products, fp32.

    Args:
        queries: (queries, dim), in the order of the set.
        passages: (passages, dim), in the order of the set.
        benchmark: languages and judgements.
        ties: `expected` counts ties apart; `trec` ranks equal scores by passage id, descending, as trec_eval does.
        memory: bytes for blocks of scores, all threads together.
        threads: 0 for the processors at hand.
        top: passages of each query's ranking to keep.

    Raises:
        InputError: the shapes do not fit the set or one another, or an embedding is not finite.
    """
    layout = _layout(benchmark.passages.lang, len(benchmark.languages))
    laid_out = np.zeros((len(layout.order), passages.shape[1]), np.float32)
    laid_out[layout.column] = passages
    first = first_equal(passages)
    doubles = np.flatnonzero(first != np.arange(len(first)))
    to, source = layout.column[doubles], layout.column[first[doubles]]

    def fill(rows: np.ndarray, out: np.ndarray) -> None:
        np.matmul(queries[rows], laid_out.T, out=out)  # (rows, columns)
        if len(to):
            # A product may round equal vectors differently by their column; equal vectors must tie.
            out[:, to] = out[:, source]

    return _count(benchmark, layout, fill, None, ties, memory, threads, top)


def count_scores(
    score: ScoreBlock,
    benchmark: RetrievalSet,
    *,
    pairs: np.ndarray | None = None,
    ties: str = "expected",
    memory: int = 256 << 20,
    threads: int = 0,
    top: int = 0,
) -> Counts:
    """As `count_embeddings` for a retriever that has scores but no embeddings.

    Args:
        score: from query indices to fp32 scores with all passages, (rows, passages), in the set's order.
        benchmark: languages and judgements.
        pairs: which of `judged_pairs` to count for; all by default.
        ties: as for `count_embeddings`.
        memory: bytes for blocks of scores.
        threads: 0 for the processors at hand; `score` itself is called by one at a time.
        top: as for `count_embeddings`.
    """
    layout = _layout(benchmark.passages.lang, len(benchmark.languages))
    gather = np.maximum(layout.order, 0)

    one_at_a_time = threading.Lock()

    def fill(rows: np.ndarray, out: np.ndarray) -> None:
        with one_at_a_time:
            block = np.asarray(score(rows), np.float32)
        if block.shape != (len(rows), len(benchmark.passages)):
            raise InputError(
                f"{benchmark.name}: a score block has shape {block.shape}, not {(len(rows), len(benchmark.passages))}"
            )
        broken = np.isnan(block).any(1)
        if broken.any():
            raise InputError(
                f"{benchmark.name}: query {benchmark.queries.ids[rows[broken.argmax()]]!r} has a score that is "
                "not a number"
            )
        np.take(block, gather, axis=1, out=out)

    return _count(benchmark, layout, fill, pairs, ties, memory, threads, top)
