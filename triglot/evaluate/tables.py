"""From a count table to the tables that are reported: three settings, every language and ordered pair, bias, each
query.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.counts import ITSELF, Counts
from triglot.measures import Measure, reported
from triglot.measures.ranks import tie_blocks
from triglot.measures.result import Result

SETTINGS = ("mono", "cross", "multi")


@dataclass(frozen=True, repr=False)
class Evaluation(Result):
    """What one retriever reached on one benchmark.

    Attributes:
        benchmark: what it was measured on.
        summary: macro averages a setting, micro averages, bias, counts, notes: a benchmark's entry in results.json.
        by_language: per language and as a matrix: the content of NAME.languages.json.
        rows: columns of equal length, one row a (query, setting, passage language), all as numbers: `query` and
            `passage_lang` index the benchmark (-1 for the pool), `setting` indexes `SETTINGS`, then `relevant` and a
            column a measure.
        counts: the count table, for other pools (any subset of languages).
    """

    benchmark: RetrievalSet
    summary: dict[str, Any]
    by_language: dict[str, Any]
    rows: dict[str, np.ndarray]
    counts: Counts

    @property
    def asked(self) -> Mapping[str, str]:
        return dict(zip(self.benchmark.queries.ids, self.benchmark.queries.texts, strict=True))

    @property
    def queries(self) -> dict[str, np.ndarray]:
        """`rows` with names in place of indices, and clusters: the content of NAME.queries.parquet."""
        query, texts = self.rows["query"], np.array([*self.benchmark.languages, ""], dtype=object)
        return {
            "query_id": np.array(self.benchmark.queries.ids, dtype=object)[query],
            "query_lang": texts[self.benchmark.queries.lang[query]],
            "cluster": self.benchmark.queries.cluster[query],
            "setting": np.array(SETTINGS, dtype=object)[self.rows["setting"]],
            "passage_lang": texts[self.rows["passage_lang"]],
        } | {name: column for name, column in self.rows.items() if name not in ("query", "setting", "passage_lang")}


def _measure(
    row: np.ndarray,
    above: np.ndarray,
    tied: np.ndarray,
    grade: np.ndarray,
    total: np.ndarray,
    wanted: Sequence[Measure],
    absent: tuple[np.ndarray, np.ndarray],
) -> dict[str, np.ndarray]:
    """Measures of each row (a query in a setting), each (rows,), from the relevant passages in it, ordered by row.

    Most rows have one relevant passage and no tie: their values are looked up by rank, the others worked out one by
    one.

    Args:
        row: (relevant,) the row of each relevant passage.
        above: (relevant,) passages above it in the row's pool.
        tied: (relevant,) others that tie with it there.
        grade: (relevant,).
        total: (rows,) relevant passages of each row.
        wanted: the measures.
        absent: row and grade of relevant passages that the corpus does not have.
    """
    plain = (total[row] == 1) & (tied == 0) & (grade == 1)
    ranks = np.arange(above[plain].max(initial=-1) + 1)
    singles = tie_blocks(ranks, ranks, np.zeros_like(ranks), queries=len(ranks))
    rest = ~plain
    others = np.bincount(np.r_[row[rest], absent[0]], minlength=len(total)) > 0
    place = np.cumsum(others) - 1
    missing = {"missing_query": place[absent[0]], "missing_grade": absent[1]}
    blocks = tie_blocks(
        place[row[rest]], above[rest], tied[rest], queries=int(others.sum()), grade=grade[rest], **missing
    )
    simple, rank = row[plain], above[plain]
    out = {}
    for measure in wanted:
        out[measure.name] = np.empty(len(total))
        out[measure.name][simple] = measure.values(singles)[rank]
        out[measure.name][others] = measure.values(blocks)
    return out


def _rows(
    counts: Counts, benchmark: RetrievalSet, settings: Sequence[str], wanted: Sequence[Measure], bias: Sequence[Measure]
) -> dict[str, np.ndarray]:
    """The per-query table as numbers; see `Evaluation.rows`."""
    languages = len(benchmark.languages)
    query_lang = benchmark.queries.lang.astype(np.int64)
    passage_lang = benchmark.passages.lang.astype(np.int64)[counts.passage]
    absent = benchmark.absent.relevant()
    parts: list[dict[str, np.ndarray]] = []
    if "mono" in settings or "cross" in settings:
        same = passage_lang == query_lang[counts.query]
        pair = np.flatnonzero((same & ("mono" in settings)) | (~same & ("cross" in settings)))
        key = counts.query[pair] * languages + passage_lang[pair]
        order = np.argsort(key, kind="stable")  # fast when the passages stand by language
        pair, key = pair[order], key[order]
        same = absent.lang == query_lang[absent.query]
        lacking = np.flatnonzero((same & ("mono" in settings)) | (~same & ("cross" in settings)))
        lacking_key = absent.query[lacking] * languages + absent.lang[lacking]
        number = np.bincount(np.r_[key, lacking_key], minlength=len(query_lang) * languages)
        kept = np.flatnonzero(number)
        row, lang = np.searchsorted(kept, key), passage_lang[pair]
        missing = np.searchsorted(kept, lacking_key), absent.grade[lacking]
        part = {"query": kept // languages, "passage_lang": kept % languages, "relevant": number[kept]}
        part["setting"] = (part["passage_lang"] != query_lang[part["query"]]).astype(np.int64)
        part |= _measure(
            row, counts.above[pair, lang], counts.tied[pair, lang], counts.grade[pair], number[kept], wanted, missing
        )
        parts.append(part | {one.name: np.full(len(kept), np.nan) for one in bias})
    if "multi" in settings:
        number = np.bincount(np.r_[counts.query, absent.query], minlength=len(query_lang))
        kept = np.flatnonzero(number)
        row, missing = np.searchsorted(kept, counts.query), (np.searchsorted(kept, absent.query), absent.grade)
        above, tied = counts.above.sum(1, dtype=np.int64), counts.tied.sum(1, dtype=np.int64)
        part = {
            "query": kept,
            "passage_lang": np.full(len(kept), -1),
            "relevant": number[kept],
            "setting": np.full(len(kept), 2),
        }
        part |= _measure(row, above, tied, counts.grade, number[kept], [*wanted, *bias], missing)
        senseless = [one for one in bias if "parallel" in one.needs and not benchmark.parallel]
        parts.append(part | {one.name: np.full(len(kept), np.nan) for one in senseless})
    columns = ("query", "setting", "passage_lang", "relevant", *(one.name for one in (*wanted, *bias)))
    return {name: np.concatenate([part[name] for part in parts]) for name in columns}


def _group_means(group: np.ndarray, groups: int, values: np.ndarray) -> np.ndarray:
    """(groups,) mean of the values, NaN for a group without any."""
    number = np.bincount(group, minlength=groups)
    return np.where(number > 0, np.bincount(group, weights=values, minlength=groups) / np.maximum(number, 1), np.nan)


def tabulate(
    counts: Counts,
    benchmark: RetrievalSet,
    *,
    settings: Sequence[str] = SETTINGS,
    extra: Sequence[str | Measure] = (),
    notes: Sequence[str] = (),
) -> Evaluation:
    """Every setting, language and query of a benchmark from its count table.

    A setting counts the queries that have a relevant passage in it. Macro averages are over languages (mono, multi) or
    ordered pairs (cross); micro averages over queries. A setting without queries is absent, and so is bias where
    answers are not parallel.

    Args:
        counts: from `count_embeddings` or `count_scores`.
        benchmark: what was counted.
        settings: which of mono, cross, multi to report.
        extra: measures beside the usual ones: names such as `ndcg@10` or `r@100`, or rows of one's own.
        notes: printed beside the results, after those of the benchmark.
    """
    codes, languages = benchmark.languages, len(benchmark.languages)
    wanted = [one for one in reported("settings", extra) if one.of == "ranks" and "bias" not in one.where]
    biased = [one for one in reported("bias", extra) if one.of == "ranks" and "bias" in one.where]
    names = [one.name for one in wanted]
    table = _rows(counts, benchmark, settings, wanted, biased)
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
        means = {name: _group_means(group, size, table[name][rows]) for name in names}
        summary[setting] = {name: float(np.nanmean(value)) for name, value in means.items()}
        micro[setting] = {name: float(table[name][rows].mean()) for name in names}
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
    for name in (one.name for one in biased):
        rows = np.flatnonzero(~np.isnan(table[name]))
        value = _group_means(query_lang[rows], languages, table[name][rows])
        spoken = np.flatnonzero(~np.isnan(value))
        if len(spoken):
            summary.setdefault("bias", {})[name] = float(value[spoken].mean())
            for g in spoken.tolist():
                by_language.setdefault("bias", {}).setdefault(codes[g], {})[name] = float(value[g])
    left = len(benchmark.queries) - len(np.unique(table["query"]))
    wide = (
        counts.tied.sum(1)
        if "multi" in settings
        else counts.tied[np.arange(len(counts.query)), benchmark.passages.lang[counts.passage]]
    )
    summary["counts"] = {
        "queries": len(benchmark.queries),
        "passages": len(benchmark.passages),
        "ties": int((wide > 0).sum()),
    }
    unjudged = (
        [f"{left} queries have no relevant passage in the settings reported and are counted nowhere"] if left else []
    )
    summary["notes"] = [*benchmark.remarks, *notes, *unjudged, *([ITSELF] if len(benchmark.itself) else [])]
    summary["licence"] = benchmark.licence
    if benchmark.candidate_text:
        summary["candidate_text"] = benchmark.candidate_text
    by_language["queries"] = dict(zip(codes, np.bincount(benchmark.queries.lang, minlength=languages).tolist()))
    by_language["passages"] = dict(zip(codes, np.bincount(benchmark.passages.lang, minlength=languages).tolist()))
    return Evaluation(benchmark, summary, by_language, table, counts)
