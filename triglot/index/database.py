"""What a vector database is to an index: rows with vectors, metadata and words, searched and filtered by it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np

from triglot.index.filters import Condition
from triglot.index.settings import IndexSettings

DRAW = "draw"  # the field of a row that `Row.draw` is


@dataclass(frozen=True)
class Row:
    """A passage in a database.

    Attributes:
        id, text, lang, group: of the passage.
        fields: metadata, without those that have no value.
        draw: a number below 2**31 that its id gives, by which the same passages are drawn each time.
        vectors: view -> (dim,) float32; those that were asked for.
        terms: number of a word in its language, below 2**32 - 1 -> how often it is there.
        length: 1 - b + b l / m of BM25, for a passage of l words where m is usual.
    """

    id: str
    text: str
    lang: str
    group: str
    fields: Mapping[str, Any]
    draw: int = 0
    vectors: Mapping[str, np.ndarray] = field(default_factory=dict)
    terms: Mapping[int, int] = field(default_factory=dict)
    length: float = 1.0


class Database(Protocol):
    """One place for one index, which keeps its passages in numbered collections and what it knows of itself in records.

    What a verb that writes has returned from is kept whatever happens to the process. Conditions name `id`, `lang`,
    `group`, `draw` or a field of the metadata, and mean what `triglot.index.filters` says, languages to the letter.
    Every verb raises `InputError` with the database's own words where it refuses or cannot be reached.
    """

    name: str
    longest: int  # bytes of a text
    together: int  # questions that it answers at one time; 1 for one that is embedded

    def records(self) -> dict[str, bytes] | None:
        """All records, None where there is no index."""
        ...

    def keep(self, records: Mapping[str, bytes]) -> None:
        """Write records; one of less than 32 KiB is replaced as a whole."""
        ...

    def forget(self, keys: Sequence[str]) -> None:
        """Remove records."""
        ...

    def collections(self) -> list[int]:
        """Numbers of the collections that are there."""
        ...

    def create(self, number: int, dim: int, views: Sequence[str], settings: IndexSettings, kind: str) -> None:
        """Make an empty collection. `kind` is `exact`, `hnsw` or `ivf`."""
        ...

    def drop(self, number: int) -> None:
        """Remove a collection."""
        ...

    def put(self, number: int, rows: Sequence[Row]) -> None:
        """Write rows, in the place of those with the same ids."""
        ...

    def remove(self, number: int, ids: Sequence[str]) -> None:
        """Delete rows; ids that are not there are passed over."""
        ...

    def search(
        self, number: int, view: str, queries: np.ndarray, k: int, where: Sequence[Condition], width: int
    ) -> list[list[tuple[Row, float]]]:
        """The best rows of each query by dot product, best first, and their scores; `width` is how much is looked at
        by an approximate index."""
        ...

    def by_words(self, number: int, terms: Mapping[int, int], k: int, where: Sequence[Condition]) -> list[Row]:
        """The best rows by BM25, best first; those that have none of the terms are not among them."""
        ...

    def rows(self, number: int, where: Sequence[Condition], views: Sequence[str], most: int) -> Iterator[Row]:
        """Rows that fulfil conditions, in no order, with the vectors of some views; at most so many."""
        ...

    def count(self, number: int, where: Sequence[Condition]) -> int:
        """How many rows fulfil conditions."""
        ...

    def compact(self, number: int) -> None:
        """Give back the room of what was deleted, where the database can be asked to."""
        ...

    def close(self) -> None:
        """Let go of it."""
        ...
