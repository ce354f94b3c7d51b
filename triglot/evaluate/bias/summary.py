"""All measures of language bias of one evaluation: macro averages, figures by language, a column for each query, and
notes.

The names here are those in results.json, in the per-query file and in tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.bias.measures import Pool
from triglot.evaluate.bias.scope import check_subsets
from triglot.evaluate.counts import Counts
from triglot.evaluate.tables import Evaluation, tabulate
from triglot.measures import Measure, reported
from triglot.measures.bias import TOP


@dataclass(frozen=True)
class Fairness:
    """Measures of bias beside rank distance and Max@R.

    Attributes:
        summary: name -> macro average over query languages; measures that make no sense are absent.
        by_language: query language -> name -> mean.
        shares: query language -> passage language -> mean share of the top `TOP`; empty without rankings.
        columns: name -> (queries,) value, NaN where it does not apply.
        notes: what to print beside the figures.
    """

    summary: dict[str, float]
    by_language: dict[str, dict[str, float]]
    shares: dict[str, dict[str, float]]
    columns: dict[str, np.ndarray]
    notes: tuple[str, ...]


def fairness(pool: Pool, extra: Sequence[str | Measure] = ()) -> Fairness:
    """All measures of a pool that the benchmark allows, and `extra` ones."""
    codes = pool.scope.codes
    rows = [row for row in reported("bias", extra) if row.of == "pool" and pool.has(row.needs)]
    figures = {row.name: pool.scope.figure(row.values(pool)) for row in rows}
    notes = tuple(note for row in rows if row.notes for note in row.notes(pool))
    figures = {name: figure for name, figure in figures.items() if np.isfinite(figure.macro)}
    by_language: dict[str, dict[str, float]] = {}
    for number, code in enumerate(codes):
        values = {name: float(figure.by_language[number]) for name, figure in figures.items()}
        values = {name: value for name, value in values.items() if np.isfinite(value)}
        if values:
            by_language[code] = values
    shares: dict[str, dict[str, float]] = {}
    if pool.top is not None:
        of_codes = zip(codes, pool.shares().matrix, strict=True)
        shares = {code: dict(zip(codes, row.tolist(), strict=True)) for code, row in of_codes if np.isfinite(row).all()}
    summary = {name: figure.macro for name, figure in figures.items()}
    return Fairness(summary, by_language, shares, {name: figure.by_query for name, figure in figures.items()}, notes)


def restricted(counts: Counts, benchmark: RetrievalSet, codes: Sequence[str]) -> tuple[Counts, RetrievalSet]:
    """Counts and set of the queries and passages in these languages, without new scores."""
    small = benchmark.restrict(codes)
    columns = benchmark.language_indices(codes)
    inside = np.isin(benchmark.queries.lang[counts.query], columns) & np.isin(
        benchmark.passages.lang[counts.passage], columns
    )
    # `restrict` keeps the order of queries and passages.
    queries, passages = benchmark.rows_in(codes)
    query, passage = np.searchsorted(queries, counts.query[inside]), np.searchsorted(passages, counts.passage[inside])
    part = (query, passage, counts.grade[inside], counts.above[inside][:, columns], counts.tied[inside][:, columns])
    return Counts(*part), small


def with_fairness(evaluation: Evaluation, top: np.ndarray | None, extra: Sequence[str | Measure] = ()) -> Evaluation:
    """An `Evaluation` whose summary, languages and rows have all measures of bias, and `extra` ones."""
    bias_figures = fairness(Pool(evaluation.counts, evaluation.benchmark, top), extra)
    summary, by_language = dict(evaluation.summary), dict(evaluation.by_language)
    summary["bias"] = summary.get("bias", {}) | bias_figures.summary
    chance = [row for row in reported("bias") if row.chance and row.name in bias_figures.summary]
    levels = "; ".join(f"{row.title[0].lower()}{row.title[1:]}: {bias_figures.summary[row.name]:.3f}" for row in chance)
    summary["notes"] = [
        *summary["notes"],
        *bias_figures.notes,
        *([f"to compare bias with: {levels}"] if levels else []),
    ]
    bias = by_language.get("bias", {})
    if benchmark_ranks := _ranks(evaluation):
        by_language["ranks"] = benchmark_ranks
    by_language["bias"] = {
        code: bias.get(code, {}) | bias_figures.by_language.get(code, {})
        for code in {**bias, **bias_figures.by_language}
    }
    if bias_figures.shares:
        by_language[f"shares@{TOP}"] = bias_figures.shares
    rows = dict(evaluation.rows)
    pool = rows["passage_lang"] < 0
    for name, values in bias_figures.columns.items():
        rows[name] = np.where(pool, values[rows["query"]], np.nan)
    return replace(evaluation, summary=summary, by_language=by_language, rows=rows)


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def _ranks(evaluation: Evaluation) -> dict[str, dict[str, list[float]]]:
    """Passage language -> `same` and `other` (language of the query) -> quantiles of the ranks of relevant passages in
    the whole pool.
    """
    counts, benchmark = evaluation.counts, evaluation.benchmark
    rank = 1 + counts.above.sum(1, dtype=np.int64) + counts.tied.sum(1, dtype=np.int64) / 2
    lang = benchmark.passages.lang[counts.passage]
    same = lang == benchmark.queries.lang[counts.query]
    quantiles: dict[str, dict[str, list[float]]] = {}
    for number, code in enumerate(benchmark.languages):
        for name, chosen in (("same", same), ("other", ~same)):
            values = rank[(lang == number) & chosen]
            if len(values):
                quantiles.setdefault(code, {})[name] = [float(q) for q in np.quantile(values, QUANTILES)]
    return quantiles


def with_subsets(evaluation: Evaluation, subsets: Sequence[Sequence[str]], settings: Sequence[str]) -> Evaluation:
    """An `Evaluation` whose summary has a part `subsets`: `de+en` -> settings and bias in the pool of these languages
    alone.

    Measures that need the top of a ranking are left out there, and those of bias where the pool of all languages is not
    ranked.

    Raises:
        InputError: as `triglot.evaluate.bias.scope.check_subsets`.
    """
    subsets_summary: dict[str, Any] = {}
    check_subsets(evaluation.benchmark.name, subsets, evaluation.benchmark.languages)
    for codes in subsets:
        part = tabulate(*restricted(evaluation.counts, evaluation.benchmark, codes), settings=settings)
        part = with_fairness(part, None) if "multi" in settings else part
        subsets_summary["+".join(codes)] = {
            key: part.summary[key] for key in (*settings, "bias", "counts") if key in part.summary
        }
    return replace(evaluation, summary=evaluation.summary | {"subsets": subsets_summary})
