"""Measures of top-k runs: nDCG@10, R@100, MRR, mAP per language, macro and per query, for runs made here or elsewhere.

A run holds the first k passages of each query alone. Measures whose cut-off is within k are exact; mAP counts a relevant passage
beyond k as not found, as trec_eval does. Ties within the run are expectations (see `triglot.measures`).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from triglot import measures
from triglot.corpus.collection import Collection, clusters
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.runs import Run, coverage
from triglot.corpus.tally import Tally
from triglot.corpus.trec import Qrels, check_id
from triglot.evaluate.tables import CANDIDATE, Evaluation, mean_name, measure_values
from triglot.files import InputError

MEASURES = ("ndcg@10", "r@100", "rr@10", "rr@100", "ap")
SETTING = "ranked"


@dataclass(frozen=True)
class Judged:
    """What runs are measured against: queries that have a relevant passage, and the judgements by id.

    Attributes:
        name: of the benchmark.
        languages: codes.
        ids: of the queries.
        lang: (queries,) int16 index into `languages`.
        cluster: (queries,) int32, the unit that resampling draws.
        qrels: judgements of these queries.
        pool: ids of all passages where they are known (a corpus that is streamed or absent is not).
        notes: of the benchmark.
        licence: of the data.
    """

    name: str
    languages: tuple[str, ...]
    ids: list[str]
    lang: np.ndarray
    cluster: np.ndarray
    qrels: Qrels
    pool: list[str] | None = None
    notes: tuple[str, ...] = ()
    licence: str = ""


@dataclass(frozen=True)
class Outcome:
    """What `write_results` writes of a benchmark: its entry, the figures by language, the columns of the per-query file."""

    summary: dict[str, Any]
    by_language: dict[str, Any]
    queries: dict[str, np.ndarray] = field(repr=False)

    def to_json(self) -> dict[str, Any]:
        """The benchmark's entry in results.json."""
        return self.summary


def judged(benchmark: RetrievalSet | Collection) -> Judged:
    """The queries and judgements of a benchmark. Passages of grade 0 are kept: they are judged, and runs are saved with them."""
    if isinstance(benchmark, Collection):
        ids, documents, queries, grades, lang, cluster = [], [], [], [], [], []
        first = 0
        for number, (code, part) in enumerate(benchmark.parts.items()):
            prefix = benchmark.prefix(code)
            ids += [prefix + query for query in part.topics]
            queries += [prefix + query for query in part.qrels.queries]
            documents += [prefix + document for document in part.qrels.documents]
            grades.append(part.qrels.grades)
            lang.append(np.full(len(part.topics), number, np.int16))
            cluster.append(clusters(part) + first)
            first = int(cluster[-1].max()) + 1
        qrels = Qrels(queries, documents, np.concatenate(grades))
        of_queries = np.concatenate(lang), np.concatenate(cluster)
        return Judged(benchmark.name, benchmark.languages, ids, *of_queries, qrels, None, benchmark.notes, benchmark.licence)
    texts, rows, absent = benchmark.queries, benchmark.judgements, benchmark.absent
    answered = np.zeros(len(texts), bool)
    answered[rows[rows[:, 2] > 0, 0]] = True
    answered[absent.relevant().query] = True
    rows, absent = rows[answered[rows[:, 0]]], absent.take(np.flatnonzero(answered[absent.query]))
    documents = [benchmark.passages.ids[i] for i in rows[:, 1].tolist()]
    asked = [texts.ids[i] for i in (*rows[:, 0].tolist(), *absent.query.tolist())]
    qrels = Qrels(asked, [*documents, *absent.ids], np.r_[rows[:, 2], absent.grade])
    kept = texts.take(np.flatnonzero(answered))
    pool = benchmark.passages.ids
    return Judged(benchmark.name, benchmark.languages, kept.ids, kept.lang, kept.cluster, qrels, pool, benchmark.notes, benchmark.licence)


def check_ids(benchmark: RetrievalSet | Collection, *, passages: bool = True) -> None:
    """Raise InputError for an id that no TREC file can hold, before any work is done that could not be saved.

    Args:
        benchmark: whose runs will be written.
        passages: whether the passages of a `Collection` will be ranked here; their ids are read for it.
    """
    against = judged(benchmark)
    try:
        for identifier in against.ids:
            check_id(identifier, "query")
        for identifier in (*(against.pool or ()), *against.qrels.documents):
            check_id(identifier, "document")
        for code in benchmark.languages if isinstance(benchmark, Collection) and passages else ():
            for documents in benchmark.documents(code, Tally()):
                for identifier in documents.ids:
                    check_id(identifier, "document")
    except InputError as error:
        raise InputError(f"{benchmark.name}: {error}; without its run (--save-run) the benchmark can be evaluated") from None


