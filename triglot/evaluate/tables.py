"""From a count table to the tables that are reported: three settings, every language and ordered pair, bias, each query."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from triglot import measures
from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.counts import Counts
from triglot.files import InputError

SETTINGS = ("mono", "cross", "multi")
MEASURES = ("ap", "ap@20", "rr", "r@1", "r@10", "hit@1")
BIAS = ("rank_distance", "max_rank")
_MEANS = {"ap": "map", "rr": "mrr"}
_CANDIDATE = "candidate text: "  # how readers begin the note on what a candidate is


@dataclass(frozen=True)
class Evaluation:
    """What one retriever reached on one benchmark.

    Attributes:
        name: of the benchmark.
        languages: its codes.
        summary: macro averages a setting, micro averages, bias, counts, notes: a benchmark's entry in results.json.
        by_language: per language and as a matrix: the content of NAME.languages.json.
        queries: columns of equal length, one row a (query, setting, passage language): the content of NAME.queries.parquet.
        counts: the count table, for other pools (any subset of languages).
    """

    name: str
    languages: tuple[str, ...]
    summary: dict[str, Any]
    by_language: dict[str, Any]
    queries: dict[str, np.ndarray]
    counts: Counts

    def to_json(self) -> dict[str, Any]:
        """The benchmark's entry in results.json."""
        return self.summary


def mean_name(measure: str) -> str:
    """The name of a measure's mean: `ap@20` -> `map@20`, `rr` -> `mrr`, others as they are."""
    base, _, cut = measure.partition("@")
    base = _MEANS.get(base, base)
    return f"{base}@{cut}" if cut else base


def measure_values(blocks: measures.Blocks, measure: str) -> np.ndarray:
    """One value a query of a measure written as in results: ap, rr, ndcg (with or without @k), r@k, hit@k, and the two of bias."""
    if measure == "rank_distance":
        return measures.rank_distance(blocks)
    if measure == "max_rank":
        return measures.max_rank(blocks)
    base, _, cut = measure.partition("@")
    if base not in ("ap", "rr", "ndcg", "r", "hit") or (cut and not cut.isdigit()) or (base in ("r", "hit") and not cut):
        raise InputError(f"no measure {measure!r}; known: ap, rr, ndcg (or with @k), r@k, hit@k")
    k = int(cut) if cut else None
    if base == "ap":
        return measures.average_precision(blocks, k)
    if base == "rr":
        return measures.reciprocal_rank(blocks, k)
    if base == "ndcg":
        return measures.ndcg(blocks, k)
    return measures.recall(blocks, k or 0) if base == "r" else measures.hit(blocks, k or 0)


def _rows(counts: Counts, benchmark: RetrievalSet, settings: Sequence[str], names: Sequence[str]) -> dict[str, np.ndarray]:
    """The per-query table with indices in place of ids: query, setting, passage_lang, relevant and a column a measure."""
    languages = len(benchmark.languages)
    passage_lang = benchmark.passages.lang[counts.passage].astype(np.int64)
    pair = np.arange(len(counts.query))
    parts: list[dict[str, np.ndarray]] = []
    if "mono" in settings or "cross" in settings:
        same = passage_lang == benchmark.queries.lang[counts.query]
        keep = np.flatnonzero((same & ("mono" in settings)) | (~same & ("cross" in settings)))
        rows, row = np.unique(counts.query[keep] * languages + passage_lang[keep], return_inverse=True)
        lang = passage_lang[keep]
        blocks = measures.tie_blocks(
            row.reshape(-1), counts.above[pair[keep], lang], counts.tied[pair[keep], lang], queries=len(rows), grade=counts.grade[keep]
        )
        query, lang = rows // languages, rows % languages
        part = {"query": query, "setting": (lang != benchmark.queries.lang[query]).astype(np.int64), "passage_lang": lang}
        part |= {"relevant": blocks.total} | {name: measure_values(blocks, name) for name in names}
        parts.append(part | {name: np.full(len(rows), np.nan) for name in BIAS})
    if "multi" in settings:
        query, row = np.unique(counts.query, return_inverse=True)
        above, tied = counts.above.sum(1, dtype=np.int64), counts.tied.sum(1, dtype=np.int64)
        blocks = measures.tie_blocks(row.reshape(-1), above, tied, queries=len(query), grade=counts.grade)
        part = {"query": query, "setting": np.full(len(query), 2), "passage_lang": np.full(len(query), -1), "relevant": blocks.total}
        part |= {name: measure_values(blocks, name) for name in names}
        nothing = np.full(len(query), np.nan)
        parts.append(part | {name: measure_values(blocks, name) if benchmark.parallel else nothing for name in BIAS})
    return {key: np.concatenate([part[key] for part in parts]) for key in parts[0]}


