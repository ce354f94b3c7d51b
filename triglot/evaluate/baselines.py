"""Baselines that belong in every table: BM25 within a language, and BM25 with queries translated word by word."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from triglot import bm25
from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.counts import ScoreBlock
from triglot.evaluate.evaluator import evaluate_scores
from triglot.evaluate.tables import Evaluation
from triglot.evaluate.wordwise import Translator, WordLists
from triglot.measures import Measure


@dataclass(frozen=True)
class _Pool:
    """The passages of one language, and their index."""

    rows: np.ndarray
    index: bm25.Index


def _pools(benchmark: RetrievalSet) -> list[_Pool]:
    pools = []
    for language in range(len(benchmark.languages)):
        rows = np.flatnonzero(benchmark.passages.lang == language)
        pools.append(_Pool(rows, bm25.build([benchmark.passages.texts[i] for i in rows])))
    return pools


def bm25_scores(benchmark: RetrievalSet) -> tuple[ScoreBlock, tuple[str, ...]]:
    """Scores of BM25, 0 for passages in another language than the query's, and a note on what it is."""
    pools = _pools(benchmark)
    bags = [bm25.count_tokens(text) for text in benchmark.queries.texts]

    def score(rows: np.ndarray) -> np.ndarray:
        out = np.zeros((len(rows), len(benchmark.passages)), np.float32)
        for language in np.unique(benchmark.queries.lang[rows]).tolist():
            own = np.flatnonzero(benchmark.queries.lang[rows] == language)
            pool = pools[language]
            out[np.ix_(own, pool.rows)] = bm25.scores(pool.index, bm25.bags(pool.index, [bags[rows[i]] for i in own]))
        return out

    note = (
        f"BM25 (Lucene's, k1 {bm25.K1}, b {bm25.B}), one index a language; words, character bigrams for scripts "
        "without spaces"
    )
    return score, (note,)


def evaluate_bm25(benchmark: RetrievalSet, *, extra: Sequence[str | Measure] = (), threads: int = 0) -> Evaluation:
    """BM25 in the monolingual setting: one index a language, queries of that language only."""
    score, notes = bm25_scores(benchmark)
    return evaluate_scores(score, benchmark, settings=("mono",), extra=extra, notes=notes, threads=threads)


def translated_scores(
    benchmark: RetrievalSet, lists: WordLists, *, pivot: str = "en"
) -> tuple[ScoreBlock, tuple[str, ...]]:
    """Scores of `evaluate_translated_bm25`, and notes on what they are."""
    pools = _pools(benchmark)
    translator = Translator(lists, pivot)
    texts, codes = benchmark.queries.texts, benchmark.languages
    spoken = [codes[i] for i in benchmark.queries.lang.tolist()]
    matrices = []
    for language, pool in enumerate(pools):
        bags = (
            [translator.bag(text, source, codes[language]) for text, source in zip(texts, spoken)]
            if len(pool.rows)
            else []
        )
        matrices.append(bm25.bags(pool.index, bags))

    def score(rows: np.ndarray) -> np.ndarray:
        out = np.zeros((len(rows), len(benchmark.passages)), np.float32)
        for pool, matrix in zip(pools, matrices):
            if len(pool.rows):
                out[:, pool.rows] = bm25.scores(pool.index, matrix[rows])
        return out

    notes = (
        f"BM25 (Lucene's, k1 {bm25.K1}, b {bm25.B}), one index a language, queries translated through word lists "
        f"(pivot {pivot});"
        f" {translator.coverage():.1%} of the words to translate were in the lists",
        "scores of different languages are compared as they are",
    )
    return score, notes


Translate = Callable[[Sequence[str], str, str], list[str]]
"""(texts, their language, the language wanted) -> translations."""


def machine_translated_scores(benchmark: RetrievalSet, translate: Translate) -> tuple[ScoreBlock, tuple[str, ...]]:
    """Scores of BM25 with each query translated as a whole into the language of the passages, and notes on them.

    Args:
        benchmark: what is evaluated.
        translate: who translates; asked once for each pair of languages.
    """
    pools, texts = _pools(benchmark), benchmark.queries.texts
    matrices: dict[int, Any] = {}
    for language, pool in enumerate(pools):
        if not len(pool.rows):
            continue
        bags: list[dict[str, float]] = [{} for _ in texts]
        for spoken in np.unique(benchmark.queries.lang).tolist():
            rows = np.flatnonzero(benchmark.queries.lang == spoken).tolist()
            shown = [texts[i] for i in rows]
            if spoken != language:
                shown = translate(shown, benchmark.languages[spoken], benchmark.languages[language])
            for row, text in zip(rows, shown, strict=True):
                bags[row] = bm25.count_tokens(text)
        matrices[language] = bm25.bags(pool.index, bags)

    def score(rows: np.ndarray) -> np.ndarray:
        out = np.zeros((len(rows), len(benchmark.passages)), np.float32)
        for language, matrix in matrices.items():
            out[:, pools[language].rows] = bm25.scores(pools[language].index, matrix[rows])
        return out

    notes = (
        f"BM25 (Lucene's, k1 {bm25.K1}, b {bm25.B}), one index a language, queries translated as a whole",
        "scores of different languages are compared as they are",
    )
    return score, notes


def evaluate_translated_bm25(
    benchmark: RetrievalSet,
    lists: WordLists,
    *,
    pivot: str = "en",
    extra: Sequence[str | Measure] = (),
    threads: int = 0,
) -> Evaluation:
    """BM25 across languages: each passage is scored with the query translated word by word into the passage's language.

    One index a language. In the pool the scores of the indices are compared as they are: on the MLQA data for training
    that gave the best pool of four ways tried (mAP .234; divided by the query's highest possible score .219, z-scores
    .181, by the best score of each language .172).

    Args:
        benchmark: what to evaluate on.
        lists: word lists; both directions to and from the pivot, or direct ones.
        pivot: the language between two that have no list.
        extra: measures beside the usual ones.
        threads: 0 for the processors at hand.

    Raises:
        InputError: two languages of the benchmark that no list connects.
    """
    score, notes = translated_scores(benchmark, lists, pivot=pivot)
    return evaluate_scores(score, benchmark, extra=extra, notes=notes, threads=threads)
