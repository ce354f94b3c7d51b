"""Which rows share a batch.

Rows of one source that can be shown in the same languages form a pool. A pool sorted by passage family is dealt like
cards to its batches, one row to each in turn: a family no larger than the number of batches then has no two rows in one
of them (McNaughton's wrap-around rule, 1959), every row is used once, and sizes differ by at most one, so that there is
no odd last batch. Only the sort is random. How many batches there are, how large, and in which languages, is the same
in every epoch: any step is found without replaying those before it.

Small groups of rows are joined where most of their languages survive, and borrow rows that have no family from a large
pool, other ones in every epoch, so that they are not left without negatives.
"""

from __future__ import annotations

import numpy as np

from triglot.batches.filling import fill, near
from triglot.batches.kinds import KINDS
from triglot.batches.languages import Cells, Group, cells, feasible, marginals
from triglot.batches.settings import BatchSettings, Rows
from triglot.batches.strata import Table, cure, distinct, merge, objections, serves
from triglot.batches.turns import Turns
from triglot.files import InputError
from triglot.seeds import shuffled

_ALL_BITS = np.uint64(0xFFFFFFFFFFFFFFFF)
_KEY_BITS = 64


def split(families: np.ndarray, batches: BatchSettings) -> tuple[int, int, int]:
    """How a pool is dealt that has families[j] passage families of j rows.

    The largest family sets the number of batches, unless they would then be tiny. In that case a few batches hold as
    much as they can: with at most k rows of each family, k batches hold n(k) = sum(min(size, k)) rows, and n(k) / k
    falls with k, so k grows until they would have fewer than `least` rows; what a family has beyond k goes to extra
    batches, where it has no company.

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

    A deck is a stretch of the epoch's order that is dealt to `deals` batches: its j-th batch takes every `deals`-th row
    from the j-th on.

    Attributes:
        rows, pool, family: (n,) the rows that can be used, the pool and the passage family of each; `families` is 0
            where no two rows share one.
        groups: the languages that batches can be shown in.
        group, size: (batches,) which of them applies, and how many rows there are.
        start, stop, deals, first: (decks,) stretch, batches, number of the first batch; `deck` (batches,) says which
            deck a batch is of.
        sources: of the rows that can be used.
        unusable: rows left out, by reason; `cure` names settings that could use them.
        own: (n,) the languages that each row can be shown in, as a number of `groups`; None where its batches' are all
            that count.
        dropped: rows that an epoch leaves for later ones.
        narrowed: rows that share batches with rows of fewer languages, and are shown in these alone.
        mixed: rows of an epoch in batches whose rows have no language in common where the kind asks for one; each row
            then draws its own.
        lonely: batches of one row, which has no in-batch negatives.
    """

    def __init__(self, rows: Rows, batches: BatchSettings, subset: np.ndarray | None = None):
        self.batches = batches
        pool, stratum = self._group(rows, slice(None) if subset is None else subset)
        inside = np.flatnonzero(pool >= 0)
        if not len(inside):
            reasons = [
                *(f"{reason}: {n:,} rows" for reason, n in self.unusable.items()),
                *([self.cure] if self.cure else []),
            ]
            raise InputError("; ".join(["no row can be used", *reasons]))
        small = np.uint32 if len(rows) < 2**32 else np.uint64
        self.rows, self.pool = (
            (inside if subset is None else subset[inside]).astype(small),
            pool[inside].astype(np.uint32),
        )
        family = rows.family[self.rows]
        if family.max() > 4 * len(family):
            family = np.unique(family, return_inverse=True)[1]
        self.family, size = family.astype(small), np.bincount(family)
        self._alone = size[self.family] == 1
        self.families = len(size) if size.max() > 1 else 0

        self.own, self._turns, self.mixed, self._places = None, None, 0, len(self._pools.count)
        families = self._count_families()
        self._loans = self._lend(families)
        self._deal(families)
        if not len(self.group):
            raise InputError(
                f"{len(self.rows):,} rows do not make one batch of {batches.size} without two of a family "
                "(batches.drop_last)"
            )
        if not (batches.every_row or batches.drop_last or self._fits()):
            self._fill(stratum[inside])

    def _group(self, rows: Rows, subset: np.ndarray | slice) -> tuple[np.ndarray, np.ndarray]:
        """(rows,) the pool and the stratum of each, -1 where it cannot be used."""
        source, query, passage = rows.source[subset], rows.query_languages[subset], rows.passage_languages[subset]
        if self.batches.comparable:  # every kind then has the same languages to draw from, on both sides
            query = passage = query & passage
        same = np.zeros(len(source), bool)
        if rows.same is not None and self.batches.bitext != "itself":
            same = rows.same[subset].astype(bool)
        stratum, example = distinct(source, same, query, *([] if passage is query else [passage]))
        source, same, query, passage = (
            source[example],
            same[example],
            query[example].astype(np.uint64),
            passage[example].astype(np.uint64),
        )
        strata = Table(source, same, query, passage, np.bincount(stratum, minlength=len(example)))
        usable, self.unusable = np.ones(len(example), bool), {}
        for reason, against in objections(strata, self.batches).items():
            if (usable & against).any():
                self.unusable[reason] = int(strata.count[usable & against].sum())
            usable &= ~against
        self.cure = ""
        if self.unusable:
            query, passage = (
                rows.query_languages[subset].astype(np.uint64),
                rows.passage_languages[subset].astype(np.uint64),
            )
            number, one = distinct(rows.source[subset], same[stratum], query, passage)
            columns = (
                rows.source[subset][one],
                same[stratum][one],
                query[one],
                passage[one],
                np.bincount(number, minlength=len(one)),
            )
            self.cure = cure(Table(*columns), self.batches)
        good = strata.take(np.flatnonzero(usable))
        bit = np.uint64(1) << np.arange(64, dtype=np.uint64)
        masks = (good.query, good.passage, good.query & good.passage)
        have = np.stack([((mask[:, None] & bit) != 0) * good.count[:, None] for mask in masks])  # (3, strata, 64)
        self.sources = np.unique(good.source).tolist()
        self._sizes = {s: have[:, good.source == s].sum(1) for s in self.sources}
        self._strata = good
        self._pool_of, self._pools = merge(good, self.batches, least=self.batches.least, most=self.batches.size)
        pool, place = np.full((2, len(example)), -1, np.int32)
        pool[usable], place[usable] = self._pool_of, np.arange(len(good.count))
        return pool[stratum], place[stratum]

    def _count_families(self) -> list[np.ndarray]:
        """How many passage families of 0, 1, 2, ... rows each pool has."""
        count = len(self._pools.count)
        alone = np.bincount(self.pool[self._alone], minlength=count)
        together = np.flatnonzero(~self._alone)
        key, size = np.unique(
            self.pool[together].astype(np.uint64) << np.uint64(32) | self.family[together], return_counts=True
        )
        ends = np.searchsorted(key, np.arange(1, count, dtype=np.uint64) << np.uint64(32))
        families = [np.bincount(part, minlength=2) for part in np.split(size, ends)]
        for number, lonely in zip(families, alone, strict=True):
            number[1] += lonely
        return families

    def _lend(self, families: list[np.ndarray]) -> list[tuple[np.ndarray, np.ndarray]]:
        """Loans to pools of fewer than `least` rows: (rows without a family that a pool can lend, pools that get one of
        them each).

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
            able = (
                (pools.source == pools.source[i])
                & (pools.same == pools.same[i])
                & (spare > 0)
                & serves(both, self.batches)
            )
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
        self.narrowed += sum(
            int((pools.languages[np.concatenate(to)] < pools.languages[host]).sum()) for host, to in loans.items()
        )
        return [(np.flatnonzero(self._alone & (self.pool == host)), np.concatenate(to)) for host, to in loans.items()]

    def _deal(self, families: list[np.ndarray]) -> None:
        """Cut the order into decks."""
        pools = self._pools
        columns = zip(pools.source, pools.query, pools.passage, pools.same, strict=True)
        groups = [Group(int(source), int(query), int(passage), bool(same)) for source, query, passage, same in columns]
        decks, self._overflowing, start = [], [], 0
        for group, count, sizes in zip(groups, pools.count.tolist(), families, strict=True):
            deals, held, extra = split(sizes, self.batches)
            decks += [(start, start + held, deals, group), (start + held, start + count, extra, group)]
            if deals < np.flatnonzero(sizes).max():
                self._overflowing.append((start, start + count, deals))
            start += count
        self._cut(decks, groups)

    def _fill(self, stratum: np.ndarray) -> None:
        """Deal batches near the size asked for, see `triglot.batches.filling`. `stratum` (n,) is that of each row."""
        strata, batches = self._strata, self.batches
        filling = fill(strata, stratum, self.family, batches)
        self.pool, self._loans, self._overflowing = filling.pool[stratum].astype(np.uint32), [], []
        self._turns = Turns(self.pool, self.family, filling)
        count = np.bincount(self.pool, minlength=len(filling.deals))
        for loan in filling.loans:
            count[[loan.host, loan.guest]] += (-loan.rows, loan.rows)
        self._places = 2 * len(count)
        same = np.zeros(len(count), bool)
        np.logical_or.at(same, filling.pool, strata.same)
        columns = (column.tolist() for column in (filling.source, filling.query, filling.passage, same, filling.mixed))
        groups = [Group(*column) for column in zip(*columns, strict=True)]
        columns = (
            column.tolist() for column in (strata.source, strata.query, strata.passage, strata.same.astype(bool))
        )
        own = [Group(*column) for column in zip(*columns, strict=True)]
        starts = (np.cumsum(count) - count).tolist()
        zipped = zip(starts, filling.deals, groups, strict=True)
        self._cut([(start, start + deal.rows, deal.batches, group) for start, deal, group in zipped], [*groups, *own])
        self.own = np.array([self.groups.index(group) for group in own], np.int32)[stratum]
        self.mixed = sum(deal.rows for deal, group in zip(filling.deals, groups, strict=True) if group.mixed)
        fewer = np.bitwise_count(strata.query & ~filling.query[filling.pool]) + np.bitwise_count(
            strata.passage & ~filling.passage[filling.pool]
        )
        narrow = (fewer > 0) & ~filling.mixed[filling.pool] & batches.comparable
        self.narrowed = int(strata.count[narrow].sum())

    def _fits(self) -> bool:
        """Whether batches are near the size asked for; where they are as few as can be, two rows less are near enough
        too."""
        size = self.batches.size
        least = size - 2 if len(self.size) == int((-(-self._pools.count // size)).sum()) else size
        return near(self.size, size, least)

    def _cut(self, decks: list[tuple[int, int, int, Group]], groups: list[Group]) -> None:
        """Number the batches of all decks: (start, stop, batches, languages) of each."""
        self.groups = sorted(set(groups))
        number = {group: i for i, group in enumerate(self.groups)}
        table = np.array([(start, stop, deals, number[group]) for start, stop, deals, group in decks], np.int64)
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

    @property
    def shown(self) -> float:
        """The share of the rows that an epoch shows."""
        return 1 - self.dropped / len(self.rows)

    @property
    def reason(self) -> str:
        """Why batches are no larger."""
        sizes = np.bincount(self.family)
        passages = (
            f"{np.count_nonzero(sizes):,} different passages, the most frequent one in {int(sizes.max()):,} of them"
        )
        return f"there are {len(self.rows):,} rows that can be used, with {passages}"

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
        changes = set()
        used = range(len(self.groups)) if self.own is None or self.batches.comparable else np.unique(self.own).tolist()
        for number, group in ((number, self.groups[number]) for number in used):
            if not self.batches.comparable and group.query.bit_count() == 1:
                continue  # a question in one language never has an answer in it under X-Y: nobody asked otherwise
            meant = marginals(group, self._sizes[group.source], self.batches)
            for before, after in zip(meant[:2], self.marginals(number)[:2], strict=True):
                if np.abs(before - after).max() > 1e-9:
                    changes.add((group.source, int(np.argmax(before - after))))
        return sorted(changes)

    def cells(self, group: int, kind: str) -> Cells:
        """The joint distribution of a kind in a group; made once."""
        if (group, kind) not in self._cells:
            self._cells[group, kind] = cells(KINDS[kind], *self.marginals(group), self.groups[group].same)
        return self._cells[group, kind]

    def order(self, seed: int, stream: int, epoch: int) -> np.ndarray:
        """(n,) the epoch's order: by pool, within it by family at random, within that at random."""
        n, pool, pools = len(self.rows), self.pool, self._places
        if self._turns is not None:
            pool = self._turns.pools(seed, stream, epoch)
        if self._loans:
            pool = pool.copy()
        for number, (rows, to) in enumerate(self._loans):
            pool[rows[shuffled(len(rows), seed, "batches.loans", stream, epoch, number)[: len(to)]]] = to
        order = shuffled(n, seed, "batches.rows", stream, epoch)
        rank = shuffled(self.families, seed, "batches.families", stream, epoch)
        low, middle = np.uint64(max(n - 1, 1).bit_length()), np.uint64(self.families.bit_length())
        if int(low + middle) + pools.bit_length() > _KEY_BITS:
            order = order[np.lexsort((rank[self.family[order]], pool[order]) if self.families else (pool[order],))]
        elif self.families or pools > 1:
            # One sort of numbers made of pool, family and place, which is several times as fast.
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
