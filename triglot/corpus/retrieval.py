"""Queries, passages and judgements to evaluate on."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cached_property

import numpy as np

from triglot.files import InputError, nearest


@dataclass(frozen=True)
class Texts:
    """Texts that travel with their ids, languages and groups.

    Attributes:
        ids: unique within the set.
        texts: what is encoded.
        lang: (n,) int16 index into the set's `languages`.
        group: (n,) int32. Parallel queries share one group. For passages: the cluster of judgements they belong to, -1
            if none.
        cluster: (n,) int32: the unit that resampling draws (the paragraph); translations of one paragraph share it.
    """

    ids: list[str]
    texts: list[str]
    lang: np.ndarray
    group: np.ndarray
    cluster: np.ndarray

    def __repr__(self) -> str:
        return f"Texts({len(self):,})"

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> Texts:
        """The texts at these indices."""
        return Texts(
            [self.ids[i] for i in rows],
            [self.texts[i] for i in rows],
            self.lang[rows],
            self.group[rows],
            self.cluster[rows],
        )


def _none() -> np.ndarray:
    return np.zeros(0, np.int64)


@dataclass(frozen=True)
class Absent:
    """Judgements of passages that the corpus does not have.

    Nothing can find them: a relevant one counts as not found, as in trec_eval.

    Attributes:
        query: (judgements,) int64 query index.
        lang: (judgements,) int64 index of the language whose pool the passage would be in.
        grade: (judgements,) int64.
        ids: of the passages, as runs and qrels would have them.
    """

    query: np.ndarray = field(default_factory=_none)
    lang: np.ndarray = field(default_factory=_none)
    grade: np.ndarray = field(default_factory=_none)
    ids: list[str] = field(default_factory=list)

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> Absent:
        """The judgements at these indices."""
        return Absent(self.query[rows], self.lang[rows], self.grade[rows], [self.ids[i] for i in rows])

    def relevant(self) -> Absent:
        """Those above grade 0."""
        return self.take(np.flatnonzero(self.grade > 0))


@dataclass(frozen=True)
class RetrievalSet:
    """A benchmark: which passage answers which query, in whichever languages.

    Attributes:
        name: shown in tables.
        languages: codes; `lang` of queries and passages index it.
        queries, passages: the texts. A passage can answer several groups: only `judgements` says what is relevant.
        judgements: (judgements, 3) int64 of (query index, passage index, grade); grade > 0 is relevant. Sorted, unique
            pairs.
        parallel: whether the relevant passages of a query are translations of one another (so cross-lingual settings
            and rank distance make sense).
        ranked: whether the benchmark is known by measures of a top-k run over its pool (nDCG@10, R@100), as BEIR's are.
        notes: what the reader wants printed beside the results (what was left out and why).
        licence: of the data, for the report.
        absent: judgements of passages that the corpus does not have.
        same: (pairs, 2) int64 of (query index, index of a passage that is this very text under the same id), where the
            reader knows them; None to tell by ids and texts. See `itself`.
        candidate_text: what a passage is (`sentence`, `sentence+context`, `paragraph`), where the reader had the
            choice.
    """

    name: str
    languages: tuple[str, ...]
    queries: Texts
    passages: Texts
    judgements: np.ndarray
    parallel: bool = True
    ranked: bool = False
    notes: tuple[str, ...] = ()
    licence: str = ""
    absent: Absent = field(default_factory=Absent)
    same: np.ndarray | None = None
    candidate_text: str = ""

    def __repr__(self) -> str:
        sizes = f"{len(self.queries):,} queries, {len(self.passages):,} passages, {len(self.judgements):,} judgements"
        return f"RetrievalSet({self.name!r}: {sizes} in {', '.join(self.languages)})"

    @property
    def remarks(self) -> tuple[str, ...]:
        """All that is printed beside the results: what a passage is, then the notes."""
        return (f"candidate text: {self.candidate_text}", *self.notes) if self.candidate_text else self.notes

    @classmethod
    def from_dicts(
        cls,
        queries: Mapping[str, str],
        corpus: Mapping[str, str | Mapping[str, str]],
        qrels: Mapping[str, Mapping[str, int] | Iterable[str]],
        *,
        languages: str | Mapping[str, str] = "und",
        groups: Mapping[str, str] | None = None,
        name: str = "benchmark",
        parallel: bool = False,
        ranked: bool = False,
        licence: str = "",
    ) -> RetrievalSet:
        """A benchmark from dictionaries, as BEIR, ir_measures and sentence-transformers have them.

        Args:
            queries: id -> text.
            corpus: id -> text, or a dictionary with `text` and perhaps `title`, which is put before the text.
            qrels: query id -> passage id -> grade (above 0 is relevant), or query id -> ids of its relevant passages.
            languages: the code of all texts, or id -> code of every query and passage. The default means not known.
            groups: query id -> what it asks: queries with the same value are translations of one another. None for
                none.
            name: shown in tables.
            parallel: whether the relevant passages of a query are translations of one another.
            ranked: whether it is known by measures of a top-k run, as BEIR's are.
            licence: of the data.

        Raises:
            InputError: nothing to evaluate, an empty text, a text without a language, or a judgement of an unknown id.
        """
        from triglot.corpus import dicts

        more = {"name": name, "parallel": parallel, "ranked": ranked, "licence": licence}
        return dicts.retrieval_set(queries, corpus, qrels, languages=languages, groups=groups, **more)

    @cached_property
    def itself(self) -> np.ndarray:
        """(pairs, 2) int64 of (query index, passage index), sorted: passages that are the query itself (ArguAna,
        Quora).

        They are left out of every ranking, unless they are judged relevant.
        """
        pairs = self.same
        if pairs is None:
            place = {identifier: row for row, identifier in enumerate(self.passages.ids)}
            at = ((row, place.get(identifier, -1)) for row, identifier in enumerate(self.queries.ids))
            equal = [
                (q, p) for q, p in at if p >= 0 and self.queries.texts[q].strip() == self.passages.texts[p].strip()
            ]
            pairs = np.array(equal, np.int64).reshape(-1, 2)
        if not len(pairs):
            return pairs
        number = len(self.passages)
        answers = self.judgements[self.judgements[:, 2] > 0]
        key = pairs[:, 0] * number + pairs[:, 1]
        return pairs[np.argsort(key)][~np.isin(np.sort(key), answers[:, 0] * number + answers[:, 1])]

    @property
    def judged_texts(self) -> set[str]:
        """What nothing may be fitted on: the questions, and the passages that judgements tie to them.

        A passage that is in the pool alone says nothing of the answers.
        """
        asked = np.isin(self.passages.cluster, self.queries.cluster)
        return {*self.queries.texts, *(self.passages.texts[row] for row in np.flatnonzero(asked))}

    def language_indices(self, codes: Sequence[str]) -> np.ndarray:
        """Indices of language codes. Raises InputError with the nearest known code."""
        for code in codes:
            if code not in self.languages:
                raise InputError(f"{self.name}: no language {code!r}{nearest(code, self.languages)}")
        return np.array([self.languages.index(code) for code in codes])

    def rows_in(self, codes: Sequence[str]) -> tuple[np.ndarray, np.ndarray]:
        """Indices of the queries and passages in these languages; of queries those that have a relevant passage in
        them."""
        wanted = self.language_indices(codes)
        inside = np.isin(self.passages.lang, wanted)
        judged, absent = self.judgements, self.absent.relevant()
        has = np.zeros(len(self.queries), bool)
        has[judged[(judged[:, 2] > 0) & inside[judged[:, 1]], 0]] = True
        has[absent.query[np.isin(absent.lang, wanted)]] = True
        return np.flatnonzero(np.isin(self.queries.lang, wanted) & has), np.flatnonzero(inside)

    def restrict(self, codes: Sequence[str]) -> RetrievalSet:
        """Only the queries and passages in these languages; queries without a relevant passage left are dropped and
        noted."""
        wanted = self.language_indices(codes)
        query_rows, passage_rows = self.rows_in(codes)
        dropped = int(np.isin(self.queries.lang, wanted).sum()) - len(query_rows)
        notes = self.notes
        if dropped:
            notes = (*notes, f"{dropped} queries have no relevant passage in {', '.join(codes)}")
        renumber = np.full(len(self.languages), -1, np.int16)
        renumber[wanted] = np.arange(len(wanted))
        small = self.take(query_rows, passage_rows)
        absent = small.absent.take(np.flatnonzero(renumber[small.absent.lang] >= 0))
        return replace(
            small,
            languages=tuple(codes),
            queries=replace(small.queries, lang=renumber[small.queries.lang]),
            passages=replace(small.passages, lang=renumber[small.passages.lang]),
            notes=notes,
            absent=replace(absent, lang=renumber[absent.lang].astype(np.int64)),
        )

    def take(self, queries: np.ndarray, passages: np.ndarray) -> RetrievalSet:
        """The queries and passages at these indices, and what is judged of both; languages stay as they are."""
        new_query, new_passage = np.full(len(self.queries), -1), np.full(len(self.passages), -1)
        new_query[queries], new_passage[passages] = np.arange(len(queries)), np.arange(len(passages))

        def renumbered(rows: np.ndarray) -> np.ndarray:
            changed = np.column_stack([new_query[rows[:, 0]], new_passage[rows[:, 1]], rows[:, 2:]])
            return changed[(changed[:, :2] >= 0).all(1)]

        absent = self.absent.take(np.flatnonzero(new_query[self.absent.query] >= 0))
        return replace(
            self,
            queries=self.queries.take(queries),
            passages=self.passages.take(passages),
            judgements=renumbered(self.judgements),
            absent=replace(absent, query=new_query[absent.query]),
            same=renumbered(self.itself),
        )
