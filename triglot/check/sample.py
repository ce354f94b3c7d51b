"""A part of a benchmark, or of a collection, that is as mixed as the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from triglot import seeds
from triglot.check.settings import CheckSettings
from triglot.corpus.retrieval import RetrievalSet


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
    return replace(benchmark.take(kept_queries, kept_passages), notes=(*benchmark.notes, note))
