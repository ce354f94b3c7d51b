"""The state of an index at one moment: what a search sees from its beginning to its end."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from functools import cached_property

import numpy as np
import pyarrow as pa

from triglot.encoder.languages import Removal
from triglot.files import InputError
from triglot.index import filters, words
from triglot.index.cohort import DRAWN, Cohort
from triglot.index.documents import Documents
from triglot.index.filters import Condition, pc
from triglot.index.protocol import RAW, Found
from triglot.index.segment import Segment
from triglot.index.views import in_view
from triglot.topk import Best, within


def together(parts: Sequence[tuple[np.ndarray, np.ndarray]], queries: int, k: int) -> tuple[np.ndarray, np.ndarray]:
    """The best of what segments found, places and scores each: scores and places, without columns that nothing fills.

    One segment, the usual state of a large index, has them in order.
    """
    if len(parts) == 1:
        places, scores = parts[0]
        width = int((places >= 0).sum(1).max(initial=0))
        return scores[:, :width], places[:, :width]
    best = Best(queries, k)
    for places, scores in parts:
        best.offer_some(slice(0, queries), places, scores)
    return best.kept()


class Snapshot:
    """Open segments and what of them can be found.

    Attributes:
        segments: in the order in which their passages were written.
        alive_of: (rows,) bool of each segment, None for all.
        fields: of the index.
        removal: of the index.
        codes: languages, by number; those of deleted passages too.
        counts: language -> passages that can be found, most frequent first.
        alive: passages that can be found.
    """

    def __init__(
        self,
        segments: Sequence[Segment],
        alive_of: Sequence[np.ndarray | None],
        fields: Mapping[str, str],
        removal: Removal | None,
    ):
        self.segments, self.alive_of, self.fields, self.removal = list(segments), list(alive_of), dict(fields), removal
        self._offsets = np.concatenate([[0], np.cumsum([one.rows for one in segments])]).astype(np.int64)
        counts: Counter[str] = Counter()
        for segment, alive in zip(self.segments, self.alive_of, strict=True):
            numbers = segment.langs if alive is None else segment.langs[alive]
            found = np.bincount(numbers, minlength=len(segment.codes)).tolist()
            counts.update({code: count for code, count in zip(segment.codes, found, strict=True) if count})
        self.counts = dict(sorted(counts.items(), key=lambda item: (-item[1], item[0])))
        self.alive = sum(self.counts.values())
        self.codes = tuple(dict.fromkeys(code for segment in segments for code in segment.codes))
        self._of_index = [np.array([self.codes.index(code) for code in one.codes], np.int64) for one in segments]
        self._cohorts: dict[str, Cohort] = {}

    # --- passages

    def split(self, places: Sequence[int] | np.ndarray) -> list[tuple[int, np.ndarray, np.ndarray]]:
        """(segment, rows in it, where they stand among the places) of some places."""
        places = np.asarray(places, np.int64)
        if len(self.segments) == 1 and len(places):
            return [(0, places, np.arange(len(places)))]
        number = np.searchsorted(self._offsets, places, side="right") - 1
        return [
            (int(one), places[number == one] - self._offsets[one], np.flatnonzero(number == one))
            for one in np.unique(number)
        ]

    def documents(self, places: Sequence[int] | np.ndarray) -> Documents:
        """The passages at some places, in their order."""
        parts, order = [], []
        for number, rows, where in self.split(places):
            parts.append(self.segments[number].table.take(pa.array(rows)))
            order.append(where)
        if not parts:
            return Documents([], [], [], [])
        table = pa.concat_tables(parts).take(pa.array(np.argsort(np.concatenate(order), kind="stable")))
        own = [table.column(name).to_pylist() for name in ("id", "text", "lang", "group")]
        fields = {name: table.column(f"field:{name}").to_pylist() for name in self.fields}
        return Documents(own[0], own[1], own[2], own[3], fields)

    def vectors(self, places: Sequence[int] | np.ndarray, view: str = RAW) -> np.ndarray:
        """(places, dim) float32 vectors in a view; the raw ones are those that came in."""
        dim = self.segments[0].raw.shape[1] if self.segments else 0
        found = np.empty((len(places), dim), np.float32)
        for number, rows, where in self.split(places):
            found[where] = self.segments[number].vectors(view, rows)
        return found

    def groups_at(self, places: Sequence[int] | np.ndarray) -> list[str]:
        """Groups of the passages at some places, "" for none."""
        found = [""] * len(places)
        for number, rows, where in self.split(places):
            groups = self.segments[number].table.column("group").take(pa.array(rows)).to_pylist()
            for place, group in zip(where.tolist(), groups, strict=True):
                found[place] = group
        return found

    def places_of(self, column: str, values: Sequence[str], where: Sequence[Condition] = ()) -> np.ndarray:
        """Places of the passages whose id (or group) is one of these, and that fulfil all conditions."""
        wanted = pa.array([value for value in values if value], pa.string())
        found = []
        for offset, segment, alive in zip(self._offsets, self.segments, self._allowed(where)):
            here = pc.is_in(segment.table.column(column), value_set=wanted).to_numpy(zero_copy_only=False)
            found.append(offset + np.flatnonzero(here if alive is None else here & alive))
        return np.concatenate(found) if found else np.zeros(0, np.int64)

    def places_in(self, names: Sequence[str] | None = None) -> np.ndarray:
        """Places of all passages of some segments that can be found; of all segments without names."""
        found = [np.zeros(0, np.int64)]
        for offset, segment, alive in zip(self._offsets, self.segments, self.alive_of):
            if names is None or segment.record["name"] in names:
                found.append(offset + (np.arange(segment.rows) if alive is None else np.flatnonzero(alive)))
        return np.concatenate(found)

    def drawn(self, code: str, count: int) -> np.ndarray:
        """Places of some passages of a language, spread over all of them, see `triglot.index.protocol.Snapshot`."""
        places = self.places_in()
        places = places[self.langs_at(places) == self.codes.index(code)]
        return places[np.linspace(0, len(places) - 1, min(count, len(places))).astype(int)]

    # --- search

    def in_view(self, queries: np.ndarray, langs: Sequence[str], view: str) -> np.ndarray:
        """Vectors of queries in a view, see `triglot.index.views.in_view`."""
        dim = self.segments[0].raw.shape[1] if self.segments else None
        return in_view(self.removal, dim, queries, langs, view)

    def scored(self, queries: np.ndarray, langs: Sequence[str], places: np.ndarray, view: str) -> Found:
        """Passages that are known with their scores, see `triglot.index.protocol.Snapshot`."""
        queries = self.in_view(queries, langs, view)
        return self.found(queries, places, view, self.cohort(view).measures(queries))

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
        """The k best passages of each query, see `triglot.index.protocol.Index`."""
        queries = self.in_view(queries, langs, view)
        k = within(k, max(self.alive, 1), len(queries))
        measures = self.cohort(view).measures(queries)
        parts = []
        for number, (segment, allowed) in enumerate(zip(self.segments, self._allowed(where), strict=True)):
            if allowed is not None and not allowed.any():
                continue
            asked = measures if calibrated else None
            rows, scores = segment.search(queries, min(k, segment.rows), view, allowed, asked, self._of_index[number])
            parts.append((np.where(rows < 0, -1, rows + self._offsets[number]), scores))
        scores, places = together(parts, len(queries), k)
        return self.found(queries, places, view, measures, None if calibrated else scores)

    def found(
        self,
        queries: np.ndarray,
        places: np.ndarray,
        view: str,
        measures: tuple[np.ndarray, np.ndarray],
        scores: np.ndarray | None = None,
    ) -> Found:
        """A result of its places.

        Args:
            queries: (queries, dim) in the view.
            places: (queries, k), -1 for none.
            view: see `search`.
            measures: of the cohort.
            scores: where they are known.
        """
        langs = self.langs_at(places)
        if scores is None:
            scores = np.full(places.shape, -np.inf, np.float32)
            for query, (row, vector) in enumerate(zip(places, queries, strict=True)):
                if (there := row >= 0).any():  # an index of nothing has no dimensions either
                    scores[query, there] = self.vectors(row[there], view) @ vector
        row = np.arange(len(places))[:, None]
        mean, deviation = (measure[row, np.maximum(langs, 0)] for measure in measures)
        shifted = np.where(langs < 0, -np.inf, (scores - mean) / deviation).astype(np.float32)
        return Found(places, scores, shifted, langs, self.codes, self)

    def langs_at(self, places: np.ndarray) -> np.ndarray:
        """Numbers of the languages of some places, -1 where there is none."""
        langs = np.full(places.shape, -1, np.int64)
        flat, out = places.ravel(), langs.ravel()
        there = np.flatnonzero(flat >= 0)
        for number, rows, where in self.split(flat[there]):
            out[there[where]] = self._of_index[number][self.segments[number].langs[rows]]
        return langs

    def _allowed(self, where: Sequence[Condition]) -> list[np.ndarray | None]:
        """(rows,) bool of each segment: alive, and fulfilling all conditions."""
        found: list[np.ndarray | None] = []
        for segment, alive in zip(self.segments, self.alive_of, strict=True):
            mask = filters.mask(segment.table, where, self.fields)
            both = [one for one in (mask, alive) if one is not None]
            found.append(np.logical_and.reduce(both) if both else None)
        return found

    def cohort(self, view: str) -> Cohort:
        """The passages drawn for calibration, in a view."""
        if view not in self._cohorts:
            dim = self.segments[0].raw.shape[1] if self.segments else 1
            vectors, langs, taken = [np.zeros((0, dim), np.float32)], [np.zeros(0, np.int64)], Counter()
            for number, (segment, alive) in enumerate(zip(self.segments, self.alive_of, strict=True)):
                rows = segment.drawn if alive is None else segment.drawn[alive[segment.drawn]]
                of = self._of_index[number][segment.langs[rows]]
                kept = []
                for place, lang in enumerate(of.tolist()):
                    if taken[lang] < 2 * DRAWN:
                        taken[lang] += 1
                        kept.append(place)
                vectors.append(segment.vectors(view, rows[kept]))
                langs.append(of[kept])
            self._cohorts[view] = Cohort(np.concatenate(vectors), np.concatenate(langs), len(self.codes))
        return self._cohorts[view]

    # --- words

    @cached_property
    def spoken(self) -> dict[str, list[int]]:
        """Language -> passages, words in them, passages whose script BM25 does not read; empty without words."""
        if not all(segment.held is not None for segment in self.segments):
            return {}
        found: dict[str, list[int]] = {}
        for segment in self.segments:
            for lang, told in segment.record["words"].items():
                before = found.setdefault(lang, [0, 0, 0])
                found[lang] = [a + b for a, b in zip(before, told, strict=True)]
        return found

    def by_words(self, question: str, k: int, where: Sequence[Condition] = ()) -> dict[str, np.ndarray]:
        """Language -> places of its best passages by BM25, best first; those that share no word are not among them.

        Raises:
            InputError: the index keeps no words.
        """
        if self.segments and not self.spoken:
            raise InputError("this index keeps no words; build it with them for hybrid search")
        held = [segment.held for segment in self.segments if segment.held is not None]
        allowed, found = self._allowed(where), {}
        for lang in self.counts:
            passages, count, _ = self.spoken.get(lang, [0, 0, 0])
            best = Best(1, max(1, min(k, self.counts[lang])))
            for number, scores in enumerate(words.scores(held, question, lang, passages, count)):
                rows = np.flatnonzero(scores if allowed[number] is None else scores * allowed[number])
                best.offer_some(slice(0, 1), (rows + self._offsets[number])[None], scores[rows][None])
            places = best.index[0]
            if len(kept := places[places >= 0]):
                found[lang] = kept
        return found
