"""Calibration by language: how far a score lies above what a question scores with any passage of that language.

A score says little across languages: a question is nearer to all passages of some languages than to all of others. A
few passages of each language are drawn when they come in, and every question is scored with them; a calibrated score is
the number of standard deviations above their mean (test normalisation with a cohort: Auckenthaler, Carey and
Lloyd-Thomas 2000). No labels are needed, and the order within a language stays.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

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


@dataclass(frozen=True)
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

    def measures(self, queries: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
        """(queries, languages) float32 twice: mean, and standard deviation above zero."""
        if not len(self.vectors):
            shape = (len(queries), self.count)
            return np.zeros(shape, np.float32), np.ones(shape, np.float32)
        scores = (queries @ self.vectors.T).astype(np.float64)
        overall, spread = scores.mean(axis=1), scores.std(axis=1)
        mean = np.repeat(overall[:, None], self.count, axis=1)
        deviation = np.repeat(spread[:, None], self.count, axis=1)
        for number in np.unique(self.langs).tolist():
            own = scores[:, self.langs == number]
            known = min(1.0, own.shape[1] / _FEWEST)
            mean[:, number] = known * own.mean(axis=1) + (1 - known) * overall
            deviation[:, number] = known * own.std(axis=1) + (1 - known) * spread
        return mean.astype(np.float32), np.maximum(deviation, _LEAST).astype(np.float32)
