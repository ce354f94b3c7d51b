"""Which rows make a batch, and in which languages: a pure function of (rows, settings, seed, epoch, step).

The rows of a step are settled first and do not depend on the kind of batch, so that arms are compared on the same data. Rows that can be
shown in the same languages form a pool. A pool sorted by passage family is dealt like cards to its batches, one row to each in turn: a family
that is no larger than the number of batches can then never have two rows in one of them (McNaughton's wrap-around rule), every row is used
once, and sizes differ by at most one. Only the sort is random; how many batches there are, and with which languages, is the same in every
epoch. That gives random access: nothing has to be replayed to resume.

Languages come second. Every kind is a joint distribution over (query language, passage language), drawn once a batch or once a row:

    xx           the diagonal, a batch          xx-mixed     the diagonal, a row
    xy           off the diagonal, a row (or a batch, `by`)      independent  the product, a row
    hybrid       xx with probability alpha, else xy (Elmahdy, Lin and Ahmad 2024, arXiv 2408.10536)

All draws are low-discrepancy sequences with a random start, so that shares are right after a few steps and not only on average.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import TYPE_CHECKING

import numpy as np

from triglot.files import InputError, nearest
from triglot.seeds import bits, uniform

if TYPE_CHECKING:
    from triglot.corpus.parallel import ParallelCorpus

KINDS = ("xx", "xx-mixed", "xy", "independent", "hybrid")
CHOICES = {"kind": KINDS, "by": ("row", "batch"), "languages": ("equal", "size", "temperature"), "sources": ("weight", "size")}

# Fractional steps that are irrational and independent of each other, one a purpose.
_GOLDEN, _SQRT2, _SQRT3 = (math.sqrt(5) - 1) / 2, math.sqrt(2) - 1, math.sqrt(3) - 1
_ALL = np.uint64(0xFFFFFFFFFFFFFFFF)


@dataclass(frozen=True)
class Batches:
    """Settings of the planner.

    Attributes:
        kind: xx | xx-mixed | xy | independent | hybrid.
        alpha: share of xx batches among hybrid ones.
        size: rows a batch, over all ranks.
        by: whether an xy batch draws its ordered pair of languages once a row or once for the batch.
        languages: equal | size | temperature, where a language with n rows gets a share p ~ n^(1/T).
        temperature: that T.
        positives: passages a row, each in another language.
        sources: weight (given) | size (every row of every source equally often).
        comparable: admit only rows that every kind can use, in languages that both sides have; arms then see the same rows and marginals.
            False, for one arm alone (alignment on bitext), asks only what this kind needs.
        drop_last: only batches of exactly `size` rows; what is left over (other rows every epoch) is counted in `dropped`.

    Raises:
        InputError: a value that is not understood.
    """

    kind: str = "hybrid"
    alpha: float = 0.5
    size: int = 256
    by: str = "row"
    languages: str = "equal"
    temperature: float = 1.0
    positives: int = 1
    sources: str = "weight"
    comparable: bool = True
    drop_last: bool = False

    def __post_init__(self) -> None:
        for key, known in CHOICES.items():
            if getattr(self, key) not in known:
                raise InputError(f"batches.{key}: {getattr(self, key)!r} is unknown{nearest(str(getattr(self, key)), known)}")
        if not 0 <= self.alpha <= 1:
            raise InputError(f"batches.alpha: {self.alpha} is not in [0, 1]")
        if self.size < 1 or self.positives < 1:
            raise InputError(f"batches.{'size' if self.size < 1 else 'positives'}: at least 1 is needed")
        if not (self.temperature > 0 and math.isfinite(self.temperature)):
            raise InputError(f"batches.temperature: {self.temperature} is not a positive number")

    @property
    def needs(self) -> tuple[bool, bool]:
        """Whether rows must be able to do X-X, and X-Y."""
        xx = self.kind in ("xx", "xx-mixed") or (self.kind == "hybrid" and self.alpha > 0)
        xy = self.kind == "xy" or (self.kind == "hybrid" and self.alpha < 1)
        return xx or self.comparable, xy or self.comparable


@dataclass(frozen=True)
class Rows:
    """What the planner needs to know about training rows.

    Attributes:
        family: (rows,) integers >= 0; two rows of one passage family never share a batch (`ParallelCorpus.family[passage]`).
        query_languages, passage_languages: (rows,) uint64, bit l is set where the side can be shown in language l.
        source: (rows,) integers >= 0; a batch has one source.
        same: (rows,) bool, query and passage are one group (bitext), so that X-X would pair a text with itself; None for nowhere.
    """

    family: np.ndarray
    query_languages: np.ndarray
    passage_languages: np.ndarray
    source: np.ndarray
    same: np.ndarray | None = None

    def __post_init__(self) -> None:
        lengths = {len(a) for a in (self.family, self.query_languages, self.passage_languages, self.source, self.same) if a is not None}
        if len(lengths) > 1:
            raise ValueError(f"columns of different lengths {sorted(lengths)}")
        if len(self) and (self.family.min() < 0 or self.source.min() < 0):
            raise ValueError("families and sources are numbered from 0")

    def __len__(self) -> int:
        return len(self.family)


def rows_of(corpus: ParallelCorpus, query_languages: np.ndarray | None = None, passage_languages: np.ndarray | None = None) -> Rows:
    """The rows of a corpus; pass masks (rows,) where a side can be shown in more languages than it has texts (code-switching)."""
    return Rows(
        family=corpus.family[corpus.passage],
        query_languages=corpus.group_languages[corpus.query] if query_languages is None else query_languages,
        passage_languages=corpus.group_languages[corpus.passage] if passage_languages is None else passage_languages,
        source=corpus.source,
        same=corpus.query == corpus.passage,
    )


def rank_slice(count: int, rank: int, world: int) -> slice:
    """The contiguous part of `count` rows that a rank takes; sizes differ by at most one and the parts concatenate to the whole."""
    if not 0 <= rank < world:
        raise ValueError(f"rank {rank} of {world}")
    return slice(rank * count // world, (rank + 1) * count // world)


@dataclass(frozen=True)
class Step:
    """One batch over all ranks.

    Attributes:
        rows: (b,) int64 row numbers.
        query_lang: (b,) int16.
        passage_lang: (b, positives) int16; -1 where a row has fewer languages than asked for.
        kind: xx | xx-mixed | xy | independent; what a hybrid step turned out to be.
        source, epoch: of the rows; an epoch is one of the source's own.
    """

    rows: np.ndarray
    query_lang: np.ndarray
    passage_lang: np.ndarray
    kind: str
    source: int
    epoch: int

    def __len__(self) -> int:
        return len(self.rows)

    def slice_for(self, rank: int, world: int) -> Step:
        """The part of one rank (see `rank_slice`; empty for some ranks where the batch is smaller than the world)."""
        part = rank_slice(len(self), rank, world)
        return replace(self, rows=self.rows[part], query_lang=self.query_lang[part], passage_lang=self.passage_lang[part])


# --- Which rows can be used, and with which others -------------------------------------------------------------------------------------


def _objections(query: np.ndarray, passage: np.ndarray, same: np.ndarray, batches: Batches) -> dict[str, np.ndarray]:
    """Why masks cannot serve what the settings need: reason -> bool array."""
    xx, xy = batches.needs
    pair = (query != 0) & (passage != 0) & ~((query == passage) & (np.bitwise_count(query) == 1))
    return {
        "no language on the query side": query == 0,
        "no language on the passage side": passage == 0,
        "query and passage are one text, which X-X would pair with itself": same & xx,
        "no language on both sides, which X-X needs": ((query & passage) == 0) & xx,
        "one language only, and X-Y needs two": ~pair & (same | xy),
    }


def _serves(query: np.ndarray, passage: np.ndarray, same: np.ndarray, batches: Batches) -> np.ndarray:
    return ~np.logical_or.reduce(list(_objections(query, passage, same, batches).values()))


def _number(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct combinations of columns: (id of each row, one row of each id)."""
    code = np.zeros(len(columns[0]), np.int64)
    count = 1
    for column in columns:
        if len(column) and column.min() != column.max():
            values, inverse = np.unique(column, return_inverse=True)
            values, code = np.unique(code * len(values) + inverse, return_inverse=True) if count > 1 else (values, inverse)
            count = len(values)
    example = np.zeros(count, np.int64)
    example[code] = np.arange(len(code))
    return code.astype(np.int32), example


