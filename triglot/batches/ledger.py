"""Who is next: the order of an epoch's batches, the kind of each, and the languages of those that draw them once.

A ledger is written from the first epoch on, step by step, but it holds no rows: a step costs some microseconds, so that the pages before
the one at which a run is resumed are soon written again.
"""

from __future__ import annotations

from collections import defaultdict
from dataclasses import dataclass

import numpy as np

from triglot.batches.pools import Layout
from triglot.batches.settings import KINDS
from triglot.seeds import generator, shuffled, uniform

_JITTER = 0.1 * 2.0**-64  # of random bits: decides between languages that are owed the same, and no more


@dataclass(frozen=True)
class Page:
    """The steps of one epoch."""

    batch: np.ndarray  # (steps,) which batch of the layout
    kind: np.ndarray  # (steps,) int8, index into KINDS; never hybrid
    number: np.ndarray  # (steps,) the cell of a batch that draws its languages once; else how many rows of group and kind came before


class Ledger:
    """The pages of a run's epochs.

    Each batch that draws its languages once adds to what the languages that it can be shown in are owed, and goes to the pair that is owed
    most: on the query side, on the passage side and as a pair. Shares are then right to about one step, also over groups of batches that
    differ in their languages, which draws within each group could not bring about.
    """

    def __init__(self, layout: Layout, seed: int):
        self.layout, self.seed = layout, seed
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
        return (kind == "xx" or (kind == "xy" and self.layout.batches.by == "batch")) and not self.layout.groups[group].mixed

    def _write(self, epoch: int) -> Page:
        layout, count = self.layout, len(self.layout.group)
        batch = shuffled(count, self.seed, "batches.order", self.stream, epoch)
        kind = self._kinds(epoch * count + np.arange(count))
        number = np.zeros(count, np.int64)
        ties = generator(self.seed, "batches.ties", self.stream, epoch).bit_generator
        for step, (group, size, k) in enumerate(zip(layout.group[batch].tolist(), layout.size[batch].tolist(), kind.tolist(), strict=True)):
            key = group, KINDS[k]
            if self.once(key[1], group):
                number[step] = self._most_owed(key, size / layout.batches.size, ties)
            else:
                number[step] = self._rows[key]
                self._rows[key] += size
        return Page(batch, kind, number)

    def _kinds(self, index: np.ndarray) -> np.ndarray:
        """The kind of each step of all epochs: after any number of steps the share of xx is alpha, to within one step."""
        settings = self.layout.batches
        if settings.kind in ("xx-mixed", "independent"):
            return np.full(len(index), KINDS.index(settings.kind), np.int8)
        alpha = {"xx": 1.0, "xy": 0.0}.get(settings.kind, settings.alpha)
        before, after = (np.floor(i * alpha + self.starts[0]) for i in (index, index + 1))
        return np.where(after > before, KINDS.index("xx"), KINDS.index("xy")).astype(np.int8)

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
