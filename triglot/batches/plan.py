"""Plans: the steps of an epoch, and of a run over several sources."""

from __future__ import annotations

import copy
import logging
import math
from collections import Counter
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

import numpy as np

from triglot.batches.alone import in_one_part, of_bitext
from triglot.batches.filling import FULL, NEAR
from triglot.batches.kinds import KINDS, parts_of
from triglot.batches.ledger import Ledger
from triglot.batches.pools import Layout
from triglot.batches.settings import BatchSettings, Rows
from triglot.files import InputError
from triglot.seeds import spread, uniform

log = logging.getLogger("triglot")
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
        return replace(
            self, rows=self.rows[part], query_lang=self.query_lang[part], passage_lang=self.passage_lang[part]
        )


def rank_slice(count: int, rank: int, world: int) -> slice:
    """The contiguous part of `count` rows that a rank takes; sizes differ by at most one, and in order of rank they
    make the whole."""
    if not 0 <= rank < world:
        raise ValueError(f"no rank {rank} in a world of {world}")
    return slice(rank * count // world, (rank + 1) * count // world)


class EpochPlan:
    """The steps of one epoch; `plan[step]` is a pure function, and `len(plan)` is the same in every epoch.

    Attributes:
        batches: the settings.
        epoch: which one.
        unusable: rows left out, by reason.
        dropped, narrowed, mixed, lonely: see `triglot.batches.pools.Layout`.
        sizes: rows of the batches.
        shown: share of the rows that can be used which an epoch shows.
    """

    def __repr__(self) -> str:
        return (
            f"EpochPlan(epoch {self.epoch}: {len(self):,} {self.batches.kind} batches of {self.sizes.mean:,.0f} rows)"
        )

    def __init__(self, ledger: Ledger, epoch: int, languages: Sequence[str] = (), sources: Sequence[str] = ()):
        layout = ledger.layout
        self.batches, self.epoch = layout.batches, epoch
        self.unusable, self.dropped, self.narrowed, self.lonely = (
            layout.unusable,
            layout.dropped,
            layout.narrowed,
            layout.lonely,
        )
        self.mixed, self.sizes, self.shown = layout.mixed, _sizes({0: layout}, {0: 1.0}), layout.shown
        self._ledger, self._layout, self._languages, self._sources = ledger, layout, languages, sources

    def __len__(self) -> int:
        return len(self._layout.group)

    def __iter__(self) -> Iterator[Step]:
        return (self[step] for step in range(len(self)))

    @property
    def warnings(self) -> list[str]:
        """What the settings asked for and cannot have."""
        return [
            f"{_called(source, self._sources)}: language {self._languages[x] if x < len(self._languages) else x} "
            "cannot have the share "
            f"that language_sampling: {self.batches.language_sampling} gives it (X-Y: at most half on both sides); "
            f"it gets the nearest that it can have"
            for source, x in self._layout.moved()
        ]

    @cached_property
    def _order(self) -> np.ndarray:
        return self._layout.order(self._ledger.seed, self._ledger.stream, self.epoch)

    def __getitem__(self, step: int) -> Step:
        step = range(len(self))[step]
        layout, page = self._layout, self._ledger[self.epoch]
        batch, kind, number = int(page.batch[step]), self._ledger.kinds[page.kind[step]], int(page.number[step])
        deck, group = int(layout.deck[batch]), int(layout.group[batch])
        first = int(layout.start[deck]) + batch - int(layout.first[deck])
        places = self._order[first : int(layout.stop[deck]) : int(layout.deals[deck])]
        rows, mixed, once = (
            layout.rows[places].astype(np.int64),
            layout.groups[group].mixed,
            self._ledger.once(kind, group),
        )
        if layout.own is None or once or (self.batches.comparable and not mixed):
            query, passage = self._shown(group, kind, number, step, np.arange(len(rows)), once)
        else:
            own = layout.own[places]
            query, passage = np.zeros(len(rows), np.int16), np.full((len(rows), self.batches.positives), -1, np.int16)
            for one in np.unique(own).tolist():
                part = np.flatnonzero(own == one)
                query[part], passage[part] = self._shown(one, kind, number, step, part, False)
        shown = (mixed and KINDS[kind].mixed) or kind
        return Step(rows, query, passage, shown, layout.groups[group].source, self.epoch)

    def _shown(
        self, group: int, kind: str, number: int, step: int, place: np.ndarray, once: bool
    ) -> tuple[np.ndarray, np.ndarray]:
        """(b,) languages of queries and (b, positives) of passages for the rows at these places of a batch."""
        cells = self._layout.cells(group, kind)
        if once:
            query, passage = np.full(len(place), cells.query[number]), np.full((len(place), 1), cells.passage[number])
        else:
            start = self._ledger.starts[1] + group * _SQRT3
            if len(place) == 0 or place[-1] == len(place) - 1:
                cell = cells.draw(number, len(place), start)
            else:  # rows of several groups go through one sequence, each in its own group's intervals
                cell = cells.at(spread(start, number + place))
            query, passage = cells.query[cell], cells.passage[cell][:, None]
        if self.batches.positives > 1:
            passage = self._more(group, step, query, passage, place[:1] if once else place)
        return query, passage

    def _more(self, group: int, step: int, query: np.ndarray, passage: np.ndarray, place: np.ndarray) -> np.ndarray:
        """Passages in further languages, without replacement, in proportion to their shares (Efraimidis and Spirakis
        2006).

        Where a batch draws its languages once, it draws these once as well: `place` is then the first of its rows
        alone.
        """
        wanted, share = self.batches.positives, self._layout.marginals(group)[1]
        langs = np.flatnonzero(share)
        draw = uniform(
            self._ledger.seed, "batches.positives", self._ledger.stream, self.epoch, step, place[:, None], langs
        )
        taken = langs == passage
        if self._layout.groups[group].same:
            taken = taken | (langs == query[:, None])
        wait = np.where(taken, np.inf, -np.log1p(-draw) / share[langs])  # (b, langs)
        first = np.argsort(wait, axis=1, kind="stable")[:, : wanted - 1]
        more = np.full((len(query), wanted), -1, np.int16)
        more[:, 0] = passage[:, 0]
        more[:, 1 : 1 + first.shape[1]] = np.where(np.take_along_axis(taken, first, 1), -1, langs[first])
        return more


@dataclass(frozen=True)
class Sizes:
    """Rows of the batches of a plan: asked for, on average, in the smallest, and on average in the source that has the
    smallest ones."""

    asked: int
    mean: float
    min: int
    worst: float
    source: int

    @property
    def small(self) -> bool:
        """Whether batches have on average less than half of what was asked for."""
        return self.mean < FULL * self.asked


def _sizes(layouts: Mapping[int, Layout], shares: Mapping[int, float]) -> Sizes:
    """Rows of the batches of sources that have these shares of the steps."""
    asked = next(iter(layouts.values())).batches.size
    means = {s: float(layout.size.mean()) for s, layout in layouts.items()}
    worst = min(means, key=lambda s: means[s])
    mean = math.fsum(shares[s] * means[s] for s in means)
    return Sizes(asked, mean, min(int(layout.size.min()) for layout in layouts.values()), means[worst], worst)


def _called(source: int, sources: Sequence[str]) -> str:
    """A source as warnings and errors call it: by its name where it is known."""
    return f"source {sources[source]!r}" if source < len(sources) else f"source {source}"


def _small(layouts: Mapping[int, Layout], sizes: Sizes, sources: Sequence[str]) -> list[str]:
    """What is said of batches that are smaller than asked for, in one line."""
    short = sum(float(layout.size.mean()) < NEAR * sizes.asked for layout in layouts.values())
    if not short and sizes.min >= FULL * sizes.asked:
        return []
    warning = (
        f"batches.size: {sizes.asked:,} rows a batch were asked for, they have {sizes.mean:.1f} on average, the "
        f"smallest {sizes.min}"
    )
    if len(layouts) > 1:
        warning += (
            f"; {short} of {len(layouts)} sources have less than {NEAR:.0%}, {_called(sizes.source, sources)} "
            f"{sizes.worst:.1f}"
        )
    return [warning]


def _checked(layouts: Mapping[int, Layout], sizes: Sizes, sources: Sequence[str] = ()) -> None:
    """Raise InputError for batches that are much smaller than asked for, unless that is allowed."""
    layout = layouts[sizes.source]
    if layout.batches.allow_small or not sizes.small:
        return
    where = f" ({_called(sizes.source, sources)}: {sizes.worst:.1f})" if len(layouts) > 1 else ""
    raise InputError(
        f"batches.size: {sizes.asked:,} rows a batch were asked for, but the batches have {sizes.mean:.1f} on "
        f"average{where}: "
        f"{layout.reason}; ask for fewer (batches.size: {max(1, int(sizes.mean))}), give more data,"
        f"{' leave out batches.every_row,' if layout.batches.every_row else ''} or allow it (batches.allow_small: true)"
    )


class RunPlan:
    """A run of a number of steps; `run[k]` is a pure function, so that stopping and resuming change nothing.

    What it works out it keeps: ask it from one thread at a time.

    Attributes:
        batches: the settings.
        source: (steps,) int16, the source of each step.
        shares: {source: share of the steps}.
        epochs: {source: steps of one of its epochs}.
        unusable: {source: {reason: rows left out}}; `cures` {source: settings that could use them, or nothing}.
        dropped, narrowed, mixed, lonely: {source: count an epoch}, see `triglot.batches.pools.Layout`.
        filled: sources whose batches are made as `triglot.batches.filling` says.
        sizes: rows of the batches.
        shown: {source: share of the rows that can be used which an epoch shows}.
        warnings: what the settings asked for and cannot have.
    """

    def __repr__(self) -> str:
        return f"RunPlan({len(self.source):,} {self.batches.kind} batches of {self.sizes.mean:,.0f} rows)"

    def __init__(
        self,
        batches: BatchSettings,
        layouts: dict[int, Layout],
        shares: dict[int, float],
        steps: int,
        seed: int,
        languages: Sequence[str],
        sources: Sequence[str] = (),
        apart: Mapping[int, int] | None = None,
    ):
        of = {lane: lane for lane in layouts} | dict(apart or {})
        self.batches = batches
        self._languages, self._sources, self._of = languages, sources, of
        self._plans: dict[int, EpochPlan] = {}
        self._shares = shares
        self._interleave(steps)
        self._ledgers = {s: Ledger(one, seed, int((self._lane == s).sum())) for s, one in layouts.items()}

        def added(values: Mapping[int, Any]) -> dict[int, Any]:
            """Lane -> value as source -> sum."""
            sums: dict[int, Any] = {}
            for lane, value in values.items():
                sums[of[lane]] = sums.get(of[lane], 0) + value
            return sums

        self.shares = added(shares)
        self.epochs = added({s: len(layout.group) for s, layout in layouts.items()})
        self.unusable = {of[s]: layout.unusable for s, layout in layouts.items()}  # of the last: what is left
        self.cures = {of[s]: layout.cure for s, layout in layouts.items()}
        self.dropped = added({s: layout.dropped for s, layout in layouts.items()})
        self.narrowed = added({s: layout.narrowed for s, layout in layouts.items()})
        self.lonely = added({s: layout.lonely for s, layout in layouts.items()})
        self.mixed = added({s: layout.mixed for s, layout in layouts.items()})
        usable = added({s: len(layout.rows) for s, layout in layouts.items()})
        self.shown = {s: 1 - dropped / usable[s] for s, dropped in self.dropped.items()}
        self.filled = sorted({of[s] for s, layout in layouts.items() if layout.own is not None})
        self.sizes = _sizes(layouts, shares)
        _checked(layouts, self.sizes, sources)
        self.warnings = [
            *_small(layouts, self.sizes, sources),
            *dict.fromkeys(text for s in layouts for text in self._epoch(s, 0).warnings),
            *(
                f"{_called(source, sources)}: {len(layouts[lane].rows):,} rows that only {layouts[lane].batches.kind} "
                f"batches can show have such batches of their own, {shares[lane]:.0%} of the steps"
                for lane, source in (apart or {}).items()
            ),
        ]

    def _interleave(self, steps: int) -> None:
        which, self._nth = interleave(list(self._shares.values()), steps)
        self._lane = np.array(list(self._shares), np.int16)[which]
        self.source = np.array([self._of[lane] for lane in self._shares], np.int16)[which]

    def lasting(self, steps: int) -> RunPlan:
        """The same run with another number of steps; those that both have are the same, and shares of kinds that change
        (`alpha_end`) do so over the steps that this one has."""
        other = copy.copy(self)
        other._interleave(steps)
        return other

    def __len__(self) -> int:
        return len(self.source)

    def __iter__(self) -> Iterator[Step]:
        return (self[step] for step in range(len(self)))

    def _epoch(self, lane: int, epoch: int) -> EpochPlan:
        """One epoch a lane is kept: the one in use."""
        plan = self._plans.get(lane)
        if plan is None or plan.epoch != epoch:
            plan = self._plans[lane] = EpochPlan(self._ledgers[lane], epoch, self._languages, self._sources)
        return plan

    def __getitem__(self, step: int) -> Step:
        lane = int(self._lane[step])
        epoch, place = divmod(int(self._nth[step]), len(self._ledgers[lane].layout.group))
        return self._epoch(lane, epoch)[place]


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


def plan_epoch(
    rows: Rows, batches: BatchSettings, *, seed: int, epoch: int = 0, languages: Sequence[str] = ()
) -> EpochPlan:
    """One pass over the rows.

    Args:
        rows: of one or several sources.
        batches: the settings.
        seed: of the run.
        epoch: from 0.
        languages: codes, which name a language in warnings.

    Raises:
        InputError: no batch can be made, or batches have on average less than half of the rows asked for; says why.
    """
    layout = Layout(rows, batches)
    plan = EpochPlan(Ledger(layout, seed), epoch, languages)
    _checked({0: layout}, plan.sizes)
    return plan


def plan_run(
    rows: Rows,
    batches: BatchSettings,
    *,
    steps: int,
    seed: int,
    weights: Sequence[float] | None = None,
    languages: Sequence[str] = (),
    names: Sequence[str] = (),
) -> RunPlan:
    """A run over all sources; each goes through its own epochs.

    Args:
        rows: of one or several sources.
        batches: the settings.
        steps: batches in the run.
        seed: of the run.
        weights: of source 0, 1, ...: its share of the steps, on any scale; 0 leaves it out; None is equal. Under
            `sources: size` each source (of a weight above 0) gets steps in proportion to the length of its epoch
            instead.
        languages: codes, which name a language in warnings.
        names: of source 0, 1, ... in warnings and errors; by default their numbers.

    Raises:
        InputError: weights that do not fit, a source of which no batch can be made, or batches that have on average
            less than half of the rows asked for.
    """
    if steps < 0:
        raise InputError(f"steps: {steps} is negative")
    sources = int(rows.source.max()) + 1 if len(rows) else 0
    weights = [1.0] * sources if weights is None else list(weights)
    if len(weights) < sources or not all(math.isfinite(weight) and weight >= 0 for weight in weights):
        raise InputError(f"weights of sources: {weights}; {sources} numbers of at least 0 are needed")
    layouts: dict[int, Layout] = {}
    for source in np.flatnonzero(weights).tolist():
        own = np.flatnonzero(rows.source == source)
        lines = rows.same is not None and len(own) > 0 and bool(rows.same[own].all())
        try:
            layouts[source] = Layout(rows, of_bitext(batches) if lines else batches, own)
        except InputError as error:
            alone = None if lines else in_one_part(rows, batches, own)
            if alone is not None:
                layouts[source] = alone
                kind = KINDS[alone.batches.kind].title
                log.info("%s: only %s batches can show its rows, and no others do", _called(source, names), kind)
                continue
            hint = "; batches.bitext: xy shows them in two languages" if lines and batches.bitext == "kind" else ""
            raise InputError(f"{_called(source, names)}: {error}{hint}") from None
    if not layouts:
        raise InputError("no training rows: every source has weight 0" if sources else "no training rows")
    apart: dict[int, int] = {}
    for source in list(layouts):
        for layout in _apart(rows, layouts[source], np.flatnonzero(rows.source == source)):
            lane = sources + len(apart)
            layouts[lane], apart[lane] = layout, source
    length = {lane: float(len(layout.group)) for lane, layout in layouts.items()}
    whole: dict[int, float] = {}
    for lane, steps_of in length.items():
        whole[apart.get(lane, lane)] = whole.get(apart.get(lane, lane), 0.0) + steps_of
    shares = {
        lane: one if batches.sources == "size" else weights[apart.get(lane, lane)] * one / whole[apart.get(lane, lane)]
        for lane, one in length.items()
    }
    shares = {lane: share / math.fsum(shares.values()) for lane, share in shares.items()}
    return RunPlan(batches, layouts, shares, steps, seed, languages, names, apart)


def _apart(rows: Rows, layout: Layout, subset: np.ndarray) -> Iterator[Layout]:
    """Batches of their own for the rows that a kind made of others (`hybrid`) cannot use and one of its parts can: a
    question in one language with an answer in another alone, for one. Fewer than fill a small batch are left out.

    Where arms are to be comparable there are none: these rows would be in some arms and not in others.
    """
    if layout.batches.comparable or KINDS[layout.batches.kind].parts is None or not layout.unusable:
        return
    left = np.setdiff1d(subset, layout.rows)
    for part in parts_of(layout.batches):
        try:
            own = Layout(rows, replace(layout.batches, kind=part.name, alpha_end=None), left)
        except InputError:
            continue
        if len(own.rows) >= layout.batches.least and not _sizes({0: own}, {0: 1.0}).small:
            left = np.setdiff1d(left, own.rows)
            yield own


def counts_of(step: Step) -> dict[tuple[int, int, int], int]:
    """{(source, query language, passage language): pairs} of a batch."""
    pairs = (step.query_lang[:, None].astype(np.int64) << 6 | step.passage_lang)[step.passage_lang >= 0]
    return {
        (step.source, int(p) >> 6, int(p) & 63): int(n)
        for p, n in zip(*np.unique(pairs, return_counts=True), strict=True)
    }


def describe(plan: EpochPlan | RunPlan, start: int = 0, stop: int | None = None) -> dict[tuple[int, int, int], int]:
    """{(source, query language, passage language): pairs} over steps [start, stop)."""
    counts: Counter[tuple[int, int, int]] = Counter()
    for step in range(*slice(start, stop).indices(len(plan))):
        counts.update(counts_of(plan[step]))
    return dict(sorted(counts.items()))
