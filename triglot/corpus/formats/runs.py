"""Runs: which documents a system returned for which query, with which scores; TREC's six columns, gzip too."""

from __future__ import annotations

import math
import os
from array import array
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass

import numpy as np

from triglot.corpus.formats.trec import Qrels, check_id, lines_written
from triglot.corpus.tally import Tally
from triglot.files import InputError, read_lines


@dataclass(frozen=True)
class Run:
    """A ranking for each query. Make one with `build`, `from_top_k` or `read_run`, which check it.

    Attributes:
        queries: ids of the queries with results, in order of first appearance.
        documents: ids of the documents returned.
        query: (rows,) int64 index into `queries`, ascending.
        document: (rows,) int64 index into `documents`.
        score: (rows,) float32 or float64, descending within a query. Equal scores are ties; their order says nothing.
        tag: the system's name.
    """

    queries: list[str]
    documents: list[str]
    query: np.ndarray
    document: np.ndarray
    score: np.ndarray
    tag: str = "triglot"

    def __len__(self) -> int:
        return len(self.query)

    @property
    def starts(self) -> np.ndarray:
        """(queries + 1,) int64: the rows of query i are `starts[i]:starts[i + 1]`."""
        return np.searchsorted(self.query, np.arange(len(self.queries) + 1))


def build(
    queries: list[str],
    documents: list[str],
    query: np.ndarray,
    document: np.ndarray,
    score: np.ndarray,
    *,
    tag: str = "triglot",
    what: str = "run",
) -> Run:
    """A sorted, checked run of (query index, document index, score) rows.

    Raises:
        InputError: no rows, columns that differ in length, an id twice, an index out of range, a score that is NaN, or
            a pair twice.
    """
    query, document, score = np.asarray(query, np.int64), np.asarray(document, np.int64), np.asarray(score)
    score = score if np.issubdtype(score.dtype, np.floating) else score.astype(np.float64)
    if not len(query) == len(document) == len(score):
        raise InputError(
            f"{what}: {len(query)} queries, {len(document)} documents and {len(score)} scores; the columns "
            "differ in length"
        )
    if not len(query):
        raise InputError(f"{what}: no results")
    for kind, ids, index in (("query", queries, query), ("document", documents, document)):
        twice = next((identifier for identifier, number in Counter(ids).items() if number > 1), None)
        if twice is not None:
            raise InputError(f"{what}: {kind} id {twice!r} names two of them")
        if index.min() < 0 or index.max() >= len(ids):
            raise InputError(f"{what}: a {kind} index is outside 0 to {len(ids) - 1}")
    if (bad := np.flatnonzero(np.isnan(score))).size:
        pair = f"query {queries[query[bad[0]]]!r}, document {documents[document[bad[0]]]!r}"
        raise InputError(f"{what}: {len(bad)} scores are not a number (first: {pair})")
    pairs = np.sort(query * len(documents) + document)
    if (again := np.flatnonzero(pairs[1:] == pairs[:-1])).size:
        q, d = divmod(int(pairs[again[0]]), len(documents))
        raise InputError(
            f"{what}: query {queries[q]!r} has document {documents[d]!r} twice ({len(again)} such repeats)"
        )
    order = np.lexsort((-score, query))
    return Run(queries, documents, query[order], document[order], score[order], tag)


def from_top_k(
    query_ids: Sequence[str],
    document_ids: Sequence[str],
    scores: np.ndarray,
    indices: np.ndarray,
    *,
    tag: str = "triglot",
) -> Run:
    """The answer of `topk.top_k` as a run; ids of documents that were not returned are not kept.

    Args:
        query_ids: (queries,).
        document_ids: (documents,) in the order of the pool.
        scores: (queries, k).
        indices: (queries, k) into `document_ids`.
        tag: the system's name.

    Raises:
        InputError: as `build`, or the shapes do not fit.
    """
    if scores.shape != indices.shape or scores.ndim != 2 or len(scores) != len(query_ids):
        raise InputError(f"run: scores {scores.shape} and indices {indices.shape} do not fit {len(query_ids)} queries")
    used, document = np.unique(indices, return_inverse=True)
    if len(used) and (used[0] < 0 or used[-1] >= len(document_ids)):
        raise InputError(f"run: a document index is outside 0 to {len(document_ids) - 1}")
    query = np.repeat(np.arange(len(query_ids)), scores.shape[1])
    return build(
        list(query_ids), [document_ids[int(i)] for i in used], query, document.ravel(), scores.ravel(), tag=tag
    )


def concat(runs: Sequence[Run]) -> Run:
    """Runs over different queries as one, under the first one's tag.

    Raises InputError as `build`, or where there is none.
    """
    queries = [identifier for run in runs for identifier in run.queries]
    documents: dict[str, int] = {}
    parts: list[tuple[np.ndarray, np.ndarray]] = []
    first = 0
    for run in runs:
        number = np.array([documents.setdefault(identifier, len(documents)) for identifier in run.documents], np.int64)
        parts.append((run.query + first, number[run.document]))
        first += len(run.queries)
    if not parts:
        raise InputError("run: no results")
    query, document = (np.concatenate(column) for column in zip(*parts, strict=True))
    return build(
        queries, list(documents), query, document, np.concatenate([run.score for run in runs]), tag=runs[0].tag
    )


