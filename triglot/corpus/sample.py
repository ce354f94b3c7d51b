"""A part of a benchmark, or of a collection, that is as mixed as the whole."""

from __future__ import annotations

from dataclasses import replace

import numpy as np

from triglot import seeds
from triglot.corpus.labelled import Labelled
from triglot.corpus.retrieval import RetrievalSet


def drawn(number: int, wanted: int, purpose: str, seed: int) -> np.ndarray:
    """(at most wanted,) indices below `number` in ascending order, the same for one seed; all of them for 0."""
    if not wanted or wanted >= number:
        return np.arange(number)
    return np.sort(seeds.shuffled(number, seed, purpose)[:wanted])


def sample_retrieval(benchmark: RetrievalSet, *, passages: int, queries: int, seed: int = 1) -> RetrievalSet:
    """Whole clusters (a paragraph, a line, with all translations), as many as are wanted, and queries that they answer.

    Queries that are translations of one another stay together, as measures of bias compare them. What was left out is
    a note of the set.

    Args:
        benchmark: the whole.
        passages: about so many; 0 for all.
        queries: at most so many, and what completes their translations; 0 for all.
        seed: of the draws.
    """
    texts = benchmark.passages
    clusters, first = np.unique(texts.cluster, return_inverse=True)
    sizes = np.bincount(first)
    share = passages / len(texts) if passages else 1.0
    wanted = int(np.ceil(share * len(clusters))) if share < 1 else 0
    keep = drawn(len(clusters), wanted, "check passages", seed)
    kept_passages = np.flatnonzero(np.isin(first, keep))
    answers = benchmark.judgements[benchmark.judgements[:, 2] > 0]
    inside = np.isin(answers[:, 1], kept_passages)
    answered = np.unique(answers[inside, 0])
    groups, group_of = np.unique(benchmark.queries.group[answered], return_inverse=True)
    spread = len(answered) / max(len(groups), 1)  # queries of a group
    wanted = int(np.ceil(queries / spread)) if queries else 0
    kept_queries = answered[np.isin(group_of, drawn(len(groups), wanted, "check queries", seed))]
    if len(kept_passages) == len(texts) and len(kept_queries) == len(benchmark.queries):
        return benchmark
    note = (
        f"a sample: {len(kept_queries):,} of {len(benchmark.queries):,} queries, "
        f"{len(kept_passages):,} of {len(texts):,} passages ({len(keep):,} of {len(sizes):,} paragraphs "
        "with their translations); figures of retrieval are higher in a smaller pool"
    )
    return replace(benchmark.take(kept_queries, kept_passages), notes=(*benchmark.notes, note))


def sample_labelled(whole: Labelled, items: int, *, seed: int = 1) -> Labelled:
    """Whole groups (a premise or a question, with all that belongs to it), together about so many items.

    Args:
        whole: pairs with labels.
        items: about so many; 0 for all.
        seed: of the draws.
    """
    groups, group_of = np.unique(whole.group, return_inverse=True)
    wanted = int(np.ceil(len(groups) * items / len(whole))) if 0 < items < len(whole) else 0
    kept = np.flatnonzero(np.isin(group_of, drawn(len(groups), wanted, "items of a classification", seed)))
    return whole if len(kept) == len(whole) else whole.take(kept)