def _blocks(run: Run, against: Judged, ties: str) -> tuple[measures.Blocks, int]:
    """Tie blocks of the run's rows for the queries of `against`, and how many relevant passages tie with another one."""
    if ties not in ("expected", "trec"):
        raise InputError(f"ties: 'expected' or 'trec', not {ties!r}")
    place = {identifier: row for row, identifier in enumerate(against.ids)}
    query = np.array([place.get(identifier, -1) for identifier in run.queries], np.int64)[run.query]
    document, score = run.document, run.score
    if ties == "trec":  # trec_eval: scores as 32-bit floats, equal ones by document id, the last first
        number = np.empty(len(run.documents), np.int64)
        number[np.argsort(np.array([i.encode() for i in run.documents], dtype=object), kind="stable")] = np.arange(len(run.documents))
        score = score.astype(np.float32)
        order = np.lexsort((-number[document], -score, run.query))
        query, document, score = query[order], document[order], score[order]
    begins = run.starts[run.query]  # rows of a query stay together whatever the order within it
    row = np.arange(len(query))
    if ties == "trec":
        above, tied = row - begins, np.zeros(len(row), np.int64)
    else:
        first = np.r_[True, (run.query[1:] != run.query[:-1]) | (score[1:] != score[:-1])]
        starts = np.flatnonzero(first)
        block = np.cumsum(first) - 1
        size = np.diff(np.r_[starts, len(row)])
        above, tied = starts[block] - begins, size[block] - 1
    numbers = {identifier: number for number, identifier in enumerate(run.documents)}
    relevant = against.qrels.grades > 0
    judged_query = np.array([place[q] for q in against.qrels.queries], np.int64)[relevant]
    judged_document = np.array([numbers.get(d, -1) for d in against.qrels.documents], np.int64)[relevant]
    grade = against.qrels.grades[relevant]
    width = len(run.documents) + 1
    keys = query * width + document
    order = np.argsort(keys, kind="stable")
    wanted = judged_query * width + judged_document
    at = np.minimum(np.searchsorted(keys[order], wanted), len(keys) - 1)
    found = (judged_document >= 0) & (keys[order][at] == wanted)
    hit = order[at[found]]
    blocks = measures.tie_blocks(
        judged_query[found],
        above[hit],
        tied[hit],
        queries=len(against.ids),
        grade=grade[found],
        missing_query=judged_query[~found],
        missing_grade=grade[~found],
    )
    return blocks, int((tied[hit] > 0).sum())


def _cuts(names: Sequence[str]) -> int:
    """The deepest cut-off among measures."""
    return max((int(cut) for _, at, cut in (name.partition("@") for name in names) if at), default=1)