def _merge_thin(query: np.ndarray, passage: np.ndarray, count: np.ndarray, batches: Batches, same: bool) -> np.ndarray:
    """Join strata that would make very small batches, as long as at least half of the rows' languages survive.

    The thinnest takes the partner with which most survives; a stratum that fills a batch is never narrowed.

    Args:
        query, passage, count: (strata,) masks and rows of one source, changed in place to those of the pools.

    Returns:
        (strata,) the stratum that stands for each one's pool.
    """
    parent = np.arange(len(count))
    thin = np.flatnonzero(count < batches.size)
    thin = thin[np.lexsort((passage[thin], query[thin]))]
    for part in np.array_split(thin, -(-len(thin) // 1024) or 1):  # neighbours by mask: keeps the search for partners short
        q, p, n = query[part], passage[part], count[part]
        alive = np.ones(len(part), bool)
        seeking = n < _least(batches.size)
        while seeking.any():
            i = int(np.argmin(np.where(seeking, n, np.iinfo(n.dtype).max)))
            both_q, both_p = q & q[i], p & p[i]
            left = (np.bitwise_count(both_q) + np.bitwise_count(both_p)) * (n + n[i])
            had = np.bitwise_count(q) * n + np.bitwise_count(p) * n + (np.bitwise_count(q[i]) + np.bitwise_count(p[i])) * n[i]
            able = alive & (n + n[i] <= batches.size) & _serves(both_q, both_p, np.array(same), batches)
            able[i] = False
            share = np.where(able, left / had, 0)
            j = int(np.argmax(share))
            seeking[i] = False
            if share[j] >= 0.5:
                q[j], p[j], n[j] = both_q[j], both_p[j], n[j] + n[i]
                alive[i], parent[part[i]] = False, part[j]
                seeking[j] = n[j] < _least(batches.size)
        query[part], passage[part], count[part] = q, p, n
    while (parent[parent] != parent).any():
        parent = parent[parent]
    return parent


def _least(size: int) -> int:
    """Below this a batch counts as very small: families and merging may bring batches down to a quarter of `size`, not further."""
    return max(2, -(-size // 4))


def _batches_of(sizes: np.ndarray, batches: Batches) -> tuple[int, int, int]:
    """How a pool whose families have these sizes is dealt.

    With at most k rows of a family, k batches hold n(k) = sum(min(size, k)) rows, and n(k) / k falls with k. So k grows until the largest
    family fits or batches would become very small; rows of a family beyond k go to extra batches, as many as they need.

    Returns:
        (batches, rows in them, extra batches).
    """
    rows, largest = int(sizes.sum()), int(sizes.max())
    dealt = np.cumsum(len(sizes) - np.cumsum(np.bincount(sizes))[:-1])  # n(1), n(2), ..., n(largest)
    k = np.arange(1, largest + 1)
    if batches.drop_last:
        most = rows // batches.size if dealt[-1] >= batches.size * largest else int((dealt >= batches.size * k).sum())
        return most, most * batches.size, 0
    fewest = -(-rows // batches.size) if dealt[-1] > batches.size * largest else 1 + int((dealt > batches.size * k).sum())
    count = max(fewest, min(largest, int((dealt >= _least(batches.size) * k).sum())))
    if count >= largest:
        return count, rows, 0
    held = int(dealt[count - 1])
    return count, held, max(-(-(rows - held) // batches.size), largest - count)


@dataclass(frozen=True)
class _Class:
    """Batches that can be shown in the same languages."""

    source: int
    query: int
    passage: int
    same: bool


class _Layout:
    """All that is the same in every epoch: pools, how each is dealt, and the languages of its batches.

    A deck is a run of the epoch's order that is dealt to `deals` batches: batch j takes every `deals`-th row from the j-th.
    """

    def __init__(self, rows: Rows, batches: Batches, subset: np.ndarray | None = None):
        self.batches = batches
        every = subset if subset is not None else np.arange(len(rows))
        take = (lambda column: column) if subset is None else (lambda column: column[subset])
        query, passage = take(rows.query_languages).astype(np.uint64), take(rows.passage_languages).astype(np.uint64)
        if batches.comparable:  # both sides of every kind then have the same marginals
            query = passage = query & passage
        same = np.zeros(len(every), bool) if rows.same is None else take(rows.same).astype(bool)
        stratum, example = _number(take(rows.source), same, query, *([] if batches.comparable else [passage]))
        source, query, passage, same = (column[example] for column in (take(rows.source), query, passage, same))
        count = np.bincount(stratum, minlength=len(example))

        self.unusable: dict[str, int] = {}
        usable = count > 0
        for reason, against in _objections(query, passage, same, batches).items():
            if lost := int(count[usable & against].sum()):
                self.unusable[reason] = lost
            usable &= ~against
        self.sources = sorted({int(s) for s in source[usable]})
        self.sizes = {s: _language_sizes(query, passage, np.where(usable & (source == s), count, 0)) for s in self.sources}

        pool = np.arange(len(count))
        kept = query.copy(), passage.copy()
        for s in self.sources:
            for flag in (False, True):
                part = np.flatnonzero(usable & (source == s) & (same == flag))
                if len(part) > 1:
                    q, p = query[part], passage[part]
                    pool[part] = part[_merge_thin(q, p, count[part], batches, flag)]
                    kept[0][part], kept[1][part] = q, p
        lost = np.bitwise_count(query) + np.bitwise_count(passage) > np.bitwise_count(kept[0][pool]) + np.bitwise_count(kept[1][pool])
        self.narrowed = int(count[usable & lost].sum())

        pools, pool_of = np.unique(np.where(usable, pool, -1), return_inverse=True)
        pools, pool_of = (pools[1:], pool_of - 1) if len(pools) and pools[0] < 0 else (pools, pool_of)
        row_pool = pool_of[stratum]
        inside = slice(None) if not self.unusable else np.flatnonzero(row_pool >= 0)
        self.rows, self.pool = every[inside].astype(np.int64), row_pool[inside].astype(np.uint64)
        self.families, family = np.unique(take(rows.family)[inside], return_inverse=True)
        self.family = family.astype(np.uint64)

        classes = [_Class(int(source[g]), int(kept[0][g]), int(kept[1][g]), bool(same[g])) for g in pools]
        self.classes = sorted(set(classes), key=lambda c: (c.source, c.query, c.passage, c.same))
        numbers = {c: i for i, c in enumerate(self.classes)}
        cells, cell_size = np.unique(self.pool << np.uint64(32) | self.family, return_counts=True)
        cell_start = np.searchsorted(cells, np.arange(len(pools) + 1, dtype=np.uint64) << np.uint64(32))
        decks, self.overflowing, start = [], [], 0
        for g in range(len(pools)):
            sizes = cell_size[cell_start[g] : cell_start[g + 1]]
            stop = start + int(sizes.sum())
            deals, held, extra = _batches_of(sizes, batches)
            if int(sizes.max()) > deals > 0:
                self.overflowing.append((start, stop, deals))
            decks += [(start, start + held, deals, numbers[classes[g]])] if deals else []
            decks += [(start + held, stop, extra, numbers[classes[g]])] if extra else []
            start = stop
        self.start, self.stop, self.deals, self.deck_class = np.array(decks, np.int64).reshape(-1, 4).T
        self.first = np.concatenate([[0], np.cumsum(self.deals)])
        self.count = int(self.first[-1])
        self.deck = np.repeat(np.arange(len(self.deals)), self.deals)
        self.batch_class = self.deck_class[self.deck]
        self.class_count = np.bincount(self.batch_class, minlength=len(self.classes))
        within = self.stop - self.start
        self.dropped = len(self.rows) - int(within.sum())
        self.lonely = int(np.where(within < 2 * self.deals, 2 * self.deals - within, 0).sum())
        self.largest = int((-(-within // np.maximum(self.deals, 1))).max(initial=0))

    def order(self, seed: int, stream: int, epoch: int) -> np.ndarray:
        """(rows,) the epoch's order: pools, within them families at random, within those rows at random."""
        n = len(self.rows)
        shuffled = _shuffled(n, seed, "batches.rows", stream, epoch)
        low, middle = max(n - 1, 1).bit_length(), max(len(self.families) - 1, 1).bit_length()
        rank = _shuffled(len(self.families), seed, "batches.families", stream, epoch).astype(np.uint64)[self.family[shuffled]]
        pool = self.pool[shuffled]
        if low + middle + int(pool.max(initial=0)).bit_length() <= 64:
            key = (pool << np.uint64(low + middle)) | (rank << np.uint64(low)) | np.arange(n, dtype=np.uint64)
            key.sort()
            order = shuffled[key & np.uint64((1 << low) - 1)]
        else:
            order = shuffled[np.lexsort((rank, pool))]
        for start, stop, deals in self.overflowing:  # the first `deals` rows of a family, then all others
            part = order[start:stop]
            place = np.arange(len(part))
            fresh = np.concatenate([[True], np.diff(self.family[part]) != 0])
            nth = place - np.maximum.accumulate(np.where(fresh, place, 0))
            order[start:stop] = np.concatenate([part[nth < deals], part[nth >= deals]])
        return order.astype(np.int32 if n < 2**31 else np.int64)


def _language_sizes(query: np.ndarray, passage: np.ndarray, count: np.ndarray) -> np.ndarray:
    """(3, 64) rows that can show each language on the query side, on the passage side, and on both."""
    bit = np.uint64(1) << np.arange(64, dtype=np.uint64)
    return np.array([((mask[:, None] & bit) != 0).T.astype(np.int64) @ count for mask in (query, passage, query & passage)], np.float64)


def _shuffled(count: int, seed: int, purpose: str, *counters: int) -> np.ndarray:
    """A permutation that does not depend on the NumPy version: sort hashes whose low bits are replaced by the index."""
    low = np.uint64(max(count - 1, 1).bit_length())
    key = bits(seed, purpose, *counters, np.arange(count)) >> low << low | np.arange(count, dtype=np.uint64)
    key.sort()
    return (key & ~(_ALL << low)).astype(np.int64)


# --- In which languages ----------------------------------------------------------------------------------------------------------------


def _feasible(query: np.ndarray, passage: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """The nearest marginals that leave a zero diagonal possible: query[l] + passage[l] <= 1 for every language l (at most one can exceed)."""
    l = int(np.argmax(query + passage))
    excess = query[l] + passage[l] - 1
    if excess <= 1e-12:
        return query, passage
    cut = [excess / 2, excess / 2]
    if query[l] >= 1 - 1e-12:  # this side has no other language
        cut = [0.0, passage[l]]
    elif passage[l] >= 1 - 1e-12:
        cut = [query[l], 0.0]
    moved = []
    for p, less in zip((query, passage), cut, strict=True):
        rest = 1 - p[l]
        p = p * ((rest + less) / rest) if rest > 0 else p.copy()
        p[l] = 1 - rest - less
        moved.append(p)
    return moved[0], moved[1]


def off_diagonal(query: np.ndarray, passage: np.ndarray) -> np.ndarray:
    """The joint distribution nearest to independence with a zero diagonal and these marginals (iterative proportional fitting).

    Args:
        query, passage: (L,) marginals; where one language makes it impossible they are first moved to the nearest possible ones.

    Returns:
        (L, L), sums to 1; the diagonal is 0.
    """
    query, passage = _feasible(query, passage)
    l = int(np.argmax(query + passage))
    if query[l] + passage[l] >= 1 - 1e-9:  # on the boundary all mass lies in one row and one column, where fitting would crawl
        joint = np.zeros((len(query), len(query)))
        joint[:, l], joint[l, :] = query, passage
        joint[l, l] = 0
        return joint / joint.sum()
    joint = np.outer(query, passage)
    np.fill_diagonal(joint, 0)
    for _ in range(10_000):
        joint *= (query / np.maximum(joint.sum(1), 1e-300))[:, None]
        columns = joint.sum(0)
        joint *= passage / np.maximum(columns, 1e-300)
        if np.abs(columns - passage).max() < 1e-12:
            break
    return joint / joint.sum()


@dataclass(frozen=True)
class _Cells:
    """A joint distribution as intervals of [0, 1)."""

    query: np.ndarray  # (cells,) int16
    passage: np.ndarray  # (cells,) int16
    ends: np.ndarray  # (cells - 1,) where the next cell begins
    turn: np.ndarray  # (cells,) the order in which a round visits the parts of [0, 1), as fractions

    def draw(self, index: np.ndarray, offset: np.ndarray | float) -> np.ndarray:
        """Cells number `index` of the sequence. Each round of as many draws as there are cells visits every part of [0, 1) once,
        in the order of the golden ratio's multiples, so that unfinished rounds are balanced too; equal cells come out exactly equal."""
        place, rounds = self.turn[index % len(self.turn)], index // len(self.turn)
        return np.searchsorted(self.ends, (place + offset + rounds * _SQRT2) % 1.0, side="right")


def _cells(joint: np.ndarray) -> _Cells:
    query, passage = np.nonzero(joint)
    order = np.lexsort(
        ((passage - query) % len(joint), query)
    )  # cyclic, so that an interval of a query's cells is not always low languages
    query, passage = query[order], passage[order]
    turn = np.argsort(np.argsort(np.arange(len(query)) * _GOLDEN % 1.0)) / len(query)
    return _Cells(query.astype(np.int16), passage.astype(np.int16), np.cumsum(joint[query, passage])[:-1], turn)


class EpochPlan:
    """The steps of one epoch: `plan[step]` is a pure function; `len(plan)` is the same in every epoch.

    Attributes:
        unusable: rows left out, by reason.
        dropped: rows of this epoch without a full batch (`drop_last`).
        lonely: batches of one row, which has no in-batch negatives.
        narrowed: rows whose small group gave up languages to share a batch with others.
        warnings: what the settings asked for and could not have.
    """

    def __init__(self, layout: _Layout, seed: int, epoch: int, names: Sequence[str] = ()):
        self._layout, self._seed, self.epoch, self._names = layout, seed, epoch, names
        self.batches = layout.batches
        self.unusable, self.dropped, self.lonely, self.narrowed = layout.unusable, layout.dropped, layout.lonely, layout.narrowed
        self._stream = layout.sources[0] if len(layout.sources) == 1 else -1
        self._tables: dict[tuple[int, str], _Cells] = {}

    def __len__(self) -> int:
        return self._layout.count

    def __iter__(self) -> Iterator[Step]:
        return (self[step] for step in range(len(self)))

    @cached_property
    def _order(self) -> np.ndarray:
        return self._layout.order(self._seed, self._stream, self.epoch)

    @cached_property
    def _batch(self) -> np.ndarray:
        return _shuffled(len(self), self._seed, "batches.order", self._stream, self.epoch)

    @cached_property
    def _index(self) -> np.ndarray:
        """(steps,) how many batches of its class came before each, in all epochs."""
        of = self._layout.batch_class[self._batch]
        order = np.argsort(of, kind="stable")
        index = np.empty(len(self), np.int64)
        index[order] = np.arange(len(self)) - np.repeat(
            np.cumsum(self._layout.class_count) - self._layout.class_count, self._layout.class_count
        )
        return index + self.epoch * self._layout.class_count[of]

    @cached_property
    def _offset(self) -> np.ndarray:
        """(steps,) where the sequence of a step's rows starts."""
        return uniform(self._seed, "batches.row-languages", self._stream, self.epoch, np.arange(len(self)))

    @cached_property
    def _start(self) -> tuple[float, float]:
        """Where the sequences of languages and of the coin start."""
        a, b = uniform(self._seed, "batches.languages", self._stream, np.arange(2))
        return float(a), float(b)

    @cached_property
    def warnings(self) -> list[str]:
        found = set()
        for number, group in enumerate(self._layout.classes):
            query, passage, _ = self._marginals(number)
            if self.batches.needs[1] and _feasible(query, passage)[0] is not query:
                l = int(np.argmax(query + passage))
                name = self._names[l] if l < len(self._names) else str(l)
                found.add(
                    f"source {group.source}: X-Y cannot give language {name} the share asked for (at most half of both sides); the nearest is used"
                )
        return sorted(found)

    def _marginals(self, number: int) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """(64,) shares of the languages of a class: query side, passage side, X-X."""
        group, shares = self._layout.classes[number], []
        power = {"equal": 0.0, "size": 1.0, "temperature": 1 / self.batches.temperature}[self.batches.languages]
        for mask, size in zip((group.query, group.passage, group.query & group.passage), self._layout.sizes[group.source], strict=True):
            inside = np.array([mask >> l & 1 for l in range(64)], bool)
            share = np.where(inside, np.maximum(size, 1) ** power, 0)
            shares.append(share / max(share.sum(), 1e-300))
        return shares[0], shares[1], shares[2]

    def _table(self, number: int, kind: str) -> _Cells:
        if (number, kind) not in self._tables:
            query, passage, both = self._marginals(number)
            if self.batches.comparable:
                query = passage = both = _feasible(both, both)[0]
            if kind == "xy" or (kind == "independent" and self._layout.classes[number].same):
                joint = off_diagonal(query, passage)
            else:
                joint = np.outer(query, passage) if kind == "independent" else np.diag(both)
            self._tables[number, kind] = _cells(joint)
        return self._tables[number, kind]

    def __getitem__(self, step: int) -> Step:
        step = range(len(self))[step]
        layout, batch = self._layout, self._batch[step]
        deck = layout.deck[batch]
        rows = self._order[layout.start[deck] + batch - layout.first[deck] : layout.stop[deck] : layout.deals[deck]]
        number = int(layout.batch_class[batch])
        group = layout.classes[number]
        kind, index = self._coin(number, int(self._index[step]))
        table = self._table(number, kind)
        once = kind == "xx" or (kind == "xy" and self.batches.by == "batch")
        if once:
            cell = np.full(len(rows), table.draw(np.array(index), self._start[0] + number * _SQRT3), np.int64)
        else:
            cell = table.draw(np.arange(len(rows)), float(self._offset[step]))
        query, passage = table.query[cell], table.passage[cell][:, None]
        if self.batches.positives > 1:
            passage = self._more(number, step, query, passage, once)
        return Step(layout.rows[rows], query, passage, kind, group.source, self.epoch)

    def _coin(self, number: int, index: int) -> tuple[str, int]:
        """The kind of a class's batch `index`, and how many of that kind came before it."""
        if self.batches.kind in ("xx-mixed", "independent"):
            return self.batches.kind, index
        alpha = {"xx": 1.0, "xy": 0.0}.get(self.batches.kind, self.batches.alpha)
        start = (self._start[1] + number * _SQRT3) % 1.0
        before, after = math.floor(index * alpha + start), math.floor((index + 1) * alpha + start)
        return ("xx", before) if after > before else ("xy", index - before)

    def _more(self, number: int, step: int, query: np.ndarray, passage: np.ndarray, once: bool) -> np.ndarray:
        """Passages in further languages, without replacement, in proportion to their shares (Efraimidis and Spirakis 2006)."""
        group, share = self._layout.classes[number], self._marginals(number)[1]
        langs = np.flatnonzero(share)
        draws = uniform(
            self._seed, "batches.positives", self._stream, self.epoch, step, np.arange(1 if once else len(query))[:, None], langs
        )
        key = np.broadcast_to(-np.log1p(-draws) / share[langs], (len(query), len(langs))).copy()
        key[langs == passage] = np.inf
        if group.same:
            key[langs == query[:, None]] = np.inf
        more = np.argsort(key, axis=1, kind="stable")[:, : self.batches.positives - 1]
        drawn = np.where(np.isinf(np.take_along_axis(key, more, 1)), -1, langs[more]).astype(np.int16)
        full = np.full((len(query), self.batches.positives), -1, np.int16)
        full[:, :1], full[:, 1 : 1 + drawn.shape[1]] = passage, drawn
        return full


def plan_epoch(rows: Rows, batches: Batches, *, seed: int, epoch: int = 0, languages: Sequence[str] = ()) -> EpochPlan:
    """One pass over the rows.

    Args:
        languages: codes, used to name a language in warnings.

    Raises:
        InputError: no row can be used, or none fills a batch under `drop_last`.
    """
    return EpochPlan(_checked(_Layout(rows, batches), ""), seed, epoch, languages)


def _checked(layout: _Layout, where: str) -> _Layout:
    if not layout.count:
        why = "; ".join(f"{reason}: {n:,} rows" for reason, n in layout.unusable.items()) or f"{len(layout.rows):,} rows"
        short = f", fewer than one batch of {layout.batches.size} (batches.drop_last)" if len(layout.rows) else ""
        raise InputError(f"{where}no batch can be made of these rows ({why}{short})")
    return layout


class RunPlan:
    """`steps` batches over one or more sources; `run[k]` is a pure function, so stopping and resuming change nothing.

    Attributes:
        source: (steps,) int16, the source of each step.
        shares: {source: share of the steps}.
        epochs: {source: steps of one of its epochs}.
        unusable: {source: {reason: rows}}.
        dropped, lonely, narrowed: {source: count an epoch}, see `EpochPlan`.
        warnings: what the settings asked for and could not have.
    """

    def __init__(self, layouts: dict[int, _Layout], shares: dict[int, float], steps: int, seed: int, names: Sequence[str]):
        self._layouts, self._seed, self._names, self._plans = layouts, seed, names, {}
        self.shares = shares
        self.source, self._nth = interleave(list(shares.values()), steps)
        self.source = np.array(list(shares), np.int16)[self.source]
        self.epochs = {s: layouts[s].count for s in shares}
        self.unusable = {s: layout.unusable for s, layout in layouts.items()}
        self.dropped, self.lonely, self.narrowed = (
            {s: getattr(layouts[s], key) for s in shares} for key in ("dropped", "lonely", "narrowed")
        )
        self.warnings = [text for s in shares for text in self._epoch(s, 0).warnings]

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Step]:
        return (self[step] for step in range(len(self)))

    def _epoch(self, source: int, epoch: int) -> EpochPlan:
        if source not in self._plans or self._plans[source].epoch != epoch:
            self._plans[source] = EpochPlan(self._layouts[source], self._seed, epoch, self._names)
        return self._plans[source]

    def __getitem__(self, step: int) -> Step:
        source = int(self.source[step])
        epoch, place = divmod(int(self._nth[step]), self.epochs[source])
        return self._epoch(source, epoch)[place]


def interleave(shares: Sequence[float], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """A sequence in which after every t steps each source has had t times its share, to within one step (Tijdeman 1980).

    Args:
        shares: positive, any scale.

    Returns:
        (steps,) which source, and (steps,) how often that source came before.
    """
    share = [s / math.fsum(shares) for s in shares]
    slack = 1 - 1 / (2 * len(share) - 2) if len(share) > 1 else 0.0
    had, source, nth = [0] * len(share), np.zeros(steps, np.int64), np.zeros(steps, np.int64)
    for t in range(1, steps + 1):
        # among sources that would not get ahead of their share, the one that would fall behind first
        _, s = min((((had[s] + slack) / p, s) for s, p in enumerate(share) if p * t - had[s] >= 1 - slack - 1e-9), default=(0, 0))
        source[t - 1], nth[t - 1] = s, had[s]
        had[s] += 1
    return source, nth


def plan_run(
    rows: Rows, batches: Batches, *, steps: int, seed: int, weights: Sequence[float] | None = None, languages: Sequence[str] = ()
) -> RunPlan:
    """A run over all sources of the rows; each cycles through its own epochs.

    Args:
        weights: share of the steps of source 0, 1, ... (any scale; 0 leaves it out); None is equal. Not used with `sources: size`, where
            each source gets steps in proportion to the length of its epoch.
        languages: codes, used to name a language in warnings.

    Raises:
        InputError: a weight is missing or negative, or a source with a weight has no usable row.
    """
    if steps < 0:
        raise InputError(f"train.steps: {steps} is negative")
    number = int(rows.source.max()) + 1 if len(rows) else 0
    if weights is None or batches.sources == "size":
        weights = [1.0] * number
    if len(weights) < number or not all(math.isfinite(w) and w >= 0 for w in weights):
        raise InputError(f"sources: {number} sources need as many weights of at least 0, not {list(weights)}")
    layouts = {}
    for s in range(number):
        if weights[s] > 0 and len(part := np.flatnonzero(rows.source == s)):
            layouts[s] = _checked(_Layout(rows, batches, part), f"source {s}: ")
    if not layouts:
        raise InputError("no training rows: every source is empty or has weight 0")
    shares = {s: float(layouts[s].count if batches.sources == "size" else weights[s]) for s in layouts}
    total = math.fsum(shares.values())
    return RunPlan(layouts, {s: share / total for s, share in shares.items()}, steps, seed, languages)


def describe(plan: EpochPlan | RunPlan, start: int = 0, stop: int | None = None) -> dict[tuple[int, int, int], int]:
    """{(source, query language, passage language): pairs} over steps [start, stop)."""
    counts: Counter[tuple[int, int, int]] = Counter()
    for step in range(*slice(start, stop).indices(len(plan))):
        counts.update(counts_of(plan[step]))
    return dict(sorted(counts.items()))


def counts_of(step: Step) -> dict[tuple[int, int, int], int]:
    """{(source, query language, passage language): pairs} of one batch."""
    pair = (step.query_lang[:, None].astype(np.int64) * 64 + step.passage_lang)[step.passage_lang >= 0]
    return {(step.source, int(p) // 64, int(p) % 64): int(n) for p, n in zip(*np.unique(pair, return_counts=True), strict=True)}
