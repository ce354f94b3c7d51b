"""Batches near the size asked for, where popular families or thin groups of languages stand in the way.

Dealt whole, a pool has as many batches as its largest family has rows, and a group of few rows has small ones. Here the
size comes first:

- **A popular family costs only itself.** It gives a batch one row, and its other rows wait for later epochs, in turn.
  Where batches would still be small, or most rows wait, a batch has several rows of a family, as few as it takes: the
  loss masks them.
- **Groups are joined by what a batch draws once.** X-X needs one language that all rows have on both sides; what is
  drawn row by row needs nothing in common, since each row then draws from its own languages.
- **What is still too thin shares batches without a language in common**, where each row draws its own, and borrows rows
  from a large pool.

As before, the number of batches, their sizes and their languages are the same in every epoch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from triglot.batches.kinds import parts_of
from triglot.batches.settings import BatchSettings
from triglot.batches.strata import Table, distinct, merge

NEAR = 0.95  # of the rows asked for: what batches have on average
FULL = 0.5  # and what each has at least
_FLOORS = np.arange(FULL, NEAR + 0.01, 0.05)  # shares that the batches of each pool must reach, tried in turn
_REPEATS = (
    4  # rows of a family in a batch that are preferred to rows that wait, and to batches without a language in common
)
_SHOWN = 0.5  # share of the rows that an epoch shows, if that many repeats can bring it about


def near(sizes: np.ndarray, size: int, least: int) -> bool:
    """Whether batches are as large as they should be; a mean of `least` is enough."""
    return bool(sizes.mean() >= min(NEAR * size, least) and np.floor(sizes.min()) >= FULL * size)


@dataclass(frozen=True)
class Deal:
    """How a pool is dealt: so many batches, with at most so many rows of a family each, and so many rows in all of
    them."""

    batches: int
    most: int
    rows: int


class Stock:
    """The families of a pool.

    Attributes:
        families: (families,) their numbers.
        sizes: (families,) rows of each.
        held: [c] rows where each family gives at most c.
    """

    def __init__(self, families: np.ndarray, sizes: np.ndarray):
        self.families, self.sizes = families, sizes
        self.rows = int(sizes.sum())
        self.held = np.concatenate([[0], np.cumsum(len(sizes) - np.cumsum(np.bincount(sizes)))])

    @classmethod
    def of(cls, stocks: Sequence[Stock]) -> Stock:
        """Several pools as one."""
        families, place = np.unique(np.concatenate([stock.families for stock in stocks]), return_inverse=True)
        return cls(families, np.bincount(place, np.concatenate([stock.sizes for stock in stocks])).astype(np.int64))

    def gives(self, most: np.ndarray | int) -> np.ndarray:
        """Rows where each family gives at most so many."""
        return self.held[np.minimum(most, len(self.held) - 1)]

    def deal(self, size: int, least: int, most: int, lent: int = 0) -> Deal | None:
        """As many batches as have `least` rows each, None where there is no such batch; `lent` rows are away.

        A family gives a batch one row; more only where batches are too small otherwise (up to `most`), or an epoch
        would show less than half of the rows (up to four).
        """
        repeats = np.arange(1, most + 1)
        enough = repeats[self.gives(repeats) - lent >= least]
        if not len(enough):
            return None
        count = np.arange(1, -(-self.rows // size) + 1)
        best = Deal(0, 0, 0)
        for each in range(int(enough[0]), max(int(enough[0]), min(most, _REPEATS)) + 1):
            rows = np.minimum(self.gives(each * count) - lent, size * count)
            last = int(np.flatnonzero(rows >= least * count).max())
            best = max(best, Deal(last + 1, each, int(rows[last])), key=lambda deal: deal.rows)
            if best.rows >= _SHOWN * self.rows:
                break
        return best


@dataclass(frozen=True)
class Loan:
    """Rows of one pool, others in every epoch, that another shows."""

    host: int
    guest: int
    rows: int


@dataclass(frozen=True)
class _Plan:
    """Deals of one source; `members` are the pools that share batches without a language in common, and `rest` is
    how."""

    deals: dict[int, Deal]
    members: tuple[int, ...] = ()
    rest: Deal | None = None
    host: int = -1
    guests: int = 0

    @property
    def all(self) -> list[Deal]:
        return [*self.deals.values(), *([self.rest] if self.rest else [])]

    @property
    def mean(self) -> float:
        return sum(deal.rows for deal in self.all) / sum(deal.batches for deal in self.all)

    def near(self, size: int) -> bool:
        """Whether batches are as large as they should be."""
        return near(
            np.repeat([deal.rows / deal.batches for deal in self.all], [deal.batches for deal in self.all]), size, size
        )


@dataclass(frozen=True)
class Filling:
    """Pools and how they are dealt.

    Attributes:
        pool: (strata,) the pool of each.
        source, query, passage: (pools,) of all their rows in common.
        mixed: (pools,) bool, whether that is too little to draw languages for a whole batch.
        deals: (pools,).
        loans: between pools.
    """

    pool: np.ndarray
    source: np.ndarray
    query: np.ndarray
    passage: np.ndarray
    mixed: np.ndarray
    deals: list[Deal]
    loans: list[Loan]


def _once(batches: BatchSettings) -> tuple[bool, bool]:
    """Whether a whole batch may have to be shown in one language, and in one pair of languages."""
    once = [kind.needs for kind in parts_of(batches) if kind.once(batches)]
    return batches.comparable or "one" in once, batches.comparable or bool({"two", ""} & set(once))


def _able(groups: Table, batches: BatchSettings) -> np.ndarray:
    """Whether groups have in common what a batch draws once."""
    one, pair = _once(batches)
    query, passage = groups.query, groups.passage
    able = np.ones(len(query), bool)
    if one:
        able &= (query & passage) != 0
    if pair:
        able &= (query != 0) & (passage != 0) & ~((query == passage) & (np.bitwise_count(query) == 1))
    return able


def _coverages(strata: Table, batches: BatchSettings) -> tuple[np.ndarray, Table]:
    """(strata,) the number of each one's coverage, that is of what a batch draws once; and the coverages, without
    counts."""
    one, pair = _once(batches)
    both, none = strata.query & strata.passage, np.zeros_like(strata.query)
    query, passage = (both, both) if one else (none, none)
    if pair:
        query, passage = strata.query, strata.passage
    number, example = distinct(strata.source, query, passage)
    count = np.zeros(len(example), np.int64)
    return number, Table(strata.source[example], np.zeros(len(example), bool), query[example], passage[example], count)


def _stocks(pool: np.ndarray, family: np.ndarray, count: int) -> list[Stock]:
    """The families of each pool."""
    width = int(family.max()) + 1
    key, sizes = np.unique(pool.astype(np.int64) * width + family, return_counts=True)
    ends = np.searchsorted(key, np.arange(1, count, dtype=np.int64) * width)
    return [Stock(*part) for part in zip(np.split(key % width, ends), np.split(sizes, ends), strict=True)]


def _arrange(stocks: dict[int, Stock], size: int, least: int, most: int) -> _Plan | None:
    """Deals in which every batch has `least` rows; pools without such a batch are put together.

    None where that is not enough.
    """
    dealt = {number: stock.deal(size, least, most) for number, stock in stocks.items()}
    deals = {number: deal for number, deal in dealt.items() if deal}
    thin = [number for number in stocks if number not in deals]
    if not thin:
        return _Plan(deals)
    large = sorted(deals, key=lambda number: -stocks[number].rows)
    while True:
        rest = Stock.of([stocks[number] for number in thin])
        deal = rest.deal(size, least, most)
        if deal:
            return _Plan(deals, tuple(thin), deal)
        guests = size - int(rest.gives(1))
        for host in large:
            smaller = stocks[host].deal(size, least, most, guests)
            if smaller and np.isin(stocks[host].families, rest.families, invert=True).sum() >= guests:
                return _Plan(deals | {host: smaller}, tuple(thin), Deal(1, 1, size), host, guests)
        if not large:
            return None
        for _ in range(max(1, len(large) // 8)):
            thin.append(large.pop())
            del deals[thin[-1]]


def _best(stocks: dict[int, Stock], size: int) -> _Plan:
    """The deals of a source that show most rows among those with batches near the size; else those with the largest
    batches."""
    plans = []
    repeats = max(1, size // 2)  # or a batch could be one family
    for most in sorted({min(_REPEATS, repeats), repeats}):
        for floor in _FLOORS:
            plan = _arrange(stocks, size, int(np.ceil(floor * size)), most)
            if plan and plan.near(size):
                return plan
            plans += [plan] if plan else []
    if plans:
        return max(plans, key=lambda plan: plan.mean)
    rest = Stock.of(list(stocks.values()))
    rows = min(size, int(rest.gives(repeats)))
    most = int(np.argmax(rest.gives(np.arange(1, repeats + 1)) >= rows)) + 1
    return _Plan({}, tuple(stocks), Deal(1, most, rows))


def fill(strata: Table, stratum: np.ndarray, family: np.ndarray, batches: BatchSettings) -> Filling:
    """Pools whose batches are near the size asked for.

    Args:
        strata: rows that can be shown in the same languages.
        stratum: (rows,) of each row.
        family: (rows,) of each row.
        batches: the settings.
    """
    coverage, covers = _coverages(strata, batches)
    covers.count = np.array([len(stock.sizes) for stock in _stocks(coverage[stratum], family, len(covers.count))])
    joined, pools = merge(covers, batches, least=batches.size, most=2 * batches.size, able=_able)
    pool = joined[coverage]
    stocks = _stocks(pool[stratum], family, len(pools.count))
    deals: list[Deal] = []
    loans: list[Loan] = []
    renumbered = np.zeros(len(stocks), np.int64)
    for source in np.unique(pools.source):
        mine = {int(number): stocks[number] for number in np.flatnonzero(pools.source == source)}
        plan = _best(mine, batches.size)
        for number, deal in plan.deals.items():
            renumbered[number] = len(deals)
            deals.append(deal)
        if plan.rest:
            renumbered[list(plan.members)] = len(deals)
            if plan.guests:
                loans.append(Loan(int(renumbered[plan.host]), len(deals), plan.guests))
            deals.append(plan.rest)
    pool = renumbered[pool]
    order = np.argsort(pool, kind="stable")
    starts = np.searchsorted(pool[order], np.arange(len(deals)))
    query, passage = (np.bitwise_and.reduceat(mask[order], starts) for mask in (strata.query, strata.passage))
    for loan in loans:
        query[loan.guest] &= query[loan.host]
        passage[loan.guest] &= passage[loan.host]
    source = strata.source[order][starts]
    common = Table(source, np.zeros(len(source), bool), query, passage, np.zeros(len(source), np.int64))
    return Filling(pool, source, query, passage, ~_able(common, batches), deals, loans)
