"""A part of a benchmark, or of a collection, that is as mixed as the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from triglot import seeds
from triglot.check.settings import CheckSettings
from triglot.corpus.retrieval import Absent, RetrievalSet


def drawn(number: int, wanted: int, purpose: str, seed: int) -> np.ndarray:
    """(at most wanted,) indices below `number` in ascending order, the same for one seed; all of them for 0."""
    if not wanted or wanted >= number:
        return np.arange(number)
    return np.sort(seeds.shuffled(number, seed, purpose)[:wanted])


def sample_benchmark(benchmark: RetrievalSet, settings: CheckSettings) -> RetrievalSet:
    """Whole clusters (a paragraph, a line, with all translations), as many as are wanted, and queries that they answer.

    Queries that are translations of one another stay together, as measures of bias compare them. What was left out is
    a note of the set.
    """
    passages = benchmark.passages
    clusters, first = np.unique(passages.cluster, return_inverse=True)
    sizes = np.bincount(first)
    share = settings.passages / len(passages) if settings.passages else 1.0
    wanted = int(np.ceil(share * len(clusters))) if share < 1 else 0
    keep = drawn(len(clusters), wanted, "check passages", settings.seed)
    kept_passages = np.flatnonzero(np.isin(first, keep))
    answers = benchmark.judgements[benchmark.judgements[:, 2] > 0]
    inside = np.isin(answers[:, 1], kept_passages)
    answered = np.unique(answers[inside, 0])
    groups, group_of = np.unique(benchmark.queries.group[answered], return_inverse=True)
    spread = len(answered) / max(len(groups), 1)  # queries of a group
    wanted = int(np.ceil(settings.queries / spread)) if settings.queries else 0
    kept_queries = answered[np.isin(group_of, drawn(len(groups), wanted, "check queries", settings.seed))]
    if len(kept_passages) == len(passages) and len(kept_queries) == len(benchmark.queries):
        return benchmark
    note = (
        f"a sample: {len(kept_queries):,} of {len(benchmark.queries):,} queries, "
        f"{len(kept_passages):,} of {len(passages):,} passages ({len(keep):,} of {len(sizes):,} paragraphs "
        "with their translations); figures of retrieval are higher in a smaller pool"
    )
    return replace(_rows(benchmark, kept_queries, kept_passages), notes=(*benchmark.notes, note))


def _rows(benchmark: RetrievalSet, queries: np.ndarray, passages: np.ndarray) -> RetrievalSet:
    """The benchmark of these queries and passages alone."""
    new_query, new_passage = np.full(len(benchmark.queries), -1), np.full(len(benchmark.passages), -1)
    new_query[queries], new_passage[passages] = np.arange(len(queries)), np.arange(len(passages))

    def renumbered(rows: np.ndarray) -> np.ndarray:
        changed = np.column_stack([new_query[rows[:, 0]], new_passage[rows[:, 1]], rows[:, 2:]])
        return changed[(changed[:, :2] >= 0).all(axis=1)]

    absent = (
        benchmark.absent.take(np.flatnonzero(new_query[benchmark.absent.query] >= 0))
        if len(benchmark.absent)
        else Absent()
    )
    return replace(
        benchmark,
        queries=benchmark.queries.take(queries),
        passages=benchmark.passages.take(passages),
        judgements=renumbered(benchmark.judgements),
        absent=replace(absent, query=new_query[absent.query]),
        same=renumbered(benchmark.itself),
    )
