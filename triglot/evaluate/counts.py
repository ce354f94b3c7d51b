"""One pass over all scores: how many passages of each language stand above each relevant passage, and how many tie with it.

With above[i, l] for every judged pair i and language l, the rank of a relevant passage in any pool made of whole languages is a sum of
a few numbers, so the monolingual setting, every ordered pair of languages, the multilingual pool and any subset of languages come from
one product. The scores themselves are never kept: a block of queries is scored, counted and forgotten.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.files import InputError

ScoreBlock = Callable[[np.ndarray], np.ndarray]
"""From query indices (rows,) to their scores with all passages in the set's order, (rows, passages)."""


@dataclass(frozen=True)
class Counts:
    """The count table of a retrieval set, one row a (query, relevant passage).

    Attributes:
        query, passage: (pairs,) int64 indices into the set, ordered by query.
        grade: (pairs,) int64, above 0.
        above: (pairs, languages) int32: passages of that language with a higher score.
        tied: (pairs, languages) int32: other passages of that language with the same score.
    """

    query: np.ndarray
    passage: np.ndarray
    grade: np.ndarray
    above: np.ndarray
    tied: np.ndarray


@dataclass(frozen=True)
class _Layout:
    """Columns of a score block: passages by language, each language filled up to a multiple of 8 columns.

    Eight bytes of a comparison are then added at once as one 64-bit word; a segment has at most 255 words, so that no byte overflows.
    """

    order: np.ndarray  # (columns,) passage of a column, -1 for filling
    column: np.ndarray  # (passages,) column of a passage
    starts: np.ndarray  # (segments,) first word of each segment
    segment_lang: np.ndarray  # (segments,)
    filling: np.ndarray  # columns without a passage


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
    return _Layout(order, column, np.array(starts, np.int64), np.array(segment_lang, np.int64), np.flatnonzero(order < 0))


def _byte_sums(words: np.ndarray) -> np.ndarray:
    """Sum of the eight bytes of each 64-bit word."""
    pairs = (words & np.uint64(0x00FF00FF00FF00FF)) + ((words >> np.uint64(8)) & np.uint64(0x00FF00FF00FF00FF))
    return ((pairs * np.uint64(0x0001000100010001)) >> np.uint64(48)).astype(np.int32)


def threads_allowed(threads: int = 0) -> int:
    """Threads to count with: as asked, else the processors this process may use, within OMP_NUM_THREADS."""
    if threads > 0:
        return threads
    processors = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1
    limit = os.environ.get("OMP_NUM_THREADS", "")
    return min(processors, int(limit)) if limit.isdigit() and int(limit) > 0 else processors


