"""What one search sees of an index in a vector database: rows as they came, under places of its own."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from triglot.encoder.languages import Removal
from triglot.files import InputError
from triglot.index import words
from triglot.index.cohort import DRAWN, Cohort
from triglot.index.database import DRAW, Database, Row
from triglot.index.documents import Documents, column_of
from triglot.index.filters import Condition, of_kind
from triglot.index.protocol import FAIR, RAW, Found
from triglot.index.views import in_view
from triglot.topk import within

_TOGETHER = 64  # queries
_IDS = 500
_MOST_GROUPED = 10_000  # passages of some groups
MOST_AT_ONCE = 200_000  # passages that are had at once


def in_batches(documents: Documents, vectors: np.ndarray, size: int) -> Iterator[tuple[Documents, np.ndarray]]:
    """Passages in parts of so many."""
    for start in range(0, len(documents), size):
        here = slice(start, start + size)
        fields = {name: values[here] for name, values in documents.fields.items()}
        own = (documents.ids[here], documents.texts[here], documents.langs[here], documents.groups[here])
        yield Documents(*own, fields), vectors[here]


def documents_of(rows: Sequence[Row], fields: Mapping[str, str]) -> Documents:
    """Passages of rows."""
    if not rows:
        return Documents([], [], [], [])
    return Documents(
        [row.id for row in rows],
        [row.text for row in rows],
        [row.lang for row in rows],
        [row.group for row in rows],
        {name: [row.fields.get(name) for row in rows] for name in fields},
    )


@dataclass
class State:
    """What an index in a database knows of itself.

    Attributes:
        database: connected.
        number: of the collection.
        dim: of the vectors.
        width: what an approximate index looks at.
        removal: of the index.
        spoken: language -> passages, words, passages that BM25 does not read.
        fields: name -> type.
        counts: language -> passages, the most frequent first.
        lexical: whether words are kept.
    """

    database: Database
    number: int
    dim: int
    width: int
    removal: Removal | None
    spoken: Mapping[str, Sequence[int]]
    fields: Mapping[str, str]
    counts: Mapping[str, int]
    lexical: bool
    _cohorts: dict[str, Cohort] = field(default_factory=dict)
    _making: threading.Lock = field(default_factory=threading.Lock)

    @property
    def views(self) -> tuple[str, ...]:
        """`raw`, and `fair` where the language is taken out."""
        return (RAW,) if self.removal is None else (RAW, FAIR)

    def view(self, name: str) -> str:
        """The view that the database keeps for one that is asked for."""
        return name if name in self.views else RAW

    def some(self, code: str, count: int, views: Sequence[str]) -> list[Row]:
        """The passages of a language with the lowest draws: the same ones each time."""
        held = self.counts.get(code, 0)
        where = [Condition("lang", "=", (code,))]
        if held > 2 * count:  # twice as many as wanted are expected below it
            where.append(Condition(DRAW, "<", (int(2**31 * 2 * count / held),)))
        rows = list(self.database.rows(self.number, where, views, 4 * count))
        return sorted(rows, key=lambda row: (row.draw, row.id))[:count]

    def cohort(self, view: str) -> Cohort:
        """The passages drawn for calibration, in a view."""
        view = self.view(view)
        with self._making:
            if view not in self._cohorts:
                vectors, langs = [np.zeros((0, self.dim), np.float32)], [np.zeros(0, np.int64)]
                for number, code in enumerate(self.counts):
                    rows = self.some(code, DRAWN, [view])
                    vectors.append(np.array([row.vectors[view] for row in rows], np.float32).reshape(-1, self.dim))
                    langs.append(np.full(len(rows), number, np.int64))
                self._cohorts[view] = Cohort(np.concatenate(vectors), np.concatenate(langs), len(self.counts))
            return self._cohorts[view]


class RemoteSnapshot:
    """See `triglot.index.protocol.Snapshot`. A place is the number of a row in the order in which rows came."""

    def __init__(self, state: State):
        self._state = state
        self._rows: list[Row] = []
        self._places: dict[str, int] = {}
        self.codes = tuple(state.counts)
        self._numbers = {code: number for number, code in enumerate(self.codes)}

    @property
    def counts(self) -> Mapping[str, int]:
        """Language -> passages that can be found, most frequent first."""
        return self._state.counts

    # --- passages

    def _place(self, row: Row) -> int:
        known = self._places.setdefault(row.id, len(self._rows))
        if known == len(self._rows):
            self._rows.append(row)
        return known

    def _taken(self, rows: Sequence[Row]) -> np.ndarray:
        """Places of rows; of a language that came after this snapshot there are none."""
        return np.array([self._place(row) for row in rows if row.lang in self._numbers], np.int64)

    def documents(self, places: Sequence[int] | np.ndarray) -> Documents:
        """The passages at some places, in their order."""
        return documents_of([self._rows[place] for place in places], self._state.fields)

    def vectors(self, places: Sequence[int] | np.ndarray, view: str = RAW) -> np.ndarray:
        """(places, dim) float32 vectors in a view; zeros for passages that are gone."""
        state, view = self._state, self._state.view(view)
        found = np.zeros((len(places), state.dim), np.float32)
        row_of = {self._rows[place].id: row for row, place in enumerate(places)}
        ids = list(row_of)
        for start in range(0, len(ids), _IDS):
            some = tuple(ids[start : start + _IDS])
            for row in state.database.rows(state.number, [Condition("id", "=", some)], [view], len(some)):
                found[row_of[row.id]] = row.vectors[view]
        return found

    def groups_at(self, places: Sequence[int] | np.ndarray) -> list[str]:
        """Groups of the passages at some places, "" for none."""
        return [self._rows[place].group for place in places]

    def langs_at(self, places: np.ndarray) -> np.ndarray:
        """Numbers of the languages of some places, -1 where there is none."""
        places = np.asarray(places, np.int64)
        flat = [-1 if place < 0 else self._numbers[self._rows[place].lang] for place in places.ravel().tolist()]
        return np.array(flat, np.int64).reshape(places.shape)

    def places_of(self, column: str, values: Sequence[str], where: Sequence[Condition] = ()) -> np.ndarray:
        """Places of the passages whose id (or group) is one of these, and that fulfil all conditions."""
        state, conditions = self._state, self._exact(where)
        wanted = list(dict.fromkeys(value for value in values if value))
        found = [np.zeros(0, np.int64)]
        for start in range(0, len(wanted) if conditions is not None else 0, _IDS):
            asked = [*(conditions or ()), Condition(column, "=", tuple(wanted[start : start + _IDS]))]
            found.append(self._taken(list(state.database.rows(state.number, asked, (), _MOST_GROUPED))))
        return np.concatenate(found)

    def places_in(self) -> np.ndarray:
        """Places of all passages. Raises InputError where they are more than 200,000."""
        state, total = self._state, sum(self._state.counts.values())
        if total > MOST_AT_ONCE:
            raise InputError(f"{total} passages; at most {MOST_AT_ONCE} are taken out of a database at once")
        return self._taken(list(state.database.rows(state.number, (), (), MOST_AT_ONCE)))

    def drawn(self, code: str, count: int) -> np.ndarray:
        """Places of at most so many passages of a language, the same ones each time."""
        return self._taken(self._state.some(code, count, ()))

    def _exact(self, where: Sequence[Condition]) -> list[Condition] | None:
        """Conditions with the languages to the letter; None where nothing can fulfil them."""
        kept = []
        for one in where:
            column_of(one.field, self._state.fields)
            if one.field == "lang" and one.op in ("=", "!="):
                one = Condition("lang", one.op, tuple(of_kind(one.values, self.codes)))
            if not one.values and one.op == "=":
                return None
            if one.values:
                kept.append(one)
        return kept

    # --- search

    def search(
        self,
        queries: np.ndarray,
        k: int,
        *,
        langs: Sequence[str],
        view: str = RAW,
        where: Sequence[Condition] = (),
        calibrated: bool = False,
    ) -> Found:
        """The k best passages of each query, see `triglot.index.protocol.Index`. Calibrated, each language is searched
        by itself, and what it has is put together by calibrated scores."""
        state = self._state
        queries = in_view(state.removal, state.dim, queries, langs, view)
        k = within(k, max(sum(state.counts.values()), 1), len(queries))
        mean, deviation = state.cohort(view).measures(queries)
        conditions = self._exact(where)
        best: list[list[tuple[float, int, float]]] = [[] for _ in queries]  # what ranks, place, score
        asked: list[tuple[str, list[Condition], int]] = [("", conditions or [], k)]
        if calibrated:
            asked = [
                (code, [*(conditions or ()), Condition("lang", "=", (code,))], min(k, count))
                for code, count in state.counts.items()
                if _allows(conditions or (), code)
            ]
        asked = asked if conditions is not None and len(queries) else []
        found = self._each(lambda one: list(self._nearest(queries, one[2], view, one[1])), asked)
        for (code, *_), of_queries in zip(asked, found, strict=True):
            for number, hits in enumerate(of_queries):
                for row, score in hits:
                    lang = self._numbers.get(row.lang)
                    if lang is not None:
                        value = (score - mean[number, lang]) / deviation[number, lang] if code or calibrated else score
                        best[number].append((float(value), self._place(row), score))
        k = min(k, max(map(len, best), default=0))
        places = np.full((len(queries), k), -1, np.int64)
        scores = np.full((len(queries), k), -np.inf, np.float32)
        for number, hits in enumerate(best):
            hits.sort(key=lambda hit: -hit[0])
            for column, (_, place, score) in enumerate(hits[:k]):
                places[number, column], scores[number, column] = place, score
        return self._found(places, scores, mean, deviation)

    def _nearest(
        self, queries: np.ndarray, k: int, view: str, where: Sequence[Condition]
    ) -> Iterator[list[tuple[Row, float]]]:
        state = self._state
        for start in range(0, len(queries), _TOGETHER):
            some = queries[start : start + _TOGETHER]
            yield from state.database.search(state.number, state.view(view), some, k, where, state.width)

    def _each(self, ask: Callable[[Any], Any], about: Sequence[Any]) -> list[Any]:
        """What the database says about each of several things, some of them at one time."""
        together = min(self._state.database.together, len(about))
        if together < 2:
            return [ask(one) for one in about]
        with ThreadPoolExecutor(together) as threads:
            return list(threads.map(ask, about))

    def scored(self, queries: np.ndarray, langs: Sequence[str], places: np.ndarray, view: str) -> Found:
        """Passages that are known with their scores, see `triglot.index.protocol.Snapshot`."""
        state = self._state
        queries = in_view(state.removal, state.dim, queries, langs, view)
        scores = np.full(places.shape, -np.inf, np.float32)
        for query, (row, vector) in enumerate(zip(places, queries, strict=True)):
            scores[query, row >= 0] = self.vectors(row[row >= 0], view) @ vector
        return self._found(places, scores, *state.cohort(view).measures(queries))

    def _found(self, places: np.ndarray, scores: np.ndarray, mean: np.ndarray, deviation: np.ndarray) -> Found:
        langs = self.langs_at(places)
        row = np.arange(len(places))[:, None]
        at = np.maximum(langs, 0)
        if not self.codes:
            return Found(places, scores, scores.copy(), langs, self.codes, self)
        shifted = np.where(langs < 0, -np.inf, (scores - mean[row, at]) / deviation[row, at]).astype(np.float32)
        return Found(places, scores, shifted, langs, self.codes, self)

    def by_words(self, question: str, k: int, where: Sequence[Condition] = ()) -> dict[str, np.ndarray]:
        """Language -> places of its best passages by BM25 of the database, best first."""
        state, conditions = self._state, self._exact(where)
        if not state.lexical:
            raise InputError("this index keeps no words; build it with them for hybrid search")
        asked = []
        for code, count in state.counts.items() if conditions is not None else ():
            terms, _ = words.terms_of(question, code, 0.0)  # a term is that of one language, and finds no other
            if terms and _allows(conditions or (), code):
                asked.append((code, terms, min(k, count)))
        rows = self._each(lambda one: state.database.by_words(state.number, one[1], one[2], conditions or ()), asked)
        return {code: self._taken(of_code) for (code, *_), of_code in zip(asked, rows, strict=True) if of_code}


def _allows(where: Sequence[Condition], code: str) -> bool:
    """Whether conditions on the language, to the letter, let one through."""
    return all(
        (code in one.values) == (one.op == "=") for one in where if one.field == "lang" and one.op in ("=", "!=")
    )
