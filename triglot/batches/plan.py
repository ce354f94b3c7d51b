"""Plans: the steps of an epoch, and of a run over several sources."""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace
from functools import cached_property

import numpy as np

from triglot.batches.ledger import Ledger
from triglot.batches.pools import Layout
from triglot.batches.settings import KINDS, Batches, Rows
from triglot.files import InputError
from triglot.seeds import uniform

_SQRT3 = math.sqrt(3) - 1  # groups start their sequences at its multiples


@dataclass(frozen=True)
class Step:
    """One batch over all ranks.

    Attributes:
        rows: (b,) int64 row numbers.
        query_lang: (b,) int16.
        passage_lang: (b, positives) int16; -1 where a row has fewer languages than positives were asked for.
        kind: xx | xx-mixed | xy | independent; what a hybrid batch turned out to be.
        source: of the rows.
        epoch: the source's own.
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
        """The part of one rank, see `rank_slice`; empty for some ranks where the batch is smaller than the world."""
        part = rank_slice(len(self), rank, world)
        return replace(self, rows=self.rows[part], query_lang=self.query_lang[part], passage_lang=self.passage_lang[part])


def rank_slice(count: int, rank: int, world: int) -> slice:
    """The contiguous part of `count` rows that a rank takes; sizes differ by at most one, and in order of rank they make the whole."""
    if not 0 <= rank < world:
        raise ValueError(f"no rank {rank} in a world of {world}")
    return slice(rank * count // world, (rank + 1) * count // world)


class EpochPlan:
    """The steps of one epoch; `plan[step]` is a pure function, and `len(plan)` is the same in every epoch.

    Attributes:
        batches: the settings.
        epoch: which one.
        unusable: rows left out, by reason.
        dropped, narrowed, lonely: see `triglot.batches.pools.Layout`.
    """

    def __init__(self, ledger: Ledger, epoch: int, languages: Sequence[str] = ()):
        layout = ledger.layout
        self.batches, self.epoch = layout.batches, epoch
        self.unusable, self.dropped, self.narrowed, self.lonely = layout.unusable, layout.dropped, layout.narrowed, layout.lonely
        self._ledger, self._layout, self._languages = ledger, layout, languages

    def __len__(self) -> int:
        return len(self._layout.group)

    def __iter__(self) -> Iterator[Step]:
        return (self[step] for step in range(len(self)))

    @property
    def warnings(self) -> list[str]:
        """What the settings asked for and cannot have."""
        return [
            f"source {source}: language {self._languages[x] if x < len(self._languages) else x} cannot have the share that "
            f"languages: {self.batches.languages} gives it (X-Y: at most half on both sides); it gets the nearest that it can have"
            for source, x in self._layout.moved()
        ]

    @cached_property
    def _order(self) -> np.ndarray:
        return self._layout.order(self._ledger.seed, self._ledger.stream, self.epoch)

    def __getitem__(self, step: int) -> Step:
        step = range(len(self))[step]
        layout, page = self._layout, self._ledger[self.epoch]
        batch, kind, number = int(page.batch[step]), KINDS[page.kind[step]], int(page.number[step])
        deck, group = int(layout.deck[batch]), int(layout.group[batch])
        first = int(layout.start[deck]) + batch - int(layout.first[deck])
        rows = layout.rows[self._order[first : int(layout.stop[deck]) : int(layout.deals[deck])]].astype(np.int64)
        cells, once = layout.cells(group, kind), self._ledger.once(kind)
        if once:
            query, passage = np.full(len(rows), cells.query[number]), np.full((len(rows), 1), cells.passage[number])
        else:
            cell = cells.draw(number, len(rows), self._ledger.starts[1] + group * _SQRT3)
            query, passage = cells.query[cell], cells.passage[cell][:, None]
        if self.batches.positives > 1:
            passage = self._more(group, step, query, passage, once)
        return Step(rows, query, passage, kind, layout.groups[group].source, self.epoch)

    def _more(self, group: int, step: int, query: np.ndarray, passage: np.ndarray, once: bool) -> np.ndarray:
        """Passages in further languages, without replacement, in proportion to their shares (Efraimidis and Spirakis 2006).

        Where a batch draws its languages once, it draws these once as well.
        """
        wanted, share = self.batches.positives, self._layout.marginals(group)[1]
        langs = np.flatnonzero(share)
        place = np.arange(1 if once else len(query))[:, None]
        draw = uniform(self._ledger.seed, "batches.positives", self._ledger.stream, self.epoch, step, place, langs)
        taken = langs == passage
        if self._layout.groups[group].same:
            taken = taken | (langs == query[:, None])
        wait = np.where(taken, np.inf, -np.log1p(-draw) / share[langs])  # (b, langs)
        first = np.argsort(wait, axis=1, kind="stable")[:, : wanted - 1]
        more = np.full((len(query), wanted), -1, np.int16)
        more[:, 0] = passage[:, 0]
        more[:, 1 : 1 + first.shape[1]] = np.where(np.take_along_axis(taken, first, 1), -1, langs[first])
        return more


class RunPlan:
    """A run of a number of steps; `run[k]` is a pure function, so that stopping and resuming change nothing.

    What it works out it keeps: ask it from one thread at a time.

    Attributes:
        batches: the settings.
        source: (steps,) int16, the source of each step.
        shares: {source: share of the steps}.
        epochs: {source: steps of one of its epochs}.
        unusable: {source: {reason: rows left out}}.
        dropped, narrowed, lonely: {source: count an epoch}, see `triglot.batches.pools.Layout`.
        warnings: what the settings asked for and cannot have.
    """

    def __init__(self, layouts: dict[int, Layout], shares: dict[int, float], steps: int, seed: int, languages: Sequence[str]):
        self.batches = next(iter(layouts.values())).batches
        self._ledgers, self._languages = {s: Ledger(layout, seed) for s, layout in layouts.items()}, languages
        self._plans: dict[int, EpochPlan] = {}
        self.shares = shares
        which, self._nth = interleave(list(shares.values()), steps)
        self.source = np.array(list(shares), np.int16)[which]
        self.epochs = {s: len(layout.group) for s, layout in layouts.items()}
        self.unusable = {s: layout.unusable for s, layout in layouts.items()}
        self.dropped = {s: layout.dropped for s, layout in layouts.items()}
        self.narrowed = {s: layout.narrowed for s, layout in layouts.items()}
        self.lonely = {s: layout.lonely for s, layout in layouts.items()}
        self.warnings = [text for s in layouts for text in self._epoch(s, 0).warnings]

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Step]:
        return (self[step] for step in range(len(self)))

    def _epoch(self, source: int, epoch: int) -> EpochPlan:
        """One epoch a source is kept: the one in use."""
        plan = self._plans.get(source)
        if plan is None or plan.epoch != epoch:
            plan = self._plans[source] = EpochPlan(self._ledgers[source], epoch, self._languages)
        return plan

    def __getitem__(self, step: int) -> Step:
        source = int(self.source[step])
        epoch, place = divmod(int(self._nth[step]), self.epochs[source])
        return self._epoch(source, epoch)[place]


def interleave(shares: Sequence[float], steps: int) -> tuple[np.ndarray, np.ndarray]:
    """A sequence in which after any t steps every source has had t times its share, to within one step (Tijdeman 1980).

    Args:
        shares: of the sources, positive, on any scale.
        steps: length of the sequence.

    Returns:
        (steps,) which source, and (steps,) how often it came before.
    """
    share = [s / math.fsum(shares) for s in shares]
    slack = 1 - 1 / (2 * len(share) - 2) if len(share) > 1 else 0.0
    had = [0] * len(share)
    source, nth = np.zeros(steps, np.int64), np.zeros(steps, np.int64)
    for t in range(1, steps + 1):
        # of those that another step would not put too far ahead, the one that would first fall too far behind
        _, s = min(((had[s] + slack) / p, s) for s, p in enumerate(share) if p * t - had[s] >= 1 - slack - 1e-9)
        source[t - 1], nth[t - 1] = s, had[s]
        had[s] += 1
    return source, nth


def plan_epoch(rows: Rows, batches: Batches, *, seed: int, epoch: int = 0, languages: Sequence[str] = ()) -> EpochPlan:
    """One pass over the rows.

    Args:
        rows: of one or several sources.
        batches: the settings.
        seed: of the run.
        epoch: from 0.
        languages: codes, which name a language in warnings.

    Raises:
        InputError: no batch can be made; says why.
    """
    return EpochPlan(Ledger(Layout(rows, batches), seed), epoch, languages)


def plan_run(
    rows: Rows, batches: Batches, *, steps: int, seed: int, weights: Sequence[float] | None = None, languages: Sequence[str] = ()
) -> RunPlan:
    """A run over all sources; each goes through its own epochs.

    Args:
        rows: of one or several sources.
        batches: the settings.
        steps: batches in the run.
        seed: of the run.
        weights: of source 0, 1, ...: its share of the steps, on any scale; 0 leaves it out; None is equal. Under `sources: size` each
            source (of a weight above 0) gets steps in proportion to the length of its epoch instead.
        languages: codes, which name a language in warnings.

    Raises:
        InputError: weights that do not fit, or a source of which no batch can be made.
    """
    if steps < 0:
        raise InputError(f"steps: {steps} is negative")
    sources = int(rows.source.max()) + 1 if len(rows) else 0
    weights = [1.0] * sources if weights is None else list(weights)
    if len(weights) < sources or not all(math.isfinite(weight) and weight >= 0 for weight in weights):
        raise InputError(f"weights of sources: {weights}; {sources} numbers of at least 0 are needed")
    layouts: dict[int, Layout] = {}
    for source in np.flatnonzero(weights).tolist():
        try:
            layouts[source] = Layout(rows, batches, np.flatnonzero(rows.source == source))
        except InputError as error:
            raise InputError(f"source {source}: {error}") from None
    if not layouts:
        raise InputError("no training rows: every source has weight 0" if sources else "no training rows")
    shares = {s: float(len(layout.group)) if batches.sources == "size" else weights[s] for s, layout in layouts.items()}
    return RunPlan(layouts, {s: share / math.fsum(shares.values()) for s, share in shares.items()}, steps, seed, languages)


def counts_of(step: Step) -> dict[tuple[int, int, int], int]:
    """{(source, query language, passage language): pairs} of a batch."""
    pairs = (step.query_lang[:, None].astype(np.int64) << 6 | step.passage_lang)[step.passage_lang >= 0]
    return {(step.source, int(p) >> 6, int(p) & 63): int(n) for p, n in zip(*np.unique(pairs, return_counts=True), strict=True)}


def describe(plan: EpochPlan | RunPlan, start: int = 0, stop: int | None = None) -> dict[tuple[int, int, int], int]:
    """{(source, query language, passage language): pairs} over steps [start, stop)."""
    counts: Counter[tuple[int, int, int]] = Counter()
    for step in range(*slice(start, stop).indices(len(plan))):
        counts.update(counts_of(plan[step]))
    return dict(sorted(counts.items()))
