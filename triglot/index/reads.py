"""What every index answers out of its snapshot, whatever keeps the passages."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from triglot.index.protocol import RAW, Found

if TYPE_CHECKING:
    from triglot.index.documents import Documents
    from triglot.index.filters import Condition


class Reads:
    """The reading half of `triglot.index.protocol.Index`, for one that has a `snapshot` of what a search sees."""

    @property
    def snapshot(self) -> Any:
        """The passages as they are now, see `triglot.index.protocol.Snapshot`."""
        raise NotImplementedError

    @property
    def languages(self) -> tuple[str, ...]:
        """Codes of the passages that can be found, the most frequent first."""
        return tuple(self.counts)

    @property
    def counts(self) -> Mapping[str, int]:
        """Language -> passages that can be found, the most frequent first."""
        return self.snapshot.counts

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
        return self.snapshot.search(queries, k, langs=langs, view=view, where=where, calibrated=calibrated)

    def documents(self, found: Found, places: Sequence[int]) -> Documents:
        """The passages at some places of a search."""
        return found.snapshot.documents(places)

    def get(self, ids: Sequence[str]) -> tuple[Documents, np.ndarray]:
        """The passages with some of these ids, and their vectors as the model gave them."""
        snapshot = self.snapshot
        places = snapshot.places_of("id", ids)
        return snapshot.documents(places), snapshot.vectors(places)
