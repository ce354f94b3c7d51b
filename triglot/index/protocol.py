"""What an index is to the rooms that use one."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

if TYPE_CHECKING:
    from triglot.index.documents import Documents
    from triglot.index.filters import Condition

RAW, FAIR = "raw", "fair"  # views: the vectors of the model, and those without language


@dataclass(frozen=True)
class Found:
    """The best passages of each query, best first.

    Attributes:
        places: (queries, k) int64, the passages, for `documents` of the same snapshot; -1 where there are fewer.
        scores: (queries, k) float32, dot products in the view that was searched; -inf there.
        calibrated: (queries, k) float32: how many standard deviations a score lies above the mean of the passages of
            its language.
        langs: (queries, k) int64, numbers of the languages in `codes`; -1 there.
        codes: the languages.
        snapshot: of the index, for `documents`.
    """

    places: np.ndarray
    scores: np.ndarray
    calibrated: np.ndarray
    langs: np.ndarray
    codes: tuple[str, ...]
    snapshot: Any


class Index(Protocol):
    """An index that is open.

    Queries and passages are vectors of the model; the language is taken out of them inside, so that vectors can be had
    back as they came.
    """

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the passages that can be found."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """Name -> type of the metadata."""
        ...

    @property
    def views(self) -> tuple[str, ...]:
        """`raw`, and `fair` where the language is taken out."""
        ...

    def add(self, documents: Documents, vectors: np.ndarray) -> tuple[int, int]:
        """Add passages, and put those whose id is there already in the place of the older ones.

        Returns how many are new and how many were replaced; when it returns they are on disk.
        """
        ...

    def delete(self, ids: Sequence[str]) -> int:
        """Delete passages. Returns how many of the ids were there."""
        ...

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
        """The k best passages of each query.

        Args:
            queries: (queries, dim) vectors of the model.
            k: how many; all where there are fewer.
            langs: of the queries.
            view: `raw` or `fair`.
            where: conditions that the passages fulfil.
            calibrated: rank by calibrated scores, not by scores.
        """
        ...

    def documents(self, found: Found, places: Sequence[int]) -> Documents:
        """The passages at some places of a search."""
        ...

    def stats(self) -> dict[str, Any]:
        """Counts, languages, kind, recall and sizes, as JSON can hold them."""
        ...