def _group_means(group: np.ndarray, groups: int, values: np.ndarray) -> np.ndarray:
    """(groups,) mean of the values that are numbers, NaN for a group without any."""
    known = ~np.isnan(values)
    number = np.bincount(group[known], minlength=groups)
    total = np.bincount(group[known], weights=values[known], minlength=groups)
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def tabulate(
    counts: Counts,
    benchmark: RetrievalSet,
    *,
    settings: Sequence[str] = SETTINGS,
    extra: Sequence[str] = (),
    notes: Sequence[str] = (),
) -> Evaluation:
    """Every setting, language and query of a benchmark from its count table.

    A setting counts the queries that have a relevant passage in it. Macro averages are over languages (mono, multi) or ordered
    pairs (cross); micro averages over queries. A setting without queries is absent, and so is bias where answers are not parallel.

    Args:
        counts: from `count_embeddings` or `count_scores`.
        benchmark: what was counted.
        settings: which of mono, cross, multi to report.
        extra: measures beside the usual ones, such as `ndcg@10` or `r@100`.
        notes: printed beside the results, after those of the benchmark.
    """
    codes, languages = benchmark.languages, len(benchmark.languages)
    names = list(dict.fromkeys([*MEASURES, *extra]))
    table = _rows(counts, benchmark, settings, names)
    query_lang = benchmark.queries.lang[table["query"]].astype(np.int64)
    summary: dict[str, Any] = {}
    micro: dict[str, Any] = {}
    by_language: dict[str, Any] = {"languages": list(codes)}
    for number, setting in enumerate(SETTINGS):
        rows = np.flatnonzero(table["setting"] == number)
        if setting not in settings or not len(rows):
            continue
        size = languages * languages if setting == "cross" else languages
        group = query_lang[rows] * languages + table["passage_lang"][rows] if setting == "cross" else query_lang[rows]
        means = {mean_name(name): _group_means(group, size, table[name][rows]) for name in names}
        summary[setting] = {name: float(np.nanmean(value)) for name, value in means.items()}
        micro[setting] = {mean_name(name): float(table[name][rows].mean()) for name in names}
        present = np.flatnonzero(np.bincount(group, minlength=size)).tolist()
        entry: dict[str, Any] = {}
        for g in present:
            cell = {name: float(value[g]) for name, value in means.items()}
            if setting == "cross":
                entry.setdefault(codes[g // languages], {})[codes[g % languages]] = cell
            else:
                entry[codes[g]] = cell
        by_language[setting] = entry
    summary["micro"] = micro
    bias = {name: _group_means(query_lang, languages, table[name]) for name in BIAS}
    spoken = np.flatnonzero(~np.isnan(bias["rank_distance"]))
    if len(spoken):
        summary["bias"] = {name: float(value[spoken].mean()) for name, value in bias.items()}
        by_language["bias"] = {codes[g]: {name: float(value[g]) for name, value in bias.items()} for g in spoken.tolist()}
    judged = len(np.unique(counts.query))
    left = len(benchmark.queries) - judged
    wide = counts.tied.sum(1) if "multi" in settings else counts.tied[np.arange(len(counts.query)), benchmark.passages.lang[counts.passage]]
    summary["counts"] = {"queries": len(benchmark.queries), "passages": len(benchmark.passages), "ties": int((wide > 0).sum())}
    unjudged = [f"{left} queries have no relevant passage in the settings reported and are counted nowhere"] if left else []
    summary["notes"] = [*benchmark.notes, *notes, *unjudged]
    summary["licence"] = benchmark.licence
    candidate = [note.removeprefix(_CANDIDATE) for note in benchmark.notes if note.startswith(_CANDIDATE)]
    if candidate:
        summary["candidate_text"] = candidate[0]
    by_language["queries"] = dict(zip(codes, np.bincount(benchmark.queries.lang, minlength=languages).tolist()))
    by_language["passages"] = dict(zip(codes, np.bincount(benchmark.passages.lang, minlength=languages).tolist()))
    texts = np.array(codes, dtype=object)
    columns: dict[str, np.ndarray] = {
        "query_id": np.array(benchmark.queries.ids, dtype=object)[table["query"]],
        "query_lang": texts[query_lang],
        "cluster": benchmark.queries.cluster[table["query"]],
        "setting": np.array(SETTINGS, dtype=object)[table["setting"]],
        "passage_lang": np.append(texts, "")[table["passage_lang"]],
    } | {name: table[name] for name in ("relevant", *names, *BIAS)}
    return Evaluation(benchmark.name, codes, summary, by_language, columns, counts)
