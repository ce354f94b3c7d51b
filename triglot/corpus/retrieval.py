"""Queries, passages and judgements to evaluate on."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from triglot.files import InputError, nearest


@dataclass(frozen=True)
class Texts:
    """Texts that travel with their ids, languages and groups.

    Attributes:
        ids: unique within the set.
        texts: what is encoded.
        lang: (n,) int16 index into the set's `languages`.
        group: (n,) int32. Parallel queries share one group. For passages: the cluster of judgements they belong to, -1 if none.
        cluster: (n,) int32: the unit that resampling draws (the paragraph); translations of one paragraph share it.
    """

    ids: list[str]
    texts: list[str]
    lang: np.ndarray
    group: np.ndarray
    cluster: np.ndarray

    def __len__(self) -> int:
        return len(self.ids)

    def take(self, rows: np.ndarray) -> Texts:
        """The texts at these indices."""
        return Texts([self.ids[i] for i in rows], [self.texts[i] for i in rows], self.lang[rows], self.group[rows], self.cluster[rows])


@dataclass(frozen=True)
class RetrievalSet:
    """A benchmark: which passage answers which query, in whichever languages.

    Attributes:
        name: shown in tables.
        languages: codes; `lang` of queries and passages index it.
        queries, passages: the texts. A passage can answer several groups: only `judgements` says what is relevant.
        judgements: (judgements, 3) int64 of (query index, passage index, grade); grade > 0 is relevant. Sorted, unique pairs.
        parallel: whether the relevant passages of a query are translations of one another (so cross-lingual settings and
            rank distance make sense).
        ranked: whether the benchmark is known by measures of a top-k run over its pool (nDCG@10, R@100), as BEIR's are.
        notes: what the reader wants printed beside the results (which candidate text was used, what was left out and why).
        licence: of the data, for the report.
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

    def language_indices(self, codes: Sequence[str]) -> np.ndarray:
        """Indices of language codes. Raises InputError with the nearest known code."""
        for code in codes:
            if code not in self.languages:
                raise InputError(f"{self.name}: no language {code!r}{nearest(code, self.languages)}")
        return np.array([self.languages.index(code) for code in codes])

    def restrict(self, codes: Sequence[str]) -> RetrievalSet:
        """Only the queries and passages in these languages; queries without a relevant passage left are dropped and noted."""
        wanted = self.language_indices(codes)
        passage_rows = np.flatnonzero(np.isin(self.passages.lang, wanted))
        new_passage = np.full(len(self.passages), -1)
        new_passage[passage_rows] = np.arange(len(passage_rows))
        query_ok = np.isin(self.queries.lang, wanted)
        judged = self.judgements[(new_passage[self.judgements[:, 1]] >= 0) & query_ok[self.judgements[:, 0]]]
        has = np.zeros(len(self.queries), bool)
        has[judged[judged[:, 2] > 0, 0]] = True
        query_rows = np.flatnonzero(query_ok & has)
        new_query = np.full(len(self.queries), -1)
        new_query[query_rows] = np.arange(len(query_rows))
        judged = judged[has[judged[:, 0]]]
        dropped = int(query_ok.sum()) - len(query_rows)
        notes = (*self.notes, f"{dropped} queries have no relevant passage in {', '.join(codes)}") if dropped else self.notes
        renumber = np.full(len(self.languages), -1, np.int16)
        renumber[wanted] = np.arange(len(wanted))
        queries, passages = self.queries.take(query_rows), self.passages.take(passage_rows)
        return replace(
            self,
            languages=tuple(codes),
            queries=replace(queries, lang=renumber[queries.lang]),
            passages=replace(passages, lang=renumber[passages.lang]),
            judgements=np.column_stack([new_query[judged[:, 0]], new_passage[judged[:, 1]], judged[:, 2]]),
            notes=notes,
        )
