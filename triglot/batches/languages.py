"""In which languages the rows of a batch are shown.

Every kind of batch (see `kinds`) is a joint distribution over (query language, passage language), drawn once a batch
or once a row:

    xx       the diagonal, a batch                          xx-mixed       the diagonal, a row
    xy       off the diagonal, a row (or a batch: `by`)     independent    the product, a row
    hybrid   xx with probability alpha, else xy (Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536)

Draws are even and not only so on average: over the rows of a group they follow a low-discrepancy sequence with a random
start, and the languages of whole batches are drawn from what each is owed (see `ledger`). Shares are then right after a
few steps.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from functools import cached_property, lru_cache
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from triglot.batches.kinds import Kind
    from triglot.batches.settings import BatchSettings

# Irrational and independent of each other, so that one sequence never falls in step with the other.
_GOLDEN, _SQRT2 = (math.sqrt(5) - 1) / 2, math.sqrt(2) - 1


@dataclass(frozen=True, order=True)
class Group:
    """Rows or batches that can be shown in the same languages: masks of the query side and the passage side.

    `mixed` batches have too little in common to draw their languages once; each of their rows draws its own.
    """

    source: int
    query: int
    passage: int
    same: bool
    mixed: bool = False


def members(mask: int) -> np.ndarray:
    """The languages of a mask."""
    return np.flatnonzero([mask >> bit & 1 for bit in range(64)])


def marginals(group: Group, sizes: np.ndarray, batches: BatchSettings) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The shares that a group's languages are meant to have.

    Args:
        group: the batches in question.
        sizes: (3, 64) rows of the source that have each language on the query side, on the passage side, and on both.
        batches: the settings.

    Returns:
        (64,) query side, passage side, and X-X.
    """
    power = {"equal": 0.0, "size": 1.0, "temperature": 1 / batches.temperature}[batches.language_sampling]
    shares = np.zeros((3, 64))
    for share, size, mask in zip(shares, sizes, (group.query, group.passage, group.query & group.passage), strict=True):
        inside = members(mask)
        share[inside] = (size[inside] / max(size.max(), 1)) ** power
        share /= share.sum() or 1.0
    return shares[0], shares[1], shares[2]


def feasible(query: np.ndarray, passage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest marginals for which a zero diagonal is possible.

    That needs query[x] + passage[x] <= 1 for every language x. As all sums add to 2, at most one can exceed it; what it
    has too much goes to the other languages in proportion, half on each side where both have others.
    """
    x = int(np.argmax(query + passage))
    excess = query[x] + passage[x] - 1
    if excess <= 1e-12:
        return query, passage
    alone = 1 - 1e-12
    cuts = (excess / 2, excess / 2)
    if query[x] > alone:
        cuts = (0.0, passage[x])
    elif passage[x] > alone:
        cuts = (query[x], 0.0)
    moved = []
    for share, cut in zip((query, passage), cuts, strict=True):
        share = share * (1 + cut / max(1 - share[x], 1e-300))
        share[x] = 0
        share[x] = 1 - share.sum()
        moved.append(share)
    return moved[0], moved[1]


def off_diagonal(query: np.ndarray, passage: np.ndarray) -> np.ndarray:
    """The joint distribution with these marginals and a zero diagonal that is nearest to independence, by iterative
    proportional fitting.

    Args:
        query: (L,) marginal of the query language.
        passage: (L,) marginal of the passage language; where no such joint exists, both are first moved to the nearest
            `feasible` ones.

    Returns:
        (L, L), sums to 1.
    """
    query, passage = feasible(query, passage)
    x = int(np.argmax(query + passage))
    joint = np.outer(query, passage)
    if query[x] + passage[x] > 1 - 1e-9:
        # All mass lies in one row and one column, which fitting would reach in no finite time.
        joint[:] = 0
        joint[:, x], joint[x] = query, passage
    np.fill_diagonal(joint, 0)
    for _ in range(3000):  # enough for a share of .4999; most need ten
        rows = joint.sum(1)
        joint *= np.divide(query, rows, out=np.zeros_like(rows), where=rows > 0)[:, None]
        columns = joint.sum(0)
        joint *= np.divide(passage, columns, out=np.zeros_like(columns), where=columns > 0)
        if np.abs(joint.sum(1) - query).max() < 1e-9:
            break
    return joint / joint.sum()


@lru_cache(maxsize=256)
def _stretch(width: int, length: int) -> np.ndarray:
    """(length,) points of [0, 1), in rounds of `width` that visit each 1/width once and are shifted against each other.

    A round goes in the order of the golden ratio's multiples, so that an unfinished one is even too.
    """
    turn = np.argsort(np.argsort(np.arange(width) * _GOLDEN % 1.0)) / width
    rounds, place = np.divmod(np.arange(length), width)
    return (turn[place] + rounds * _SQRT2) % 1.0


@dataclass(frozen=True)
class Cells:
    """A joint distribution over pairs of languages, as intervals of [0, 1)."""

    query: np.ndarray  # (cells,) int16
    passage: np.ndarray  # (cells,) int16
    share: np.ndarray  # (cells,) sums to 1

    @cached_property
    def sides(self) -> tuple[np.ndarray, np.ndarray]:
        """(64,) shares of the languages on the query side and on the passage side."""
        return np.bincount(self.query, self.share, 64), np.bincount(self.passage, self.share, 64)

    @cached_property
    def _ends(self) -> np.ndarray:
        return np.cumsum(self.share)[:-1]

    def draw(self, first: int, count: int, start: float) -> np.ndarray:
        """(count,) the cells number `first` and following of the sequence that starts at `start`.

        A round has as many draws as there are cells, so that cells of equal shares come up equally often.
        """
        width = len(self.query)
        rounds, place = divmod(first, width)
        points = (
            _stretch(width, 1 << (place + count - 1).bit_length())[place : place + count]
            + (start + rounds * _SQRT2) % 1.0
        )
        points -= points >= 1.0
        return self.at(points)

    def at(self, points: np.ndarray) -> np.ndarray:
        """(points,) the cells in which points of [0, 1) lie."""
        return np.searchsorted(self._ends, points, side="right")


def cells(kind: Kind, query: np.ndarray, passage: np.ndarray, both: np.ndarray, same: bool) -> Cells:
    """The joint distribution of a plain kind with these marginals; `same` rows never get one language on both sides."""
    if same:
        joint = off_diagonal(query, passage)
    else:
        assert kind.joint is not None, kind.name
        joint = kind.joint(query, passage, both)
    q, p = np.nonzero(joint)
    # Cyclic from the query's language on: keeps passage languages even over short runs.
    order = np.lexsort(((p - q) % len(joint), q))
    q, p = q[order], p[order]
    return Cells(q.astype(np.int16), p.astype(np.int16), joint[q, p])