def evaluate_run(
    run: Run,
    against: Judged,
    *,
    extra: Sequence[str] = (),
    notes: Sequence[str] = (),
    passages: Mapping[str, int] | None = None,
    ties: str = "expected",
) -> Outcome:
    """Measure a run. A query without results scores 0, and is counted in the notes.

    Args:
        run: any run over the queries' ids.
        against: from `judged`.
        extra: measures beside `MEASURES`, such as `ndcg@100` or `hit@1`.
        notes: printed beside the results, after those of the benchmark.
        passages: language -> size of its pool, where the benchmark cannot tell.
        ties: `expected` for the expectation over random orders, `trec` for trec_eval's order.

    Returns:
        macro averages over query languages under `ranked`, micro averages over queries under `micro.ranked`.

    Raises:
        InputError: run and judgements share no query, or no returned passage is one of the benchmark's.
    """
    names = list(dict.fromkeys([*MEASURES, *extra]))
    pool = len(against.pool) if against.pool is not None else max(passages.values(), default=0) if passages else 0
    said = [
        *notes,
        *coverage(run, against.qrels, k=min(_cuts(names), pool or _cuts(names))),
        *_strangers(run, against),
        *_themselves(run, against),
    ]
    blocks, ties_found = _blocks(run, against, ties)
    values = {name: measure_values(blocks, name) for name in names}
    if ties_found:
        in_order, _ = _blocks(run, against, "trec")
        away = max(float(np.abs((measure_values(in_order, name) - column).mean())) for name, column in values.items())
        said.append(
            f"{ties_found} relevant passages tie with others: figures are means over the orders of ties;"
            f" trec_eval's, which is by id, gives figures up to {away:.4f} away"
        )
    lang = against.lang.astype(np.int64)
    number = np.bincount(lang, minlength=len(against.languages))
    spoken = np.flatnonzero(number)
    means = {
        mean_name(name): np.bincount(lang, weights=column, minlength=len(number))[spoken] / number[spoken]
        for name, column in values.items()
    }
    counts = {"queries": len(against.ids), "ties": ties_found, "results": len(run)}
    if pool:
        counts["passages"] = len(against.pool) if against.pool is not None else sum((passages or {}).values())
    summary: dict[str, Any] = {
        SETTING: {name: float(value.mean()) for name, value in means.items()},
        "micro": {SETTING: {mean_name(name): float(column.mean()) for name, column in values.items()}},
        "counts": counts,
        "notes": [*against.notes, *said],
        "licence": against.licence,
    }
    candidate = [note.removeprefix(CANDIDATE) for note in against.notes if note.startswith(CANDIDATE)]
    if candidate:
        summary["candidate_text"] = candidate[0]
    codes = against.languages
    by_language: dict[str, Any] = {
        "languages": list(codes),
        SETTING: {codes[g]: {name: float(value[i]) for name, value in means.items()} for i, g in enumerate(spoken.tolist())},
        "queries": dict(zip(codes, number.tolist(), strict=True)),
    }
    if passages:
        by_language["passages"] = dict(passages)
    texts = np.array([*codes, ""], dtype=object)
    queries = {
        "query_id": np.array(against.ids, dtype=object),
        "query_lang": texts[lang],
        "cluster": against.cluster,
        "setting": np.full(len(lang), SETTING, dtype=object),
        "passage_lang": np.full(len(lang), "", dtype=object),
        "relevant": blocks.total,
    }
    return Outcome(summary, by_language, queries | values)


def _strangers(run: Run, against: Judged) -> list[str]:
    """A note about returned passages that the benchmark does not have. Raises InputError where it has none of them."""
    if against.pool is None:
        return []
    known = {*against.pool, *against.qrels.documents}
    strange = np.array([identifier not in known for identifier in run.documents])
    if not strange.any():
        return []
    first = run.documents[int(strange.argmax())]
    if strange.all():
        raise InputError(
            f"{against.name}: none of the run's documents is in the benchmark, the first is {first!r}, not like {against.pool[0]!r}"
        )
    results = int(strange[run.document].sum())
    what = f"{results} results name passages that the benchmark does not have (first: {first})"
    return [f"{what}; they keep their ranks and count as not relevant"]


def _themselves(run: Run, against: Judged) -> list[str]:
    """A note about results that have the id of their query and are not judged relevant: a run is measured as it is."""
    place = {identifier: row for row, identifier in enumerate(run.documents)}
    twin = np.array([place.get(identifier, -1) for identifier in run.queries], np.int64)
    found = {run.documents[i] for i in run.document[run.document == twin[run.query]].tolist()}
    judged = zip(against.qrels.queries, against.qrels.documents, against.qrels.grades.tolist(), strict=True)
    found -= {query for query, document, grade in judged if query == document and grade > 0}
    what = (
        "queries have the passage of their own id in the run (ArguAna's, for one, is the query itself); BEIR leaves it out, here it counts"
    )
    return [f"{len(found)} {what} (first: {min(found)})"] if found else []


def join(evaluation: Evaluation, outcome: Outcome) -> Outcome:
    """The settings of a whole ranking and the figures of a run over the same benchmark, as one entry."""
    summary, ranked = dict(evaluation.summary), outcome.summary
    summary = {SETTING: ranked[SETTING]} | summary
    summary["micro"] = evaluation.summary["micro"] | ranked["micro"]
    summary["counts"] = evaluation.summary["counts"] | {"results": ranked["counts"]["results"]}
    summary["notes"] = list(dict.fromkeys([*evaluation.summary["notes"], *ranked["notes"]]))
    by_language = evaluation.by_language | {SETTING: outcome.by_language[SETTING]}
    return Outcome(summary, by_language, _stack(evaluation.queries, outcome.queries))


def _stack(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns of two tables under one another, NaN where one has no such column."""
    sizes = [len(table["query_id"]) for table in (first, second)]
    return {
        name: np.concatenate([table.get(name, np.full(size, np.nan)) for table, size in zip((first, second), sizes, strict=True)])
        for name in dict.fromkeys([*first, *second])
    }
