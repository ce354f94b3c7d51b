"""All measures of language bias of one evaluation: macro averages, figures by language, a column for each query, and notes.

The names here are those in results.json, in the per-query file and in tables.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.bias.rankings import language_shares, rank_correlation
from triglot.evaluate.bias.scope import check_subsets
from triglot.evaluate.bias.spread import Figure, peer, preference_rate, removal_test
from triglot.evaluate.counts import Counts
from triglot.evaluate.tables import Evaluation, tabulate

TOP = 10  # passages of a query's ranking that shares, entropy and agreement look at
MEASURES = {
    f"same_language@{TOP}": f"own language in the top {TOP}",
    "pool_share": "own language in the pool",
    f"entropy@{TOP}": f"entropy of the top {TOP}",
    "preference_rate": "own language first",
    "preference_expected": "own language first, by chance",
    "removal": "removal test, (c) - (b)",
    f"mrc@{TOP}": f"agreement of parallel queries at {TOP}",
    f"peer@{TOP}": f"PEER at {TOP}",
}


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


def fairness(counts: Counts, benchmark: RetrievalSet, top: np.ndarray | None, languages: Sequence[str] | None = None) -> Fairness:
    """All measures that the benchmark allows.

    Args:
        counts: of all judged pairs.
        benchmark: what was counted.
        top: (queries, `TOP` or more) passages, best first; None where there are no rankings.
        languages: of queries and pool; all by default.
    """
    codes = benchmark.languages if languages is None else tuple(languages)
    figures: dict[str, Figure] = {}
    notes: list[str] = []
    shares: dict[str, dict[str, float]] = {}
    if top is not None:
        of_languages = language_shares(top, benchmark, languages, k=TOP)
        figures |= {
            f"same_language@{TOP}": of_languages.same,
            "pool_share": of_languages.expected,
            f"entropy@{TOP}": of_languages.entropy,
        }
        shares = {
            a: {b: float(of_languages.matrix[i, j]) for j, b in enumerate(codes)}
            for i, a in enumerate(codes)
            if np.isfinite(of_languages.matrix[i]).all()
        }
    if benchmark.parallel:
        preference, removal = preference_rate(counts, benchmark, languages), removal_test(counts, benchmark, languages)
        figures |= {"preference_rate": preference.rate, "preference_expected": preference.expected, "removal": removal.difference}
    if top is not None and benchmark.parallel:
        figures[f"mrc@{TOP}"] = rank_correlation(top, benchmark, languages, k=TOP).correlation
    equal = peer(counts, benchmark, languages, k=TOP)
    figures[f"peer@{TOP}"] = equal.peer
    notes += equal.notes
    figures = {name: figure for name, figure in figures.items() if np.isfinite(figure.macro)}
    by_language: dict[str, dict[str, float]] = {}
    for number, code in enumerate(codes):
        found = {name: float(figure.by_language[number]) for name, figure in figures.items() if np.isfinite(figure.by_language[number])}
        if found:
            by_language[code] = found
    summary = {name: figure.macro for name, figure in figures.items()}
    return Fairness(summary, by_language, shares, {name: figure.by_query for name, figure in figures.items()}, tuple(notes))


def restricted(counts: Counts, benchmark: RetrievalSet, codes: Sequence[str]) -> tuple[Counts, RetrievalSet]:
    """Counts and set of the queries and passages in these languages, without new scores."""
    small = benchmark.restrict(codes)
    columns = benchmark.language_indices(codes)
    inside = np.isin(benchmark.queries.lang[counts.query], columns) & np.isin(benchmark.passages.lang[counts.passage], columns)
    # `restrict` keeps the order of queries and passages.
    queries, passages = benchmark.rows_in(codes)
    query, passage = np.searchsorted(queries, counts.query[inside]), np.searchsorted(passages, counts.passage[inside])
    part = (query, passage, counts.grade[inside], counts.above[inside][:, columns], counts.tied[inside][:, columns])
    return Counts(*part), small


def with_fairness(evaluation: Evaluation, top: np.ndarray | None) -> Evaluation:
    """An `Evaluation` whose summary, languages and rows have all measures of bias."""
    found = fairness(evaluation.counts, evaluation.benchmark, top)
    summary, by_language = dict(evaluation.summary), dict(evaluation.by_language)
    summary["bias"] = summary.get("bias", {}) | found.summary
    chance = {name: found.summary[name] for name in ("pool_share", "preference_expected") if name in found.summary}
    told = [f"{MEASURES[name]}: {value:.3f}" for name, value in chance.items()]
    summary["notes"] = [*summary["notes"], *found.notes, *([f"to compare bias with: {'; '.join(told)}"] if told else [])]
    bias = by_language.get("bias", {})
    if benchmark_ranks := _ranks(evaluation):
        by_language["ranks"] = benchmark_ranks
    by_language["bias"] = {code: bias.get(code, {}) | found.by_language.get(code, {}) for code in {**bias, **found.by_language}}
    if found.shares:
        by_language[f"shares@{TOP}"] = found.shares
    rows = dict(evaluation.rows)
    pool = rows["passage_lang"] < 0
    for name, values in found.columns.items():
        rows[name] = np.where(pool, values[rows["query"]], np.nan)
    return replace(evaluation, summary=summary, by_language=by_language, rows=rows)


QUANTILES = (0.05, 0.25, 0.5, 0.75, 0.95)


def _ranks(evaluation: Evaluation) -> dict[str, dict[str, list[float]]]:
    """Passage language -> `same` and `other` (language of the query) -> quantiles of the ranks of relevant passages in the whole pool."""
    counts, benchmark = evaluation.counts, evaluation.benchmark
    rank = 1 + counts.above.sum(1, dtype=np.int64) + counts.tied.sum(1, dtype=np.int64) / 2
    lang = benchmark.passages.lang[counts.passage]
    same = lang == benchmark.queries.lang[counts.query]
    found: dict[str, dict[str, list[float]]] = {}
    for number, code in enumerate(benchmark.languages):
        for name, chosen in (("same", same), ("other", ~same)):
            values = rank[(lang == number) & chosen]
            if len(values):
                found.setdefault(code, {})[name] = [float(q) for q in np.quantile(values, QUANTILES)]
    return found


def with_subsets(evaluation: Evaluation, subsets: Sequence[Sequence[str]], settings: Sequence[str]) -> Evaluation:
    """An `Evaluation` whose summary has a part `subsets`: `de+en` -> settings and bias in the pool of these languages alone.

    Measures that need the top of a ranking are left out there, and those of bias where the pool of all languages is not ranked.

    Raises:
        InputError: as `triglot.evaluate.bias.scope.check_subsets`.
    """
    found: dict[str, Any] = {}
    check_subsets(evaluation.benchmark.name, subsets, evaluation.benchmark.languages)
    for codes in subsets:
        part = tabulate(*restricted(evaluation.counts, evaluation.benchmark, codes), settings=settings)
        part = with_fairness(part, None) if "multi" in settings else part
        found["+".join(codes)] = {key: part.summary[key] for key in (*settings, "bias", "counts") if key in part.summary}
    return replace(evaluation, summary=evaluation.summary | {"subsets": found})
