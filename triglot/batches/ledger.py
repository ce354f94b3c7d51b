"""Who is next: the order of an epoch's batches, the kind of each, and the languages of those that draw them once.

A ledger is written from the first epoch on, step by step, but it holds no rows: a step costs some microseconds, so that
the pages before the one at which a run is resumed are soon written again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from triglot.batches.kinds import KINDS, ends_of, parts_of
from triglot.batches.pools import Layout
from triglot.seeds import generator, shuffled, uniform

_JITTER = 0.1 * 2.0**-64  # of random bits: decides between languages that are owed the same, and no more


@dataclass(frozen=True)
class Page:
    """The steps of one epoch."""

    batch: np.ndarray  # (steps,) which batch of the layout
    kind: np.ndarray  # (steps,) int8, index into the ledger's kinds
    # (steps,) the cell of a batch that draws its languages once; else how many rows of group and kind came before
    number: np.ndarray


class Ledger:
    """The pages of a run's epochs.

    Each batch that draws its languages once adds to what the languages that it can be shown in are owed, and goes to
    the pair that is owed most: on the query side, on the passage side and as a pair. Shares are then right to about one
    step, also over groups of batches that differ in their languages, which draws within each group could not bring
    about.

    Args:
        layout: the batches of an epoch.
        seed: of the run.
        steps: batches in the run, over which the shares of kinds may change (`alpha_end`); later ones have the last
            shares.

    Attributes:
        kinds: names of the plain kinds that batches are of.
    """

    def __init__(self, layout: Layout, seed: int, steps: int = 0):
        self.layout, self.seed, self._steps = layout, seed, steps
        self._parts = parts_of(layout.batches)
        self._ends = np.array(list(ends_of(layout.batches).values())).T  # (2, kinds) shares, first and last
        self._had = np.zeros(len(self._parts))  # steps that each kind has been due so far, where shares change
        self.kinds = [kind.name for kind in self._parts]
        self.stream = layout.sources[0] if len(layout.sources) == 1 else -1
        self.starts = uniform(seed, "batches.starts", self.stream, np.arange(2)).tolist()
        self._pages: list[Page] = []
        self._query, self._passage = np.zeros(64), np.zeros(64)
        self._pair: dict[tuple[int, str], np.ndarray] = {}
        self._rows: defaultdict[tuple[int, str], int] = defaultdict(int)

    def __getitem__(self, epoch: int) -> Page:
        while len(self._pages) <= epoch:
            self._pages.append(self._write(len(self._pages)))
        return self._pages[epoch]

    def once(self, kind: str, group: int) -> bool:
        """Whether a batch of this kind draws its languages once."""
        return KINDS[kind].once(self.layout.batches) and not self.layout.groups[group].mixed

    def _write(self, epoch: int) -> Page:
        layout, count = self.layout, len(self.layout.group)
        batch = shuffled(count, self.seed, "batches.order", self.stream, epoch)
        index = epoch * count + np.arange(count)
        kind = self._kinds(index) if layout.batches.alpha_end is None else self._changing_kinds(index)
        number = np.zeros(count, np.int64)
        ties = generator(self.seed, "batches.ties", self.stream, epoch).bit_generator
        for step, (group, size, k) in enumerate(
            zip(layout.group[batch].tolist(), layout.size[batch].tolist(), kind.tolist(), strict=True)
        ):
            key = group, self.kinds[k]
            if self.once(key[1], group):
                number[step] = self._most_owed(key, size / layout.batches.size, ties)
            else:
                number[step] = self._rows[key]
                self._rows[key] += size
        return Page(batch, kind, number)

    def _kinds(self, index: np.ndarray) -> np.ndarray:
        """The kind of each step of all epochs: after any number of steps each has had its share, to within one step.

        The first kind takes the steps at which its share comes to the next whole number; the others share the rest.
        """
        kind = np.zeros(len(index), np.int8)
        places, rest = np.arange(len(index)), 1.0
        for number, share in enumerate(list(self._parts.values())[:-1]):
            before, after = (np.floor(i * (share / rest) + self.starts[0]) for i in (index, index + 1))
            later = after <= before
            places, index, rest = places[later], (index - before)[later], rest - share
            kind[places] = number + 1
        return kind

    def _changing_kinds(self, index: np.ndarray) -> np.ndarray:
        """As `_kinds`, with shares that go from the first to the last ones; asked for steps in order, once each."""
        done = np.minimum(index / max(self._steps - 1, 1), 1.0)[:, None]
        share = (1 - done) * self._ends[0] + done * self._ends[1]  # (steps, kinds)
        kind, places, rest = np.zeros(len(index), np.int8), np.arange(len(index)), np.ones(len(index))
        for number in range(share.shape[1] - 1):
            own = np.divide(share[places, number], rest[places], out=np.ones(len(places)), where=rest[places] > 1e-12)
            due = self._had[number] + np.cumsum(own)
            later = np.floor(due + self.starts[0]) <= np.floor(due - own + self.starts[0])
            self._had[number] = due[-1] if len(due) else self._had[number]
            rest = rest - share[:, number]
            places = places[later]
            kind[places] = number + 1
        return kind

    def _most_owed(self, key: tuple[int, str], weight: float, ties: np.random.BitGenerator) -> int:
        cells = self.layout.cells(*key)
        if key not in self._pair:
            self._pair[key] = np.zeros(len(cells.share))
        due = self._pair[key]
        due += weight * cells.share
        self._query += weight * cells.sides[0]
        self._passage += weight * cells.sides[1]
        jitter = np.asarray(ties.random_raw(len(due))) * _JITTER
        cell = int(np.argmax(self._query[cells.query] + self._passage[cells.passage] + due + jitter))
        due[cell] -= weight
        self._query[cells.query[cell]] -= weight
        self._passage[cells.passage[cell]] -= weight
        return cell
