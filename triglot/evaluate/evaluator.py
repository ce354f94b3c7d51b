"""Evaluate embeddings, an encoder or anything that scores."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from triglot.corpus.retrieval import RetrievalSet, Texts
from triglot.encoder.once import encode_set
from triglot.encoder.protocol import Encoder, similarity_of
from triglot.evaluate.bias.measures import depth
from triglot.evaluate.bias.summary import with_fairness, with_subsets
from triglot.evaluate.counts import ScoreBlock, count_embeddings, count_scores, judged_pairs
from triglot.evaluate.tables import SETTINGS, Evaluation, tabulate
from triglot.evaluate.topruns import finite
from triglot.files import InputError, nearest
from triglot.measures import Measure


def _vectors(array: np.ndarray, texts: Texts, what: str, benchmark: RetrievalSet) -> tuple[np.ndarray, list[str]]:
    """As contiguous fp32, and notes about zero vectors. Raises InputError for a wrong shape or a number that is not
    finite.
    """
    try:
        array, zero = finite(array, texts.ids, what, unit="texts")
    except InputError as error:
        raise InputError(f"{benchmark.name}: {error}") from None
    return array, [f"{zero} {what} embeddings are zero: all their scores are 0 and tie"] if zero else []


def evaluate_embeddings(
    queries: np.ndarray,
    passages: np.ndarray,
    benchmark: RetrievalSet,
    *,
    settings: Sequence[str] = SETTINGS,
    extra: Sequence[str | Measure] = (),
    notes: Sequence[str] = (),
    ties: str = "expected",
    memory: int = 256 << 20,
    threads: int = 0,
    bias: bool = True,
    subsets: Sequence[Sequence[str]] = (),
) -> Evaluation:
    """Score every query with every passage by dot product (fp32) and report all settings.

    Args:
        queries: (queries, dim) in the order of the set; L2-normalised for cosine.
        passages: (passages, dim) likewise.
        benchmark: what to evaluate on.
        settings: which of mono, cross, multi.
        extra: measures beside the usual ones: names such as `ndcg@10`, or rows of one's own (`triglot.Measure`).
        notes: printed beside the results.
        ties: `expected` for the expectation over random orders, `trec` for trec_eval's order (parity only).
        memory: bytes for blocks of scores.
        threads: 0 for the processors at hand.
        bias: measures of language bias beside rank distance and Max@R, where the pool has several languages.
        subsets: languages of smaller pools to report as well, `summary["subsets"]`; they need no new scores.

    Raises:
        InputError: shapes that do not fit, numbers that are not finite, an unknown setting or measure.
    """
    _check(settings, benchmark)
    q, q_notes = _vectors(queries, benchmark.queries, "query", benchmark)
    p, p_notes = _vectors(passages, benchmark.passages, "passage", benchmark)
    if q.shape[1] != p.shape[1]:
        raise InputError(f"{benchmark.name}: queries have {q.shape[1]} dimensions, passages {p.shape[1]}")
    several = bias and "multi" in settings and len(np.unique(benchmark.passages.lang)) > 1
    counts = count_embeddings(
        q, p, benchmark, ties=ties, memory=memory, threads=threads, top=depth(extra) if several else 0
    )
    result = tabulate(counts, benchmark, settings=settings, extra=extra, notes=[*notes, *q_notes, *p_notes])
    result = with_fairness(result, counts.top, extra) if several else result
    return with_subsets(result, subsets, settings) if subsets else result


def evaluate_encoder(
    encoder: Encoder, benchmark: RetrievalSet, *, progress: bool = False, **options: Any
) -> Evaluation:
    """Encode each text once and evaluate; `options` as for `evaluate_embeddings`."""
    queries, passages = encode_set(encoder, benchmark, progress=progress)
    notes = [*options.pop("notes", ()), *similarity_notes(encoder)]
    return evaluate_embeddings(queries, passages, benchmark, notes=notes, **options)


def similarity_notes(encoder: Encoder) -> list[str]:
    """What a table says of an encoder that compares by anything but the cosine."""
    similarity = similarity_of(encoder)
    return [] if similarity == "cosine" else [f"scores are by {similarity}, as the model's similarity_fn_name says"]


def evaluate_scores(
    score: ScoreBlock,
    benchmark: RetrievalSet,
    *,
    settings: Sequence[str] = SETTINGS,
    extra: Sequence[str | Measure] = (),
    notes: Sequence[str] = (),
    ties: str = "expected",
    memory: int = 256 << 20,
    threads: int = 0,
    bias: bool = True,
    subsets: Sequence[Sequence[str]] = (),
) -> Evaluation:
    """As `evaluate_embeddings`, all arguments but the first included, for a retriever that gives scores.

    `score` takes query indices (rows,) and returns their scores with all passages, (rows, passages), in the set's
    order. What lies outside of `settings` is not looked at: with mono alone, only scores with passages of the query's
    language matter.
    """
    _check(settings, benchmark)
    query, passage, _ = judged_pairs(benchmark)
    pairs = None
    if "multi" not in settings:
        same = benchmark.queries.lang[query] == benchmark.passages.lang[passage]
        pairs = np.flatnonzero((same & ("mono" in settings)) | (~same & ("cross" in settings)))
    several = bias and "multi" in settings and len(np.unique(benchmark.passages.lang)) > 1
    counts = count_scores(
        score, benchmark, pairs=pairs, ties=ties, memory=memory, threads=threads, top=depth(extra) if several else 0
    )
    result = tabulate(counts, benchmark, settings=settings, extra=extra, notes=notes)
    result = with_fairness(result, counts.top, extra) if several else result
    return with_subsets(result, subsets, settings) if subsets else result


def _check(settings: Sequence[str], benchmark: RetrievalSet) -> None:
    for setting in settings:
        if setting not in SETTINGS:
            raise InputError(f"no setting {setting!r}{nearest(setting, SETTINGS)}")
    if (
        not settings
        or not len(benchmark.queries)
        or not len(benchmark.passages)
        or not (benchmark.judgements[:, 2] > 0).any()
    ):
        raise InputError(
            f"{benchmark.name}: nothing to evaluate: it needs a setting, queries, passages and relevant judgements"
        )
