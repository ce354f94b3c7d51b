"""Calibration by language: how far a score lies above what a question scores with any passage of that language.

A score says little across languages: a question is nearer to all passages of some languages than to all of others. A
few passages of each language are drawn when they come in, and every question is scored with them; a calibrated score is
the number of standard deviations above their mean (test normalisation with a cohort: Auckenthaler, Carey and
Lloyd-Thomas 2000). No labels are needed, and the order within a language stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from triglot import seeds

DRAWN = 128  # passages of a language in a segment
_FEWEST = 8  # fewer than these are filled up with those of all languages
_LEAST = 1e-4


def drawn(langs: Sequence[str], start: int) -> np.ndarray:
    """Rows of passages drawn from each language, ascending.

    Args:
        langs: of a segment's passages.
        start: of the draw, so that segments differ.
    """
    order = seeds.shuffled(len(langs), start, "cohort")
    taken: dict[str, int] = {}
    rows = []
    for row in order.tolist():
        lang = str(langs[row])
        if taken.get(lang, 0) < DRAWN:
            taken[lang] = taken.get(lang, 0) + 1
            rows.append(row)
    return np.sort(np.array(rows, np.int64))


@dataclass(frozen=True, eq=False)
class Cohort:
    """Vectors of the passages drawn, in one view.

    Attributes:
        vectors: (drawn, dim) float32.
        langs: (drawn,) numbers of languages.
        count: languages.
    """

    vectors: np.ndarray
    langs: np.ndarray
    count: int

    @cached_property
    def _by_language(self) -> tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]:
        """Vectors with those of a language side by side, where each begins, how many they are, which have any."""
        order = np.argsort(self.langs, kind="stable")
        sizes = np.bincount(self.langs, minlength=self.count)
        there = np.flatnonzero(sizes)
        starts = np.concatenate([[0], np.cumsum(sizes[there])[:-1]]).astype(np.int64)
        return np.ascontiguousarray(self.vectors[order].T), starts, sizes[there], there

    def measures(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(queries, languages) float32 twice: mean, and standard deviation above zero."""
        shape = (len(queries), self.count)
        if not len(self.vectors):
            return np.zeros(shape, np.float32), np.ones(shape, np.float32)
        vectors, starts, sizes, there = self._by_language
        scores = (queries @ vectors).astype(np.float64)  # (queries, drawn)
        own = np.add.reduceat(scores, starts, axis=1) / sizes
        squares = (scores - np.repeat(own, sizes, axis=1)) ** 2
        spread = np.sqrt(np.add.reduceat(squares, starts, axis=1) / sizes)
        every, of_every = scores.mean(axis=1, keepdims=True), scores.std(axis=1, keepdims=True)
        known = np.minimum(1.0, sizes / _FEWEST)
        mean, deviation = np.repeat(every, self.count, axis=1), np.repeat(of_every, self.count, axis=1)
        mean[:, there] = known * own + (1 - known) * every
        deviation[:, there] = known * spread + (1 - known) * of_every
        return mean.astype(np.float32), np.maximum(deviation, _LEAST).astype(np.float32)
