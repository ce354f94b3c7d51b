"""Which rows share a batch.

Rows of one source that can be shown in the same languages form a pool. A pool sorted by passage family is dealt like cards to its batches,
one row to each in turn: a family no larger than the number of batches then has no two rows in one of them (McNaughton's wrap-around rule,
1959), every row is used once, and sizes differ by at most one, so that there is no odd last batch. Only the sort is random. How many
batches there are, how large, and in which languages, is the same in every epoch: any step is found without replaying those before it.

Small groups of rows are joined where most of their languages survive, and borrow rows that have no family from a large pool, other ones in
every epoch, so that they are not left without negatives.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from triglot.batches.languages import Cells, Group, cells, feasible, marginals
from triglot.batches.settings import Batches, Rows
from triglot.files import InputError
from triglot.seeds import generator

_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
_KEY_BITS = 64
_NEIGHBOURS = 512  # groups among which a partner is looked for


@dataclass
class _Table:
    """Groups of rows: what they can be shown in, and how many rows there are."""

    source: np.ndarray
    same: np.ndarray
    query: np.ndarray  # uint64 mask
    passage: np.ndarray  # uint64 mask
    count: np.ndarray

    def take(self, index: np.ndarray) -> _Table:
        return _Table(self.source[index], self.same[index], self.query[index], self.passage[index], self.count[index])

    def joined(self, i: int) -> _Table:
        """Each group together with group i."""
        return _Table(self.source, self.same, self.query & self.query[i], self.passage & self.passage[i], self.count + self.count[i])

    @property
    def languages(self) -> np.ndarray:
        return np.bitwise_count(self.query).astype(np.int64) + np.bitwise_count(self.passage)


def _objections(groups: _Table, batches: Batches) -> dict[str, np.ndarray]:
    """Why groups cannot serve what the settings need: reason -> bool array."""
    query, passage, same = groups.query, groups.passage, groups.same
    pair = (query != 0) & (passage != 0) & ~((query == passage) & (np.bitwise_count(query) == 1))
    return {
        "no language on both sides": ((query & passage) == 0) & batches.needs_xx,
        "no language on the query side": query == 0,
        "no language on the passage side": passage == 0,
        "query and passage are one text, which X-X would pair with itself": same & batches.needs_xx,
        "one language only, and X-Y needs two": ~pair & (same | batches.needs_xy),
    }


def _serves(groups: _Table, batches: Batches) -> np.ndarray:
    return ~np.logical_or.reduce(list(_objections(groups, batches).values()))


def shuffled(count: int, seed: int, purpose: str, *counters: int) -> np.ndarray:
    """A permutation that is the same under every version of NumPy: sorted random bits, of which the low ones are the index."""
    low = np.uint64(max(count - 1, 1).bit_length())
    key = np.asarray(generator(seed, purpose, *counters).bit_generator.random_raw(count), np.uint64)
    key &= _ALL_BITS << low
    key |= np.arange(count, dtype=np.uint64)
    key.sort()
    key &= ~(_ALL_BITS << low)
    return key.view(np.int64)


def _number(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct combinations of columns: (rows,) the number, and one row of each."""
    code, count = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        if len(column) and column.min() != column.max():
            values, inverse = np.unique(column, return_inverse=True)
            values, code = np.unique(code * len(values) + inverse, return_inverse=True) if count > 1 else (values, inverse)
            count = len(values)
    example = np.zeros(min(count, len(code)), np.int64)
    example[code] = np.arange(len(code))
    return code, example


