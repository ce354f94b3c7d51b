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
    snapshot: Snapshot


class Snapshot(Protocol):
    """The passages that a search sees, by places: whole numbers that are good for this snapshot alone."""

    @property
    def codes(self) -> tuple[str, ...]:
        """Languages, by number."""
        ...

    @property
    def counts(self) -> Mapping[str, int]:
        """Language -> passages that can be found, most frequent first."""
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
        """See `Index.search`."""
        ...

    def scored(self, queries: np.ndarray, langs: Sequence[str], places: np.ndarray, view: str) -> Found:
        """Passages that are known, with their scores.

        Args:
            queries: (queries, dim) vectors of the model.
            langs: of the queries.
            places: (queries, k), -1 for none.
            view: `raw` or `fair`.
        """
        ...

    def documents(self, places: Sequence[int] | np.ndarray) -> Documents:
        """The passages at some places, in their order."""
        ...

    def vectors(self, places: Sequence[int] | np.ndarray, view: str = RAW) -> np.ndarray:
        """(places, dim) float32 vectors in a view; the raw ones are those that came in."""
        ...

    def groups_at(self, places: Sequence[int] | np.ndarray) -> list[str]:
        """Groups of the passages at some places, "" for none."""
        ...

    def langs_at(self, places: np.ndarray) -> np.ndarray:
        """Numbers of the languages of some places."""
        ...

    def places_of(self, column: str, values: Sequence[str], where: Sequence[Condition] = ()) -> np.ndarray:
        """Places of the passages whose `id` or `group` is one of these, and that fulfil all conditions."""
        ...

    def places_in(self) -> np.ndarray:
        """Places of all passages. Raises InputError where they are too many to be had at once."""
        ...

    def drawn(self, code: str, count: int) -> np.ndarray:
        """Places of at most so many passages of a language, the same ones each time, of all parts of the index."""
        ...

    def by_words(self, question: str, k: int, where: Sequence[Condition] = ()) -> dict[str, np.ndarray]:
        """Language -> places of its best passages by BM25, best first; those that share no word are not among them.

        Raises InputError where the index keeps no words.
        """
        ...


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
    def counts(self) -> Mapping[str, int]:
        """Language -> passages that can be found, the most frequent first."""
        ...

    @property
    def spoken(self) -> Mapping[str, Sequence[int]]:
        """Language -> passages, words, passages whose script BM25 does not read; empty where no words are kept."""
        ...

    @property
    def fields(self) -> Mapping[str, str]:
        """Name -> type of the metadata."""
        ...

    @property
    def model(self) -> str:
        """Where the model is found."""
        ...

    @property
    def dim(self) -> int:
        """Of the vectors."""
        ...

    @property
    def snapshot(self) -> Snapshot:
        """The passages as they are now."""
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

    def get(self, ids: Sequence[str]) -> tuple[Documents, np.ndarray]:
        """The passages with some of these ids, and their vectors as the model gave them."""
        ...

    def regroup(self, groups: Mapping[str, str]) -> int:
        """Set the groups of passages: id -> group. Returns how many ids were there."""
        ...

    def compact(self) -> None:
        """Give back the room of what was deleted."""
        ...

    def refresh(self) -> bool:
        """See what another process has written since. Returns whether there was anything."""
        ...

    def check_model(self, probe: np.ndarray, similarity: str, name: str) -> None:
        """Raises InputError where a model is not the one that the index was made with.

        Args:
            probe: its vectors of the texts whose vectors the index keeps.
            similarity: by which it compares.
            name: of the model, for messages.
        """
        ...

    def stats(self) -> dict[str, Any]:
        """Counts, languages, kind, recall and sizes, as JSON can hold them."""
        ...
