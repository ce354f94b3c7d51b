"""Measures of top-k runs: nDCG@10, R@100, MRR, mAP per language, macro and per query, for runs made here or elsewhere.

A run holds the first k passages of each query alone. Measures whose cut-off is within k are exact; mAP counts a
relevant passage beyond k as not found, as trec_eval does. Ties within the run are expectations (see
`triglot.measures`).
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from triglot.corpus.collection import Collection, clusters
from triglot.corpus.formats.runs import Run, coverage_of
from triglot.corpus.formats.trec import Qrels, check_id
from triglot.corpus.retrieval import RetrievalSet
from triglot.corpus.tally import Tally
from triglot.evaluate.tables import Evaluation
from triglot.files import InputError
from triglot.measures import Measure, reported
from triglot.measures.ranks import Blocks, tie_blocks
from triglot.measures.result import Result

SETTING = "ranked"
_RESULTS = 1 << 19  # measured at a time


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
        candidate_text: what a passage is, where the reader had the choice.
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
    candidate_text: str = ""


@dataclass(frozen=True, repr=False)
class Outcome(Result):
    """What `write_results` writes of a benchmark: its entry, the figures by language, the columns of the per-query
    file.
    """

    summary: dict[str, Any]
    by_language: dict[str, Any]
    queries: dict[str, np.ndarray]
    texts: Mapping[str, str] = field(default_factory=dict)

    @property
    def asked(self) -> Mapping[str, str]:
        return self.texts


def judged(benchmark: RetrievalSet | Collection) -> Judged:
    """The queries and judgements of a benchmark. Passages of grade 0 are kept: they are judged, and runs are saved with
    them.
    """
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
        return Judged(
            benchmark.name, benchmark.languages, ids, *of_queries, qrels, None, benchmark.notes, benchmark.licence
        )
    texts, rows, absent = benchmark.queries, benchmark.judgements, benchmark.absent
    answered = np.zeros(len(texts), bool)
    answered[rows[rows[:, 2] > 0, 0]] = True
    answered[absent.relevant().query] = True
    rows, absent = rows[answered[rows[:, 0]]], absent.take(np.flatnonzero(answered[absent.query]))
    documents = [benchmark.passages.ids[i] for i in rows[:, 1].tolist()]
    asked = [texts.ids[i] for i in (*rows[:, 0].tolist(), *absent.query.tolist())]
    qrels = Qrels(asked, [*documents, *absent.ids], np.r_[rows[:, 2], absent.grade])
    kept = texts.take(np.flatnonzero(answered))
    of_benchmark = {
        "notes": benchmark.remarks,
        "licence": benchmark.licence,
        "candidate_text": benchmark.candidate_text,
    }
    return Judged(
        benchmark.name,
        benchmark.languages,
        kept.ids,
        kept.lang,
        kept.cluster,
        qrels,
        benchmark.passages.ids,
        **of_benchmark,
    )


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
        if isinstance(benchmark, Collection) and passages:
            for code in benchmark.languages:
                for documents in benchmark.documents(code, Tally()):
                    for identifier in documents.ids:
                        check_id(identifier, "document")
    except InputError as error:
        raise InputError(
            f"{benchmark.name}: {error}; without its run (--save-run) the benchmark can be evaluated"
        ) from None


class Judge:
    """The figures of a run that is shown in parts, each query in one of them; what is held of a part are its queries'
    figures.

    Args:
        against: from `judged`.
        extra: measures beside the usual ones: names such as `ndcg@100` or `hit@1`, or rows of one's own.
        ties: `expected` for the expectation over random orders, `trec` for trec_eval's order.
    """

    def __init__(self, against: Judged, *, extra: Sequence[str | Measure] = (), ties: str = "expected"):
        if ties not in ("expected", "trec"):
            raise InputError(f"ties: 'expected' or 'trec', not {ties!r}")
        self._against, self._ties = against, ties
        self._measures = [one for one in reported("ranked", extra) if one.of == "ranks" and "bias" not in one.where]
        self._place = {identifier: row for row, identifier in enumerate(against.ids)}
        relevant = np.flatnonzero(against.qrels.grades > 0)
        query = np.array([self._place[against.qrels.queries[i]] for i in relevant.tolist()], np.int64)
        order = np.argsort(query, kind="stable")
        self._documents = [against.qrels.documents[i] for i in relevant[order].tolist()]
        self._grade = against.qrels.grades[relevant[order]]
        self._first = np.searchsorted(query[order], np.arange(len(against.ids) + 1))  # relevant document of each query
        shape = (len(self._measures), len(against.ids))
        self._values, self._in_order = np.empty(shape), np.empty(shape)
        self._shown = np.zeros(len(against.ids), bool)
        self._pool = None if against.pool is None else {*against.pool, *against.qrels.documents}
        self._returned: list[str] = []
        self._lengths: list[np.ndarray] = []
        self._ties_found = self._strange = self._known = 0
        self._stranger = ""
        self._themselves: set[str] = set()

    def show(self, run: Run) -> None:
        """Measure a part of the run, or all of it. Raises InputError where a query was shown before."""
        starts, rows = run.starts, np.array([self._place.get(identifier, -1) for identifier in run.queries], np.int64)
        if self._shown[rows[rows >= 0]].any():
            raise InputError("run: a query stands in two parts of it")
        self._shown[rows[rows >= 0]] = True
        self._returned += run.queries
        self._lengths.append(np.diff(starts))
        self._count_strangers(run)
        numbers = {identifier: number for number, identifier in enumerate(run.documents)}
        twin = np.array([numbers.get(identifier, -1) for identifier in run.queries], np.int64)
        self._themselves.update(run.documents[i] for i in run.document[run.document == twin[run.query]].tolist())
        places: list[np.ndarray] = []

        def by_name() -> np.ndarray:
            """(documents,) place in the order of ids, worked out once and only where it is needed."""
            if not places:
                places.append(np.empty(len(run.documents), np.int64))
                names = np.array([i.encode() for i in run.documents], dtype=object)
                places[0][np.argsort(names, kind="stable")] = np.arange(len(run.documents))
            return places[0]

        begin = 0
        while begin < len(rows):
            end = max(begin + 1, int(np.searchsorted(starts, starts[begin] + _RESULTS, side="right")) - 1)
            here = slice(int(starts[begin]), int(starts[end]))
            part = run.query[here] - begin, run.document[here], run.score[here]
            self._measure(rows[begin:end], *part, numbers, by_name)
            begin = end

    def _count_strangers(self, run: Run) -> None:
        """Of returned documents, those that the benchmark does not have."""
        if self._pool is None:
            return
        strange = np.array([identifier not in self._pool for identifier in run.documents], bool)
        self._known += int((~strange).sum())
        if strange.any():
            self._stranger = self._stranger or run.documents[int(strange.argmax())]
            self._strange += int(strange[run.document].sum())

    def _measure(
        self,
        rows: np.ndarray,
        query: np.ndarray,
        document: np.ndarray,
        score: np.ndarray,
        numbers: Mapping[str, int],
        by_name: Callable[[], np.ndarray],
    ) -> None:
        """Figures of some queries.

        Args:
            rows: (queries,) of `against`, -1 for one that is not judged.
            query: (results,) index into `rows`, ascending.
            document: (results,) number of the document.
            score: (results,) descending within a query.
            numbers: document -> number.
            by_name: gives the place of each document in the order of ids.
        """
        count = np.where(rows >= 0, self._first[rows + 1] - self._first[rows], 0)
        asked = np.repeat(np.arange(len(rows)), count)
        judged_rows = np.arange(len(asked)) - (np.cumsum(count) - count)[asked] + self._first[rows[asked]]
        wanted = np.array([numbers.get(self._documents[i], -1) for i in judged_rows.tolist()], np.int64)
        results = _Results(query, document, score, asked, wanted, self._grade[judged_rows], len(rows))
        blocks, ties = results.in_order(by_name()) if self._ties == "trec" else results.expected()
        self._ties_found += ties
        plain = blocks
        if self._ties == "trec" or ties or (score.dtype != np.float32 and results.close()):
            plain, _ = results.in_order(by_name())
        kept = rows >= 0
        for number, measure in enumerate(self._measures):
            values = measure.values(blocks)
            self._values[number, rows[kept]] = values[kept]
            self._in_order[number, rows[kept]] = (values if plain is blocks else measure.values(plain))[kept]

    def outcome(self, *, notes: Sequence[str] = (), passages: Mapping[str, int] | None = None) -> Outcome:
        """The figures. A query without results scores 0, and is counted in the notes.

        Args:
            notes: printed beside the results, after those of the benchmark.
            passages: language -> size of its pool, where the benchmark cannot tell.

        Returns:
            macro averages over query languages under `ranked`, micro averages over queries under `micro.ranked`.

        Raises:
            InputError: run and judgements share no query, or no returned passage is one of the benchmark's.
        """
        against, deepest = self._against, max((one.cut or 1 for one in self._measures), default=1)
        pool = max((passages or {}).values(), default=0) if against.pool is None else len(against.pool)
        lengths = np.concatenate([np.zeros(0, np.int64), *self._lengths])
        covered = coverage_of(self._returned, lengths, against.qrels, k=min(deepest, pool or deepest))
        said = [*notes, *covered, *self._strangers(), *self._twins()]
        nothing = np.zeros(0, np.int64)
        self._measure(np.flatnonzero(~self._shown), nothing, nothing, np.zeros(0, np.float32), {}, lambda: nothing)
        values = {one.name: column for one, column in zip(self._measures, self._values, strict=True)}
        if self._ties_found:
            away = max(
                float(np.abs((in_order - column).mean()))
                for in_order, column in zip(self._in_order, self._values, strict=True)
            )
            said.append(
                f"{self._ties_found} relevant passages tie with others: figures are means over the orders of ties;"
                f" trec_eval's, which is by id, gives figures up to {away:.4f} away"
            )
        lang = against.lang.astype(np.int64)
        number = np.bincount(lang, minlength=len(against.languages))
        spoken = np.flatnonzero(number)
        means = {
            name: np.bincount(lang, weights=column, minlength=len(number))[spoken] / number[spoken]
            for name, column in values.items()
        }
        counts = {"queries": len(against.ids), "ties": self._ties_found, "results": int(lengths.sum())}
        if pool:
            counts["passages"] = len(against.pool) if against.pool is not None else sum((passages or {}).values())
        summary: dict[str, Any] = {
            SETTING: {name: float(value.mean()) for name, value in means.items()},
            "micro": {SETTING: {name: float(column.mean()) for name, column in values.items()}},
            "counts": counts,
            "notes": [*against.notes, *said],
            "licence": against.licence,
        }
        if against.candidate_text:
            summary["candidate_text"] = against.candidate_text
        codes = against.languages
        by_language: dict[str, Any] = {
            "languages": list(codes),
            SETTING: {
                codes[g]: {name: float(value[i]) for name, value in means.items()}
                for i, g in enumerate(spoken.tolist())
            },
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
            "relevant": np.diff(self._first),
        }
        return Outcome(summary, by_language, queries | values)

    def _strangers(self) -> list[str]:
        """A note about returned passages that the benchmark does not have.

        Raises InputError where it has none of them.
        """
        if not self._stranger:
            return []
        if not self._known:
            assert self._against.pool is not None
            like = f"the first is {self._stranger!r}, not like {self._against.pool[0]!r}"
            raise InputError(f"{self._against.name}: none of the run's documents is in the benchmark, {like}")
        what = f"{self._strange} results name passages that the benchmark does not have (first: {self._stranger})"
        return [f"{what}; they keep their ranks and count as not relevant"]

    def _twins(self) -> list[str]:
        """A note about results that have the id of their query and are not judged relevant: a run is measured as it
        is."""
        qrels = self._against.qrels
        judged = zip(qrels.queries, qrels.documents, qrels.grades.tolist(), strict=True)
        twins = self._themselves - {query for query, document, grade in judged if query == document and grade > 0}
        what = "queries have the passage of their own id in the run (ArguAna's, for one, is the query itself)"
        return [f"{len(twins)} {what}; BEIR leaves it out, here it counts (first: {min(twins)})"] if twins else []


@dataclass(frozen=True)
class _Results:
    """Results of some queries and what is relevant for them.

    Attributes:
        query, document, score: (results,) as in a run.
        asked, wanted, grade: (relevant,) query, document (-1 where the run has it nowhere) and grade.
        queries: how many.
    """

    query: np.ndarray
    document: np.ndarray
    score: np.ndarray
    asked: np.ndarray
    wanted: np.ndarray
    grade: np.ndarray
    queries: int

    def _begins(self) -> np.ndarray:
        """(results,) the first row of each one's query."""
        return np.searchsorted(self.query, np.arange(self.queries))[self.query]

    def _single(self) -> np.ndarray:
        """Scores as 32-bit floats, as trec_eval holds them; what is too large for one becomes infinite, and ties."""
        with np.errstate(over="ignore"):
            return self.score.astype(np.float32)

    def close(self) -> bool:
        """Whether neighbours have one score as 32-bit floats."""
        score = self._single()
        return bool(((self.query[1:] == self.query[:-1]) & (score[1:] == score[:-1])).any())

    def expected(self) -> tuple[Blocks, int]:
        """Tie blocks, and how many relevant documents tie with another one."""
        first = np.r_[True, (self.query[1:] != self.query[:-1]) | (self.score[1:] != self.score[:-1])][
            : len(self.query)
        ]
        starts, block = np.flatnonzero(first), np.cumsum(first) - 1
        size = np.diff(np.r_[starts, len(self.query)])
        return self._blocks(self.document, starts[block] - self._begins(), size[block] - 1)

    def in_order(self, place: np.ndarray) -> tuple[Blocks, int]:
        """As `expected`, in trec_eval's order: scores as 32-bit floats, equal ones by document id, the last first."""
        order = np.lexsort((-place[self.document], -self._single(), self.query))
        above = np.arange(len(order)) - self._begins()  # rows of a query stay together whatever the order within it
        return self._blocks(self.document[order], above, np.zeros(len(order), np.int64))

    def _blocks(self, document: np.ndarray, above: np.ndarray, tied: np.ndarray) -> tuple[Blocks, int]:
        width = int(document.max(initial=-1)) + 1
        keys = self.query * width + document
        order = np.argsort(keys, kind="stable")
        keys = np.append(keys[order], -1)  # what is behind the last is nothing
        inside = np.flatnonzero((self.wanted >= 0) & (self.wanted < width))
        key = self.asked[inside] * width + self.wanted[inside]
        at = np.searchsorted(keys[:-1], key)
        match = keys[at] == key
        retrieved = np.zeros(len(self.wanted), bool)
        retrieved[inside[match]] = True
        hit = order[at[match]]
        blocks = tie_blocks(
            self.asked[retrieved],
            above[hit],
            tied[hit],
            queries=self.queries,
            grade=self.grade[retrieved],
            missing_query=self.asked[~retrieved],
            missing_grade=self.grade[~retrieved],
        )
        return blocks, int((tied[hit] > 0).sum())