def read_run(path: str | os.PathLike[str], tally: Tally) -> Run:
    """Read `query Q0 document rank score tag`.

    Scores decide the order, as in trec_eval; ranks that contradict them are counted.

    Lines that cannot be used are counted: not six columns, a score that is no finite number, a pair that occurred
    before.

    Raises:
        InputError: the file cannot be read, or has no usable line.
    """
    queries: dict[str, int] = {}
    documents: dict[str, int] = {}
    query, document, rank, score, lines = array("q"), array("q"), array("d"), array("d"), array("q")
    tag = ""
    for number, line in read_lines(path):
        fields = line.split()
        try:
            _, _, _, place, value, _ = fields
            at, points = float(int(place)), float(value)
            if "_" in value or not value.isascii():
                raise ValueError(value)  # Python's own way to write a number
        except (ValueError, OverflowError):
            tally.leave_out("line that is not query, Q0, document, rank, score and tag", f"{path}:{number}")
            continue
        if not math.isfinite(points):
            tally.leave_out("line whose score is not a finite number", f"{path}:{number}")
            continue
        tag = tag or fields[5]
        query.append(queries.setdefault(fields[0], len(queries)))
        document.append(documents.setdefault(fields[2], len(documents)))
        rank.append(at)
        score.append(points)
        lines.append(number)
    if not query:
        raise InputError(f"{path}: no result in it can be read; {'; '.join(tally.lines())}")
    q, d, r, s = np.array(query), np.array(document), np.array(rank), np.array(score)
    kept = np.unique(q * len(documents) + d, return_index=True)[1]  # where each pair occurs first
    kept.sort()
    if twice := len(q) - len(kept):
        again = np.ones(len(q), bool)
        again[kept] = False
        tally.leave_out("line whose query and document occurred before", f"{path}:{lines[int(again.argmax())]}", twice)
        q, d, r, s = q[kept], d[kept], r[kept], s[kept]
    run = build(list(queries), list(documents), q, d, s, tag=tag, what=str(path))
    order = np.lexsort((-s, q))
    q, r, s = q[order], r[order], s[order]
    against = (q[1:] == q[:-1]) & (r[1:] < r[:-1]) & (s[1:] < s[:-1])
    if against.any():
        first = f"{path}:{lines[int(kept[order][1:][against][0])]}"
        tally.remark("the score decides", "place where the rank contradicts the score", first, int(against.sum()))
    tally.count("queries with results", len(queries))
    tally.count("results", len(run))
    return run


def write_run(path: str | os.PathLike[str], run: Run) -> None:
    """Write a run, gzip where the name ends in `.gz`.

    Scores keep all their digits, so reading it gives the same order and ties.

    Raises:
        InputError: an id or the tag is empty or contains white space.
    """
    with run_written(path) as write:
        write(run)


@contextmanager
def run_written(path: str | os.PathLike[str]) -> Iterator[Callable[[Run], None]]:
    """As `write_run`, for a run that comes in parts: the function appends one."""
    with lines_written(path) as write:

        def append(run: Run) -> None:
            queries = [check_id(identifier, "query") for identifier in run.queries]
            documents = [check_id(identifier, "document") for identifier in run.documents]
            tag = check_id(run.tag, "run")
            rank = np.arange(len(run)) - run.starts[run.query] + 1
            rows = zip(run.query.tolist(), run.document.tolist(), rank.tolist(), run.score, strict=True)
            write(f"{queries[q]} Q0 {documents[d]} {r} {s!s} {tag}" for q, d, r, s in rows)

        yield append


def coverage(run: Run, qrels: Qrels, *, k: int | None = None) -> tuple[str, ...]:
    """As `coverage_of` for a whole run."""
    return coverage_of(run.queries, np.diff(run.starts), qrels, k=k)


def coverage_of(queries: Sequence[str], lengths: np.ndarray, qrels: Qrels, *, k: int | None = None) -> tuple[str, ...]:
    """What a reader of the figures should know of a run and the judgements: one printable line each, none where all is
    well.

    Args:
        queries: ids of the queries with results.
        lengths: (queries,) results of each.
        qrels: the judgements.
        k: the depth that the measures ask for.

    Raises:
        InputError: they share no query, which is a mistake in the ids.
    """
    judged = {query for query, grade in zip(qrels.queries, qrels.grades.tolist(), strict=True) if grade > 0}
    returned = set(queries)
    if not judged & returned:
        raise InputError(f"run and judgements share no query: {sorted(returned)[:3]} against {sorted(judged)[:3]}")
    notes = []
    if missing := judged - returned:
        notes.append(f"{len(missing)} judged queries have no results; they score 0 (first: {min(missing)})")
    if extra := returned - judged:
        notes.append(
            f"{len(extra)} queries of the run have no relevant document in the judgements; left out (first: "
            f"{min(extra)})"
        )
    if k is not None and (short := int((lengths < k).sum())):
        notes.append(f"{short} queries have fewer than {k} results")
    return tuple(notes)