def judged_pairs(benchmark: RetrievalSet) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Query, passage and grade of each relevant judgement, ordered by query and passage."""
    judged = benchmark.judgements[benchmark.judgements[:, 2] > 0]
    judged = judged[np.lexsort((judged[:, 1], judged[:, 0]))]
    return judged[:, 0], judged[:, 1], judged[:, 2]


def _count(
    benchmark: RetrievalSet,
    layout: _Layout,
    fill: Callable[[np.ndarray, np.ndarray], None],
    pairs: np.ndarray | None,
    docno: np.ndarray | None,
    memory: int,
    threads: int,
) -> Counts:
    """Count with `fill(query rows, out)` writing the scores of a block in the layout's columns."""
    query, passage, grade = judged_pairs(benchmark)
    if pairs is not None:
        query, passage, grade = query[pairs], passage[pairs], grade[pairs]
    languages, columns = len(benchmark.languages), len(layout.order)
    above = np.zeros((len(query), languages), np.int32)
    tied = np.zeros((len(query), languages), np.int32)
    numbers = np.bincount(query, minlength=len(benchmark.queries))
    first = np.r_[0, np.cumsum(numbers)]
    # Queries with equally many relevant passages stand together, so that little of a batch is filling.
    rows = np.flatnonzero(numbers)
    rows = rows[np.argsort(numbers[rows], kind="stable")]
    workers = threads_allowed(threads)
    height = int(np.clip(memory // (4 * max(columns, 1)), 1, 512))
    scores = np.empty((min(height, max(len(rows), 1)), columns), np.float32)
    order_of_column = None if docno is None else np.where(layout.order >= 0, docno[layout.order], -1)
    bad: list[int] = []

    def batch(block: np.ndarray, chunk: np.ndarray) -> None:
        """Count for the rows `chunk` of the block; (b, r, columns) bytes at a time."""
        part, count = scores[chunk[0] : chunk[-1] + 1], numbers[block[chunk]]
        for low in range(0, int(count.max()), wide):
            place = first[block[chunk]][:, None] + np.arange(low, min(low + wide, int(count.max())))  # (b, r)
            valid = place < first[block[chunk] + 1][:, None]
            pair = place[valid]
            thresholds = np.full(place.shape, np.inf, np.float32)
            row_of = np.broadcast_to(np.arange(len(chunk))[:, None], place.shape)[valid]
            thresholds[valid] = part[row_of, layout.column[passage[pair]]]
            if np.isnan(thresholds).any():
                bad.append(int(block[chunk[0]]))
                return
            higher = part[:, None, :] > thresholds[:, :, None]
            above[pair] = per_language(higher)[valid]
            same = part[:, None, :] == thresholds[:, :, None]
            if order_of_column is None:
                tied[pair] = per_language(same)[valid]
            else:
                own = np.zeros(place.shape, np.int64)
                own[valid] = docno[passage[pair]]  # type: ignore[index]
                same &= order_of_column > own[:, :, None]
                above[pair] += per_language(same)[valid]

    def per_language(flags: np.ndarray) -> np.ndarray:
        """(b, r, columns) bool -> (b, r, languages) int32."""
        sums = _byte_sums(np.add.reduceat(flags.view(np.uint64), layout.starts, axis=2))
        out = np.zeros((*sums.shape[:2], languages), np.int32)
        for segment, language in enumerate(layout.segment_lang):
            out[:, :, language] += sums[:, :, segment]
        return out

    budget = 1 << 20  # bytes of comparisons at a time: within a core's cache
    wide = max(1, budget // max(columns, 1))
    with ThreadPoolExecutor(workers) as pool:
        for begin in range(0, len(rows), height):
            block = rows[begin : begin + height]
            fill(block, scores[: len(block)])
            scores[: len(block), layout.filling] = np.nan
            step = max(1, budget // (columns * int(min(numbers[block].max(), wide))))
            chunks = [np.arange(i, min(i + step, len(block))) for i in range(0, len(block), step)]
            for _ in pool.map(lambda chunk, block=block: batch(block, chunk), chunks):
                pass
    if bad:
        raise InputError(f"{benchmark.name}: the score of query {benchmark.queries.ids[bad[0]]!r} or one near it is not a number")
    if docno is None and len(query):
        tied[np.arange(len(query)), benchmark.passages.lang[passage]] -= 1  # each passage equals itself
    return Counts(query, passage, grade, above, tied)


def _docno(benchmark: RetrievalSet, ties: str) -> np.ndarray | None:
    if ties == "expected":
        return None
    if ties != "trec":
        raise InputError(f"ties: 'expected' or 'trec', not {ties!r}")
    order = np.argsort(np.array([i.encode() for i in benchmark.passages.ids], dtype=object), kind="stable")
    place = np.empty(len(order), np.int64)
    place[order] = np.arange(len(order))
    return place


def _first_equal(vectors: np.ndarray) -> np.ndarray:
    """(n,) index of the first row that is bitwise the same."""
    n = len(vectors)
    raw = np.ascontiguousarray(vectors).view(np.uint32)
    if raw.shape[1] % 2:
        raw = np.concatenate([raw, np.zeros((n, 1), np.uint32)], axis=1)
    words = raw.view(np.uint64)  # (n, dim / 2)
    weights = np.random.Generator(np.random.Philox(0)).integers(0, 2**63, words.shape[1], dtype=np.uint64) * np.uint64(2) + np.uint64(1)
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
) -> Counts:
    """The count table of dot products, fp32.

    Args:
        queries: (queries, dim), passages: (passages, dim), in the order of the set.
        ties: `expected` counts ties apart; `trec` ranks equal scores by passage id, descending, as trec_eval does.
        memory: bytes for a block of scores.
        threads: 0 for the processors at hand.

    Raises:
        InputError: the shapes do not fit the set or one another, or an embedding is not finite.
    """
    layout = _layout(benchmark.passages.lang, len(benchmark.languages))
    laid_out = np.zeros((len(layout.order), passages.shape[1]), np.float32)
    laid_out[layout.column] = passages
    first = _first_equal(passages)
    doubles = np.flatnonzero(first != np.arange(len(first)))
    to, source = layout.column[doubles], layout.column[first[doubles]]

    def fill(rows: np.ndarray, out: np.ndarray) -> None:
        np.matmul(queries[rows], laid_out.T, out=out)  # (rows, columns)
        if len(to):
            # A product may round equal vectors differently by their column; equal vectors must tie.
            out[:, to] = out[:, source]

    return _count(benchmark, layout, fill, None, _docno(benchmark, ties), memory, threads)


def count_scores(
    score: ScoreBlock,
    benchmark: RetrievalSet,
    *,
    pairs: np.ndarray | None = None,
    ties: str = "expected",
    memory: int = 256 << 20,
    threads: int = 0,
) -> Counts:
    """As `count_embeddings` for a retriever that has scores but no embeddings.

    Args:
        score: from query indices to fp32 scores with all passages, (rows, passages), in the set's order.
        pairs: which of `judged_pairs` to count for; all by default.
    """
    layout = _layout(benchmark.passages.lang, len(benchmark.languages))
    gather = np.maximum(layout.order, 0)

    def fill(rows: np.ndarray, out: np.ndarray) -> None:
        block = np.asarray(score(rows), np.float32)
        if block.shape != (len(rows), len(benchmark.passages)):
            raise InputError(f"{benchmark.name}: a score block has shape {block.shape}, not {(len(rows), len(benchmark.passages))}")
        np.take(block, gather, axis=1, out=out)

    return _count(benchmark, layout, fill, pairs, _docno(benchmark, ties), memory, threads)
