"""Making top-k runs: from embeddings that are streamed in blocks, or from scores. Memory does not grow with the corpus.

Runs are made in parts, each with the results of some queries, so that a long one need never be held as a whole.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping, Sequence, Set
from dataclasses import dataclass

import numpy as np

from triglot.corpus.formats import runs
from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.counts import ITSELF, ScoreBlock, first_equal
from triglot.files import InputError
from triglot.topk import Best, within

BLOCK = 16_384  # passages scored at a time
_SCORES = 64 << 20  # bytes of scores held at a time
_RESULTS = 1 << 19  # of a part of a run


def finite(vectors: np.ndarray, ids: Sequence[str], what: str, unit: str = "ids") -> tuple[np.ndarray, int]:
    """Contiguous fp32 embeddings, and how many are zero.

    Raises:
        InputError: not one row of numbers for each id, or one that is not finite; names the first.
    """
    vectors = np.ascontiguousarray(vectors, dtype=np.float32)
    if vectors.ndim != 2 or len(vectors) != len(ids):
        raise InputError(f"{what} embeddings have shape {vectors.shape}, but there are {len(ids)} {what} {unit}")
    norms = np.einsum("ij,ij->i", vectors, vectors)
    bad = np.flatnonzero(~np.isfinite(norms))
    if len(bad):
        raise InputError(f"{len(bad)} {what} embeddings are not finite, the first that of {ids[bad[0]]!r}")
    return vectors, int((norms == 0).sum())


@dataclass
class Parts:
    """A run that is being built.

    Attributes:
        runs: its parts, each with the results of some queries; may be gone through once.
        notes: what a reader of the figures should know, complete when all parts were seen.
    """

    runs: Iterator[runs.Run]
    notes: list[str]

    def whole(self) -> tuple[runs.Run, list[str]]:
        """As one run, and the notes. Raises InputError where there is no result."""
        return runs.concat(list(self.runs)), self.notes


class Stream:
    """A search whose passages come in blocks: holds the best of each query, and the ids of those alone.

    Args:
        query_ids: unique.
        queries: (queries, dim).
        depth: passages a query.
        itself: ids of queries whose passage of the same id is the query itself, and is left out of its ranking; may
            grow as passages are shown. None where that cannot be.

    Attributes:
        passages: shown so far.
        notes: what a reader of the figures should know, after `run`.

    Raises:
        InputError: embeddings that are not finite or do not fit the ids.
    """

    def __init__(self, query_ids: Sequence[str], queries: np.ndarray, depth: int, itself: Set[str] | None = None):
        self.query_ids = list(query_ids)
        self.queries, self._zero_queries = finite(queries, self.query_ids, "query")
        self.depth = depth
        self._itself = itself
        # One more than asked for shows whether the cut-off falls among equal scores, and another stands in for the
        # query itself.
        self._best = Best(len(self.query_ids), depth + 1 + (itself is not None), grow=True)
        self._ids: dict[int, str] = {}
        self._limit = 0
        self._zero_passages = 0
        self.notes: list[str] = []

    @property
    def passages(self) -> int:
        return self._best.seen

    def add(self, ids: list[str], vectors: np.ndarray) -> None:
        """Show a block of passages: (passages, dim). Raises InputError where it does not fit or holds a number that is
        not finite.
        """
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
        # Ids that were pushed out are forgotten whenever they may be half of those held.
        if len(self._ids) > self._limit:
            self._ids = {place: self._ids[place] for place in self._alive()}
            self._limit = 2 * len(self._ids) + BLOCK

    def _alive(self) -> list[int]:
        """Places of the passages in the rankings, ascending."""
        alive: set[int] = set()
        for here in _parts(len(self.query_ids), self._best.index.shape[1]):
            alive.update(np.unique(self._best.index[here]).tolist())
        return sorted(alive - {-1})

    def parts(self, *, tag: str = "triglot") -> Parts:
        """The ranking.

        Of passages with one id the first counts, and how many such ids were met is noted. An id that comes again is
        known only where it reaches a ranking: all ids are never held.

        Raises:
            InputError: no passage came.
        """
        if not self._best.seen:
            raise InputError("no passage to rank")
        notes = zero_notes(self._zero_queries, self._zero_passages)
        first: dict[str, int] = {}
        again = [place for place in self._alive() if first.setdefault(self._ids[place], place) != place]
        itself = self._itself or frozenset()
        notes += [ITSELF] if itself else []
        if again:
            name = self._ids[again[0]]
            what = (
                f"{len(again)} passages in the rankings have the id of an earlier one and are left out (first: {name}"
            )
            notes.append(f"{what}, passages {first[name] + 1} and {again[0] + 1})")
        scores, index = self._best.kept()

        def parts() -> Iterator[runs.Run]:
            cut = _Cut(within(self.depth, self._best.seen))
            for here in _parts(len(self.query_ids), index.shape[1]):
                queries, points, places = self.query_ids[here], scores[here], index[here]
                gone = np.isin(places, again)
                for row, query in enumerate(queries if itself else ()):
                    if query in itself and query in first:
                        gone[row] |= places[row] == first[query]
                order = np.argsort(gone, axis=1, kind="stable")  # what is left out stands last
                places = np.take_along_axis(np.where(gone, -1, places), order, 1)
                yield from cut.part(queries, self._ids, np.take_along_axis(points, order, 1), places, tag)
            notes.extend(cut.notes())

        return Parts(parts(), notes)

    def run(self, *, tag: str = "triglot") -> runs.Run:
        """The whole ranking, see `parts`; its notes are then in `notes`."""
        run, self.notes = self.parts(tag=tag).whole()
        return run


def zero_notes(queries: int, passages: int) -> list[str]:
    """Notes about zero vectors, none where there are none."""
    zeros = (("query", queries), ("passage", passages))
    return [f"{number} {what} embeddings are zero: all their scores are 0 and tie" for what, number in zeros if number]


def _parts(queries: int, width: int) -> Iterator[slice]:
    """Queries whose results are looked at together, `width` of each."""
    step = max(1, _RESULTS // max(width, 1))
    for begin in range(0, queries, step):
        yield slice(begin, min(begin + step, queries))


class _Cut:
    """Makes parts of a run out of the best `depth + 1`, and counts queries with equal scores on both sides of the
    cut-off.
    """

    def __init__(self, depth: int):
        self._depth = depth
        self._tied = 0

    def part(
        self, query_ids: list[str], ids: Mapping[int, str] | list[str], scores: np.ndarray, index: np.ndarray, tag: str
    ) -> Iterator[runs.Run]:
        """One part, or none where there are no results: (queries, k) scores and places, whose names are `ids`."""
        depth = self._depth
        if scores.shape[1] > depth:
            self._tied += int(((scores[:, depth - 1] == scores[:, depth]) & (index[:, depth] >= 0)).sum())
        row, column = np.nonzero(index[:, :depth] >= 0)
        if not len(row):
            return
        queries, query = np.unique(row, return_inverse=True)
        places, document = np.unique(index[row, column], return_inverse=True)
        query_names, names = [query_ids[i] for i in queries.tolist()], [ids[i] for i in places.tolist()]
        yield runs.build(query_names, names, query, document, scores[row, column], tag=tag)

    def notes(self) -> list[str]:
        """Of all parts."""
        what = f"have equal scores on both sides of rank {self._depth}; the order of the corpus decided which were kept"
        return [f"{self._tied} queries {what}"] if self._tied else []


def parts_of_scores(
    score: ScoreBlock, benchmark: RetrievalSet, depth: int, *, above: float = -np.inf, tag: str = "triglot"
) -> Parts:
    """The top of the whole pool by scores. A passage that is the query itself is left out.

    Args:
        score: from query indices to (rows, passages) scores in the order of the set.
        benchmark: queries and passages.
        depth: passages a query.
        above: return only passages with a higher score; 0 for BM25, whose zero says that no word is shared.
        tag: the system's name.

    Raises:
        InputError: while parts are made, a score that is not a number.
    """
    number, itself = len(benchmark.passages), benchmark.itself
    notes = [ITSELF] if len(itself) else []
    depth, names = within(depth, number), benchmark.passages.ids

    def parts() -> Iterator[runs.Run]:
        cut = _Cut(depth)
        step = max(1, _SCORES // (4 * number))
        for begin in range(0, len(benchmark.queries), step):
            rows = np.arange(begin, min(begin + step, len(benchmark.queries)))
            scores = np.array(score(rows), np.float32)  # a copy: it is written into
            if above > -np.inf:
                scores[scores <= above] = -np.inf
            pairs = itself[(itself[:, 0] >= begin) & (itself[:, 0] < begin + step)]
            scores[pairs[:, 0] - begin, pairs[:, 1]] = -np.inf
            # One more than asked for shows whether the cut-off falls among equal scores.
            for here in _parts(len(rows), depth + 1):
                best = Best(here.stop - here.start, min(depth + 1, number))
                best.offer(slice(0, here.stop - here.start), scores[here], 0)
                yield from cut.part([benchmark.queries.ids[i] for i in rows[here].tolist()], names, *best.kept(), tag)
        notes.extend(cut.notes())

    return Parts(parts(), notes)


def parts_of_vectors(
    queries: np.ndarray, passages: np.ndarray, benchmark: RetrievalSet, depth: int, *, tag: str = "triglot"
) -> Parts:
    """As `parts_of_scores`, by dot products of (queries, dim) and (passages, dim) embeddings."""
    queries, _ = finite(queries, benchmark.queries.ids, "query")
    passages, _ = finite(passages, benchmark.passages.ids, "passage")
    first = first_equal(passages)
    doubles = np.flatnonzero(first != np.arange(len(first)))

    def score(rows: np.ndarray) -> np.ndarray:
        scores = queries[rows] @ passages.T
        # A product may round equal vectors differently by their column; equal vectors must tie.
        scores[:, doubles] = scores[:, first[doubles]]
        return scores

    return parts_of_scores(score, benchmark, depth, tag=tag)


def run_of_scores(
    score: ScoreBlock, benchmark: RetrievalSet, depth: int, *, above: float = -np.inf, tag: str = "triglot"
) -> tuple[runs.Run, list[str]]:
    """`parts_of_scores` as a whole, and the notes. Raises InputError where there is no passage for any query."""
    return parts_of_scores(score, benchmark, depth, above=above, tag=tag).whole()


def run_of_vectors(
    queries: np.ndarray, passages: np.ndarray, benchmark: RetrievalSet, depth: int, *, tag: str = "triglot"
) -> tuple[runs.Run, list[str]]:
    """`parts_of_vectors` as a whole, and the notes."""
    return parts_of_vectors(queries, passages, benchmark, depth, tag=tag).whole()


def stream_of_blocks(
    query_ids: Sequence[str],
    queries: np.ndarray,
    blocks: Iterable[tuple[list[str], np.ndarray]],
    depth: int,
    itself: Set[str] | None = None,
) -> Stream:
    """The search of a corpus that comes as (ids, embeddings) blocks, when all of it was shown; `itself` as for
    `Stream`.
    """
    stream = Stream(query_ids, queries, depth, itself)
    for ids, vectors in blocks:
        stream.add(ids, vectors)
    return stream


def run_of_blocks(
    query_ids: Sequence[str],
    queries: np.ndarray,
    blocks: Iterable[tuple[list[str], np.ndarray]],
    depth: int,
    *,
    tag: str = "triglot",
    itself: Set[str] | None = None,
) -> tuple[runs.Run, list[str], int]:
    """The top of a corpus that is streamed as (ids, embeddings) blocks: the run, notes, and how many passages there
    were. See `Stream`.
    """
    stream = stream_of_blocks(query_ids, queries, blocks, depth, itself)
    return stream.run(tag=tag), stream.notes, stream.passages
