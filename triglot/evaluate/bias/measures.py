"""What measures of language bias are computed from; their rows are in `triglot.measures.bias`."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.bias.rankings import LanguageShares, RankCorrelation, language_shares, rank_correlation
from triglot.evaluate.bias.scope import Figure, Scope, scope_of
from triglot.evaluate.bias.spread import (
    Peer,
    PreferenceRate,
    RemovalTest,
    foreign_recall,
    peer,
    preference_rate,
    removal_test,
)
from triglot.evaluate.counts import Counts
from triglot.measures import Measure, reported
from triglot.measures.bias import TOP
from triglot.measures.table import Need


@dataclass(frozen=True)
class Pool:
    """What measures of bias are computed from; what several of them need is worked out once.

    Attributes:
        counts: of all judged pairs: how many passages of each language stand above each answer, or tie with it.
        benchmark: what was counted.
        top: (queries, `TOP` or more) passages, best first; None where there are no rankings.
        languages: of queries and pool; None for all.
        made: what was worked out already, by name and cut-off.
    """

    counts: Counts
    benchmark: RetrievalSet
    top: np.ndarray | None = None
    languages: Sequence[str] | None = None
    made: dict[tuple[str, int], Any] = field(default_factory=dict, compare=False, repr=False)

    @cached_property
    def scope(self) -> Scope:
        """The languages, and which queries and passages are in them."""
        return scope_of(self.benchmark, self.languages)

    def _once(self, what: str, k: int, make: Callable[[], Any]) -> Any:
        """What several measures need at one cut-off."""
        if (what, k) not in self.made:
            self.made[what, k] = make()
        return self.made[what, k]

    def shares(self, k: int = TOP) -> LanguageShares:
        """Languages of the top k."""
        top = self.top
        assert top is not None
        return self._once("shares", k, lambda: language_shares(top, self.benchmark, self.languages, k=k))

    def agreement(self, k: int = TOP) -> RankCorrelation:
        """How alike parallel queries rank."""
        top = self.top
        assert top is not None
        return self._once("agreement", k, lambda: rank_correlation(top, self.benchmark, self.languages, k=k))

    def peer(self, k: int = TOP) -> Peer:
        """Whether ranks are equal across languages."""
        return self._once("peer", k, lambda: peer(self.counts, self.benchmark, self.languages, k=k))

    @cached_property
    def preference(self) -> PreferenceRate:
        """In which language the best answer is."""
        return preference_rate(self.counts, self.benchmark, self.languages)

    @cached_property
    def removal(self) -> RemovalTest:
        """What is lost with the answer in the query's language."""
        return removal_test(self.counts, self.benchmark, self.languages)

    def foreign_recall(self, k: int) -> Figure:
        """How many of the answers in other languages than the query's are among the first k."""
        return foreign_recall(self.counts, self.benchmark, self.languages, k=k)

    def has(self, needs: Sequence[Need]) -> bool:
        """Whether a measure with these needs makes sense here."""
        there = {"rankings": self.top is not None, "parallel": self.benchmark.parallel}
        return all(there[need] for need in needs)


def depth(extra: Iterable[str | Measure] = ()) -> int:
    """How many passages of each ranking the measures of bias look at, `extra` ones included."""
    rows = (row for row in reported("bias", extra) if row.of == "pool" and "rankings" in row.needs)
    return max((row.cut or TOP for row in rows), default=TOP)