def evaluate_run(
    run: Run,
    against: Judged,
    *,
    extra: Sequence[str | Measure] = (),
    notes: Sequence[str] = (),
    passages: Mapping[str, int] | None = None,
    ties: str = "expected",
) -> Outcome:
    """Measure a run; arguments and result are those of `Judge` and its `outcome`."""
    judge = Judge(against, extra=extra, ties=ties)
    judge.show(run)
    return judge.outcome(notes=notes, passages=passages)


def join(evaluation: Evaluation, outcome: Outcome) -> Outcome:
    """The settings of a whole ranking and the figures of a run over the same benchmark, as one entry."""
    summary, ranked = dict(evaluation.summary), outcome.summary
    summary = {SETTING: ranked[SETTING]} | summary
    summary["micro"] = evaluation.summary["micro"] | ranked["micro"]
    summary["counts"] = evaluation.summary["counts"] | {"results": ranked["counts"]["results"]}
    summary["notes"] = list(dict.fromkeys([*evaluation.summary["notes"], *ranked["notes"]]))
    by_language = evaluation.by_language | {SETTING: outcome.by_language[SETTING]}
    return Outcome(summary, by_language, _stack(evaluation.queries, outcome.queries), evaluation.asked)


def _stack(first: Mapping[str, np.ndarray], second: Mapping[str, np.ndarray]) -> dict[str, np.ndarray]:
    """Columns of two tables under one another, NaN where one has no such column."""
    sizes = [len(table["query_id"]) for table in (first, second)]
    return {
        name: np.concatenate(
            [table.get(name, np.full(size, np.nan)) for table, size in zip((first, second), sizes, strict=True)]
        )
        for name in dict.fromkeys([*first, *second])
    }