def _merge(strata: _Table, batches: Batches) -> tuple[np.ndarray, _Table]:
    """Join groups too small for a batch of `least` rows, each to the partner with which most of the rows' languages survive.

    At least half must survive, and together they must fit in one batch: a group that fills a batch is never narrowed.

    Returns:
        (strata,) the number of each one's pool, and the pools.
    """
    parent, table = np.arange(len(strata.count)), strata.take(np.arange(len(strata.count)))
    thin = np.flatnonzero(table.count < batches.size)
    kinds = np.unique(np.stack([table.source[thin], table.same[thin]]), axis=1).T
    for source, same in kinds:
        alike = thin[(table.source[thin] == source) & (table.same[thin] == same)]
        alike = alike[np.lexsort((table.passage[alike], table.query[alike]))]
        for near in np.array_split(alike, -(-len(alike) // _NEIGHBOURS)):
            part = table.take(near)
            alive, seeking = np.ones(len(near), bool), part.count < batches.least
            while seeking.any():
                i = int(np.argmin(np.where(seeking, part.count, batches.size)))
                seeking[i] = False
                both = part.joined(i)
                able = alive & (both.count <= batches.size) & _serves(both, batches)
                able[i] = False
                had = part.languages * part.count
                share = np.where(able, both.languages * both.count / (had + had[i]), 0)
                j = int(np.argmax(share))
                if share[j] >= 0.5:
                    alive[i], parent[near[i]] = False, near[j]
                    part.query[j], part.passage[j], part.count[j] = both.query[j], both.passage[j], both.count[j]
                    seeking[j] = part.count[j] < batches.least
            table.query[near], table.passage[near], table.count[near] = part.query, part.passage, part.count
    while (parent[parent] != parent).any():
        parent = parent[parent]
    pools, number = np.unique(parent, return_inverse=True)
    return number, table.take(pools)


def split(families: np.ndarray, batches: Batches) -> tuple[int, int, int]:
    """How a pool is dealt that has families[j] passage families of j rows.

    The largest family sets the number of batches, unless they would then be tiny. In that case a few batches hold as much as they can: with
    at most k rows of each family, k batches hold n(k) = sum(min(size, k)) rows, and n(k) / k falls with k, so k grows until they would
    have fewer than `least` rows; what a family has beyond k goes to extra batches, where it has no company.

    Returns:
        (batches, rows in them, extra batches for the rows left).
    """
    largest = int(np.flatnonzero(families).max())
    k = np.arange(1, largest + 1)
    held = np.cumsum(families[: largest + 1].sum() - np.cumsum(families[:largest]))  # n(1), ..., n(largest) = rows
    rows = int(held[-1])
    if batches.drop_last:
        full = rows // batches.size if rows >= batches.size * largest else int((held >= batches.size * k).sum())
        return full, full * batches.size, 0
    fewest = -(-rows // batches.size) if rows > batches.size * largest else 1 + int((held > batches.size * k).sum())
    count = max(fewest, largest if rows >= batches.least / 4 * largest else int((held >= batches.least * k).sum()))
    if count >= largest:
        return count, rows, 0
    left = rows - int(held[count - 1])
    return count, rows - left, max(-(-left // batches.size), largest - count)


class Layout:
    """All that is the same in every epoch.

    A deck is a stretch of the epoch's order that is dealt to `deals` batches: its j-th batch takes every `deals`-th row from the j-th on.

    Attributes:
        rows, pool, family: (n,) the rows that can be used, the pool and the passage family of each; `families` is 0 where no two rows
            share one.
        groups: the languages that batches can be shown in.
        group, size: (batches,) which of them applies, and how many rows there are.
        start, stop, deals, first: (decks,) stretch, batches, number of the first batch; `deck` (batches,) says which deck a batch is of.
        sources: of the rows that can be used.
        unusable: rows left out, by reason.
        dropped: rows of an epoch without a full batch (`drop_last`).
        narrowed: rows of an epoch that share a batch with rows of fewer languages.
        lonely: batches of one row, which has no in-batch negatives.
    """

    def __init__(self, rows: Rows, batches: Batches, subset: np.ndarray | None = None):
        self.batches = batches
        pool, self._pools = self._group(rows, slice(None) if subset is None else subset)
        inside = np.flatnonzero(pool >= 0)
        if not len(inside):
            raise InputError("no row can be used" + "".join(f"; {reason}: {n:,} rows" for reason, n in self.unusable.items()))
        small = np.uint32 if len(rows) < 2**32 else np.uint64
        self.rows, self.pool = (inside if subset is None else subset[inside]).astype(small), pool[inside].astype(np.uint32)
        family = rows.family[self.rows]
        if family.max() > 4 * len(family):
            family = np.unique(family, return_inverse=True)[1]
        self.family, size = family.astype(small), np.bincount(family)
        self._alone = size[self.family] == 1
        self.families = len(size) if size.max() > 1 else 0

        families = self._count_families()
        self._loans = self._lend(families)
        self._deal(families)
        if not len(self.group):
            raise InputError(f"{len(self.rows):,} rows do not make one batch of {batches.size} without two of a family (batches.drop_last)")

    def _group(self, rows: Rows, subset: np.ndarray | slice) -> tuple[np.ndarray, _Table]:
        """(rows,) the pool of each, -1 where it cannot be used, and the pools."""
        source, query, passage = rows.source[subset], rows.query_languages[subset], rows.passage_languages[subset]
        if self.batches.comparable:  # every kind then has the same languages to draw from, on both sides
            query = passage = query & passage
        same = np.zeros(len(source), bool) if rows.same is None else rows.same[subset].astype(bool)
        stratum, example = _number(source, same, query, *([] if passage is query else [passage]))
        source, same, query, passage = source[example], same[example], query[example].astype(np.uint64), passage[example].astype(np.uint64)
        strata = _Table(source, same, query, passage, np.bincount(stratum, minlength=len(example)))
        usable, self.unusable = np.ones(len(example), bool), {}
        for reason, against in _objections(strata, self.batches).items():
            if (usable & against).any():
                self.unusable[reason] = int(strata.count[usable & against].sum())
            usable &= ~against
        good = strata.take(np.flatnonzero(usable))
        bit = np.uint64(1) << np.arange(64, dtype=np.uint64)
        masks = (good.query, good.passage, good.query & good.passage)
        have = np.stack([((mask[:, None] & bit) != 0) * good.count[:, None] for mask in masks])  # (3, strata, 64)
        self.sources = np.unique(good.source).tolist()
        self._sizes = {s: have[:, good.source == s].sum(1) for s in self.sources}
        self._strata, (self._pool_of, pools) = good, _merge(good, self.batches)
        pool = np.full(len(example), -1, np.int32)
        pool[usable] = self._pool_of
        return pool[stratum], pools

    def _count_families(self) -> list[np.ndarray]:
        """How many passage families of 0, 1, 2, ... rows each pool has."""
        count = len(self._pools.count)
        alone = np.bincount(self.pool[self._alone], minlength=count)
        together = np.flatnonzero(~self._alone)
        key, size = np.unique(self.pool[together].astype(np.uint64) << np.uint64(32) | self.family[together], return_counts=True)
        ends = np.searchsorted(key, np.arange(1, count, dtype=np.uint64) << np.uint64(32))
        families = [np.bincount(part, minlength=2) for part in np.split(size, ends)]
        for number, lonely in zip(families, alone, strict=True):
            number[1] += lonely
        return families

    def _lend(self, families: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Loans to pools of fewer than `least` rows: (rows without a family that a pool can lend, pools that get one of them each).

        A pool lends down to `least` rows, and only if all its rows have the same languages.

        Args:
            families: see `_count_families`; changed in place, as the pools are.
        """
        pools, least = self._pools, self.batches.least
        spare = np.minimum(np.bincount(self.pool[self._alone], minlength=len(families)), pools.count - least)
        spare[self._pool_of[self._strata.languages > pools.languages[self._pool_of]]] = 0
        loans: dict[int, list[np.ndarray]] = {}
        for i in np.argsort(pools.count, kind="stable"):
            if pools.count[i] >= least or spare.max() <= 0:
                break
            both = pools.joined(i)
            able = (pools.source == pools.source[i]) & (pools.same == pools.same[i]) & (spare > 0) & _serves(both, self.batches)
            share = np.where(able, both.languages / pools.languages[i], 0)
            host = int(np.lexsort((spare, share))[-1])
            if share[host] < 0.5:
                continue
            lent = int(min(least - pools.count[i], spare[host]))
            loans.setdefault(host, []).append(np.full(lent, i, np.uint32))
            pools.query[i], pools.passage[i] = both.query[host], both.passage[host]
            for group, more in ((i, lent), (host, -lent)):
                pools.count[group] += more
                families[group][1] += more
            spare[host] -= lent
        self.narrowed = int(self._strata.count[self._strata.languages > pools.languages[self._pool_of]].sum())
        self.narrowed += sum(int((pools.languages[np.concatenate(to)] < pools.languages[host]).sum()) for host, to in loans.items())
        return [(np.flatnonzero(self._alone & (self.pool == host)), np.concatenate(to)) for host, to in loans.items()]

    def _deal(self, families: list[np.ndarray]) -> None:
        """Cut the order into decks."""
        pools = self._pools
        columns = zip(pools.source, pools.query, pools.passage, pools.same, strict=True)
        groups = [Group(int(source), int(query), int(passage), bool(same)) for source, query, passage, same in columns]
        self.groups = sorted(set(groups))
        number = {group: i for i, group in enumerate(self.groups)}
        decks, self._overflowing, start = [], [], 0
        for group, count, sizes in zip(groups, pools.count.tolist(), families, strict=True):
            deals, held, extra = split(sizes, self.batches)
            decks += [(start, start + held, deals, number[group]), (start + held, start + count, extra, number[group])]
            if deals < np.flatnonzero(sizes).max():
                self._overflowing.append((start, start + count, deals))
            start += count
        table = np.array(decks, np.int64)
        self.start, self.stop, self.deals, deck_group = table[table[:, 2] > 0].T
        self.first = np.cumsum(self.deals) - self.deals
        self.deck = np.repeat(np.arange(len(self.deals)), self.deals)
        self.group = deck_group[self.deck]
        held = self.stop - self.start
        nth = np.arange(len(self.deck)) - self.first[self.deck]
        self.size = (held[self.deck] - nth + self.deals[self.deck] - 1) // self.deals[self.deck]
        self.dropped = len(self.rows) - int(held.sum())
        self.lonely = int((self.size == 1).sum())
        self._cells: dict[tuple[int, str], Cells] = {}

    def marginals(self, group: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(64,) shares of the languages of a group: query side, passage side, X-X.

        What X-Y cannot give is moved to the nearest that it can, for every kind where arms are to be comparable.
        """
        query, passage, both = marginals(self.groups[group], self._sizes[self.groups[group].source], self.batches)
        if self.batches.comparable:
            query = passage = both = feasible(both, both)[0]
        elif self.batches.needs_xy or self.groups[group].same:
            return *feasible(query, passage), both
        return query, passage, both

    def moved(self) -> list[tuple[int, int]]:
        """(source, language) whose share X-Y cannot give."""
        found = set()
        for number, group in enumerate(self.groups):
            meant = marginals(group, self._sizes[group.source], self.batches)
            for before, after in zip(meant[:2], self.marginals(number)[:2], strict=True):
                if np.abs(before - after).max() > 1e-9:
                    found.add((group.source, int(np.argmax(before - after))))
        return sorted(found)

    def cells(self, group: int, kind: str) -> Cells:
        """The joint distribution of a kind in a group; made once."""
        if (group, kind) not in self._cells:
            self._cells[group, kind] = cells(kind, *self.marginals(group), self.groups[group].same)
        return self._cells[group, kind]

    def order(self, seed: int, stream: int, epoch: int) -> np.ndarray:
        """(n,) the epoch's order: by pool, within it by family at random, within that at random."""
        n, pool, pools = len(self.rows), self.pool, len(self._pools.count)
        if self._loans:
            pool = pool.copy()
        for number, (rows, to) in enumerate(self._loans):
            pool[rows[shuffled(len(rows), seed, "batches.loans", stream, epoch, number)[: len(to)]]] = to
        order = shuffled(n, seed, "batches.rows", stream, epoch)
        rank = shuffled(self.families, seed, "batches.families", stream, epoch)
        low, middle = np.uint64(max(n - 1, 1).bit_length()), np.uint64(self.families.bit_length())
        if int(low + middle) + pools.bit_length() > _KEY_BITS:
            order = order[np.lexsort((rank[self.family[order]], pool[order]) if self.families else (pool[order],))]
        elif self.families or pools > 1:  # one sort of numbers made of pool, family and place, which is several times as fast
            key = pool[order].astype(np.uint64)
            key <<= middle
            if self.families:
                key |= rank[self.family[order]].view(np.uint64)
            key <<= low
            key |= np.arange(n, dtype=np.uint64)
            key.sort()
            key &= ~(_ALL_BITS << low)
            order = order[key.view(np.int64)]
        for start, stop, deals in self._overflowing:  # the first `deals` rows of each family, then all others
            part = order[start:stop]
            place = np.arange(len(part))
            fresh = np.concatenate([[True], np.diff(self.family[part].astype(np.int64)) != 0])
            nth = place - np.maximum.accumulate(np.where(fresh, place, 0))
            order[start:stop] = np.concatenate([part[nth < deals], part[nth >= deals]])
        return order.astype(self.rows.dtype)
