"""Making top-k runs: from embeddings that are streamed in blocks, or from scores. Memory does not grow with the corpus."""

from __future__ import annotations

from collections.abc import Iterable, Sequence, Set

import numpy as np

from triglot.corpus import runs
from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.counts import ITSELF, ScoreBlock, first_equal
from triglot.files import InputError
from triglot.topk import Best

BLOCK = 16_384  # passages scored at a time
_SCORES = 64 << 20  # bytes of scores held at a time


def finite(vectors: np.ndarray, ids: Sequence[str], what: str) -> tuple[np.ndarray, int]:
    """Contiguous fp32 embeddings, and how many are zero.

    Raises:
        InputError: not one row of numbers for each id, or one that is not finite; names the first.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(ids):
        raise InputError(f"{what} embeddings have shape {vectors.shape}, but there are {len(ids)} {what} ids")
    norms = np.einsum("ij,ij->i", vectors, vectors)
    bad = np.flatnonzero(~np.isfinite(norms))
    if len(bad):
        raise InputError(f"{len(bad)} {what} embeddings are not finite, the first that of {ids[bad[0]]!r}")
    return vectors, int((norms == 0).sum())


class Stream:
    """A search whose passages come in blocks: holds the best of each query, and the ids of those alone.

    Args:
        query_ids: unique.
        queries: (queries, dim).
        depth: passages a query.
        itself: ids of queries whose passage of the same id is the query itself, and is left out of its ranking; may grow as passages are
            shown. None where that cannot be.

    Attributes:
        passages: shown so far.
        notes: what a reader of the figures should know, complete after `run`.

    Raises:
        InputError: embeddings that are not finite or do not fit the ids.
    """

    def __init__(self, query_ids: Sequence[str], queries: np.ndarray, depth: int, itself: Set[str] | None = None):
        self.query_ids = list(query_ids)
        self.queries, self._zero_queries = finite(queries, self.query_ids, "query")
        self.depth = depth
        self._itself = itself
        # One more than asked for shows whether the cut-off falls among equal scores, and another stands in for the query itself.
        self._best = Best(len(self.query_ids), depth + 1 + (itself is not None), grow=True)
        self._ids: dict[int, str] = {}
        self._limit = 0
        self._zero_passages = 0
        self.notes: list[str] = []

    @property
    def passages(self) -> int:
        return self._best.seen

    def add(self, ids: list[str], vectors: np.ndarray) -> None:
        """Show a block of passages: (passages, dim). Raises InputError where it does not fit or holds a number that is not finite."""
        vectors, zero = finite(vectors, ids, "passage")
        self._zero_passages += zero
        if vectors.shape[1] != self.queries.shape[1]:
            raise InputError(f"queries have {self.queries.shape[1]} dimensions, passages {vectors.shape[1]}")
        for begin in range(0, len(ids), BLOCK):
            first, part = self._best.seen, vectors[begin : begin + BLOCK]
            rows = max(1, _SCORES // (4 * len(part)))
            self._best.add(self.queries, part, rows=rows)
            for place in np.unique(self._best.index[self._best.index >= first]).tolist():
                self._ids[place] = ids[begin + place - first]
        if len(self._ids) > self._limit:  # ids that were pushed out are forgotten whenever they may be half of those held
            alive = np.unique(self._best.index).tolist()
            self._ids = {place: self._ids[place] for place in alive if place >= 0}
            self._limit = 2 * len(self._ids) + BLOCK

    def run(self, *, tag: str = "triglot") -> runs.Run:
        """The ranking; of passages with one id the first counts, and how many such ids were met is noted.

        An id that comes again is known only where it reaches a ranking: all ids are never held. Raises InputError where no passage came.
        """
        if not self._best.seen:
            raise InputError("no passage to rank")
        ids = {place: self._ids[place] for place in np.unique(self._best.index).tolist() if place >= 0}
        scores, index = self._best.kept()
        self.notes = zero_notes(self._zero_queries, self._zero_passages)
        first: dict[str, int] = {}
        again = [place for place, identifier in ids.items() if first.setdefault(identifier, place) != place]
        gone, itself = np.isin(index, again), self._itself or frozenset()
        for row, query in enumerate(self.query_ids if itself else ()):
            if query in itself and query in first:
                gone[row] |= index[row] == first[query]
        index = np.where(gone, -1, index)
        order = np.argsort(gone, axis=1, kind="stable")
        scores, index = np.take_along_axis(scores, order, 1), np.take_along_axis(index, order, 1)
        self.notes += [ITSELF] if itself else []
        if again:
            what = f"{len(again)} passages in the rankings have the id of an earlier one and are left out (first: {ids[again[0]]}"
            self.notes.append(f"{what}, passages {first[ids[again[0]]] + 1} and {again[0] + 1})")
        return _build(self.query_ids, ids, scores, index, self.depth, self.notes, tag)


def zero_notes(queries: int, passages: int) -> list[str]:
    """Notes about zero vectors, none where there are none."""
    found = (("query", queries), ("passage", passages))
    return [f"{number} {what} embeddings are zero: all their scores are 0 and tie" for what, number in found if number]


def _build(
    query_ids: list[str], ids: dict[int, str], scores: np.ndarray, index: np.ndarray, depth: int, notes: list[str], tag: str
) -> runs.Run:
    """A run of the first `depth` columns; `notes` gets how many queries have equal scores on both sides of the cut-off."""
    if scores.shape[1] > depth:
        tied = int(((scores[:, depth - 1] == scores[:, depth]) & (index[:, depth] >= 0)).sum())
        if tied:
            notes.append(f"{tied} queries have equal scores on both sides of rank {depth}; the order of the corpus decided which were kept")
    row, column = np.nonzero(index[:, :depth] >= 0)
    queries, query = np.unique(row, return_inverse=True)
    places, document = np.unique(index[row, column], return_inverse=True)
    query_names, names = [query_ids[i] for i in queries.tolist()], [ids[i] for i in places.tolist()]
    return runs.build(query_names, names, query, document, scores[row, column], tag=tag)


def run_of_scores(
    score: ScoreBlock, benchmark: RetrievalSet, depth: int, *, above: float = -np.inf, tag: str = "triglot"
) -> tuple[runs.Run, list[str]]:
    """The top of the whole pool by scores, and notes. A passage that is the query itself is left out.

    Args:
        score: from query indices to (rows, passages) scores in the order of the set.
        benchmark: queries and passages.
        depth: passages a query.
        above: return only passages with a higher score; 0 for BM25, whose zero says that no word is shared.
        tag: the system's name.

    Raises:
        InputError: a score that is not a number, or no passage for any query.
    """
    number, itself = len(benchmark.passages), benchmark.itself
    best = Best(len(benchmark.queries), depth + 1)
    step = max(1, _SCORES // (4 * number))
    for begin in range(0, len(benchmark.queries), step):
        rows = np.arange(begin, min(begin + step, len(benchmark.queries)))
        scores = np.array(score(rows), np.float32)  # a copy: it is written into
        if above > -np.inf:
            scores[scores <= above] = -np.inf
        pairs = itself[(itself[:, 0] >= begin) & (itself[:, 0] < begin + step)]
        scores[pairs[:, 0] - begin, pairs[:, 1]] = -np.inf
        best.offer(slice(begin, begin + len(rows)), scores, 0)
    notes = [ITSELF] if len(itself) else []
    scores, index = best.kept()
    ids = {place: benchmark.passages.ids[place] for place in np.unique(index).tolist() if place >= 0}
    return _build(benchmark.queries.ids, ids, scores, index, depth, notes, tag), notes


def run_of_vectors(
    queries: np.ndarray, passages: np.ndarray, benchmark: RetrievalSet, depth: int, *, tag: str = "triglot"
) -> tuple[runs.Run, list[str]]:
    """As `run_of_scores`, by dot products of (queries, dim) and (passages, dim) embeddings."""
    queries, _ = finite(queries, benchmark.queries.ids, "query")
    passages, _ = finite(passages, benchmark.passages.ids, "passage")
    first = first_equal(passages)
    doubles = np.flatnonzero(first != np.arange(len(first)))

    def score(rows: np.ndarray) -> np.ndarray:
        scores = queries[rows] @ passages.T
        # A product may round equal vectors differently by their column; equal vectors must tie.
        scores[:, doubles] = scores[:, first[doubles]]
        return scores

    return run_of_scores(score, benchmark, depth, tag=tag)


def run_of_blocks(
    query_ids: Sequence[str],
    queries: np.ndarray,
    blocks: Iterable[tuple[list[str], np.ndarray]],
    depth: int,
    *,
    tag: str = "triglot",
    itself: Set[str] | None = None,
) -> tuple[runs.Run, list[str], int]:
    """The top of a corpus that is streamed as (ids, embeddings) blocks: the run, notes, and how many passages there were. See `Stream`."""
    stream = Stream(query_ids, queries, depth, itself)
    for ids, vectors in blocks:
        stream.add(ids, vectors)
    return stream.run(tag=tag), stream.notes, stream.passages
