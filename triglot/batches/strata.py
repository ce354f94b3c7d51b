"""What rows can be shown in: rows alike are a stratum, and small strata are joined where languages survive."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np

from triglot.batches.kinds import KINDS
from triglot.batches.settings import BatchSettings

_NEIGHBOURS = 512  # groups among which a partner is looked for


@dataclass
class Table:
    """Groups of rows: what they can be shown in, and how many rows there are."""

    source: np.ndarray
    same: np.ndarray
    query: np.ndarray  # uint64 mask
    passage: np.ndarray  # uint64 mask
    count: np.ndarray

    def take(self, index: np.ndarray) -> Table:
        return Table(self.source[index], self.same[index], self.query[index], self.passage[index], self.count[index])

    def joined(self, i: int) -> Table:
        """Each group together with group i."""
        return Table(
            self.source,
            self.same,
            self.query & self.query[i],
            self.passage & self.passage[i],
            self.count + self.count[i],
        )

    @property
    def languages(self) -> np.ndarray:
        return np.bitwise_count(self.query).astype(np.int64) + np.bitwise_count(self.passage)


def objections(groups: Table, batches: BatchSettings) -> dict[str, np.ndarray]:
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


def serves(groups: Table, batches: BatchSettings) -> np.ndarray:
    return ~np.logical_or.reduce(list(objections(groups, batches).values()))


def distinct(*columns: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Number the distinct combinations of columns: (rows,) the number, and one row of each."""
    code, count = np.zeros(len(columns[0]), np.int64), 1
    for column in columns:
        if len(column) and column.min() != column.max():
            values, inverse = np.unique(column, return_inverse=True)
            values, code = (
                np.unique(code * len(values) + inverse, return_inverse=True) if count > 1 else (values, inverse)
            )
            count = len(values)
    example = np.zeros(min(count, len(code)), np.int64)
    example[code] = np.arange(len(code))
    return code, example


def cure(strata: Table, batches: BatchSettings) -> str:
    """Settings under which more of the rows could be used, as few changes as possible; empty where there are none."""
    both = strata.query & strata.passage
    used = int(
        strata.count[serves(replace(strata, query=both, passage=both) if batches.comparable else strata, batches)].sum()
    )
    best, advice = used, ""
    for kind in (batches.kind, *KINDS.names()):
        other = replace(batches, kind=kind, comparable=False, alpha_end=None)
        could = int(strata.count[serves(strata, other)].sum())
        if could > best:
            changes = ["batches.comparable: false"] if batches.comparable else []
            change = " and ".join([*changes, *([f"batches.kind: {kind}"] if kind != batches.kind else [])])
            best, advice = (
                could,
                f"{change} can use {could:,} of them" if not used else f"{change} can use {could - used:,} more",
            )
            if kind == batches.kind:
                break
    return advice


Serving = Callable[[Table, BatchSettings], np.ndarray]


def merge(
    strata: Table, batches: BatchSettings, *, least: int, most: int, able: Serving = serves
) -> tuple[np.ndarray, Table]:
    """Join groups of fewer than `least` rows, each to the partner with which most of the rows' languages survive.

    At least half must survive, and together they must have `most` rows or fewer: a group that fills a batch is never
    narrowed.

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
            alive, seeking = np.ones(len(near), bool), part.count < least
            while seeking.any():
                i = int(np.argmin(np.where(seeking, part.count, most)))
                seeking[i] = False
                both = part.joined(i)
                can = alive & (both.count <= most) & able(both, batches)
                can[i] = False
                had = np.maximum(part.languages, 1) * part.count
                share = np.where(can, both.languages * both.count / (had + had[i]), 0)
                j = int(np.argmax(share))
                if share[j] >= 0.5:
                    alive[i], parent[near[i]] = False, near[j]
                    part.query[j], part.passage[j], part.count[j] = both.query[j], both.passage[j], both.count[j]
                    seeking[j] = part.count[j] < least
            table.query[near], table.passage[near], table.count[near] = part.query, part.passage, part.count
    while (parent[parent] != parent).any():
        parent = parent[parent]
    pools, number = np.unique(parent, return_inverse=True)
    return number, table.take(pools)
