"""Which rows of a popular family an epoch shows: they take turns, so that every row is shown over epochs."""

from __future__ import annotations

import numpy as np

from triglot.batches.filling import Filling
from triglot.seeds import shuffled


class Turns:
    """Rows shown and rows that wait.

    A family of n rows that may show c an epoch shows the next c of them, in an order that is drawn once; all have had a
    turn after n / c epochs. Rows that a pool lends are those whose turn is furthest away, where there are such.

    Args:
        pool, family: (rows,) of each row.
        filling: how pools are dealt.
    """

    def __init__(self, pool: np.ndarray, family: np.ndarray, filling: Filling):
        self._pool, self._loans = pool, filling.loans
        key = pool.astype(np.int64) * (int(family.max()) + 1) + family
        _, example, self._unit, sizes = np.unique(key, return_index=True, return_inverse=True, return_counts=True)
        quota = np.array([deal.most * deal.batches for deal in filling.deals])[pool[example]]
        self._start = np.cumsum(sizes) - sizes
        self._sizes, self._quota = sizes.astype(np.int32), np.minimum(sizes, quota).astype(np.int32)
        self._abroad = []  # of each loan: rows of the host whose family the guest lacks
        for loan in filling.loans:
            rows = np.flatnonzero(pool == loan.host)
            self._abroad.append(rows[~np.isin(family[rows], family[pool == loan.guest])])
        self._drawn: tuple[tuple[int, int], np.ndarray] | None = None

    def _place(self, seed: int, stream: int) -> np.ndarray:
        """(rows,) the place of each row among those of its pool and family."""
        if self._drawn is None or self._drawn[0] != (seed, stream):
            order = shuffled(len(self._unit), seed, "batches.turns", stream)
            order = order[np.argsort(self._unit[order], kind="stable")]
            place = np.empty(len(order), np.int32)
            place[order] = np.arange(len(order)) - self._start[self._unit[order]]
            self._drawn = (seed, stream), place
        return self._drawn[1]

    def pools(self, seed: int, stream: int, epoch: int) -> np.ndarray:
        """(rows,) twice the number of the pool that shows a row in this epoch, and one more for a row that waits."""
        sizes = self._sizes[self._unit]
        turn = (self._place(seed, stream) - epoch * self._quota[self._unit].astype(np.int64)) % sizes
        shown = 2 * self._pool.astype(np.int64) + (turn >= self._quota[self._unit])
        for number, (loan, abroad) in enumerate(zip(self._loans, self._abroad, strict=True)):
            last = abroad[turn[abroad] == sizes[abroad] - 1]  # one of each family
            shown[last[shuffled(len(last), seed, "batches.guests", stream, epoch, number)[: loan.rows]]] = (
                2 * loan.guest
            )
        return shown
