"""The measures of language bias that look at the whole pool, as rows of the table of measures.

A new one is a function of a `Pool` and a row below.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.bias.rankings import LanguageShares, RankCorrelation, language_shares, rank_correlation
from triglot.evaluate.bias.scope import Scope, scope_of
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
from triglot.measures.table import Need, Of, Where

TOP = 10  # passages of a ranking that shares, entropy and agreement look at, where no other cut-off is asked for


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

    def has(self, needs: Sequence[Need]) -> bool:
        """Whether a measure with these needs makes sense here."""
        there = {"rankings": self.top is not None, "parallel": self.benchmark.parallel}
        return all(there[need] for need in needs)


def depth(extra: Iterable[str | Measure] = ()) -> int:
    """How many passages of each ranking the measures of bias look at, `extra` ones included."""
    rows = (row for row in reported("bias", extra) if row.of == "pool" and "rankings" in row.needs)
    return max((row.cut or TOP for row in rows), default=TOP)


_POOL: Of = "pool"
_BIAS: tuple[Where, ...] = ("bias",)
_COMMON = {"of": _POOL, "where": _BIAS}

MEASURES = (
    Measure(
        f"same_language@{TOP}",
        f"Own language in the top {TOP}",
        "share of the first passages that are in the query's language",
        lambda pool, k: pool.shares(k).same.by_query,
        **_COMMON,
        cut_off="needed",
        lower_is_better=True,  # a bias towards the query's own language; the reverse is rarer
        needs=("rankings",),
    ),
    Measure(
        "pool_share",
        "Own language in the pool",
        f"what same_language@{TOP} is by chance",
        lambda pool: pool.shares().expected.by_query,
        **_COMMON,
        needs=("rankings",),
        chance=True,
    ),
    Measure(
        f"entropy@{TOP}",
        f"Entropy of the top {TOP}",
        "of the languages of the first passages, 1 when all are equally frequent",
        lambda pool, k: pool.shares(k).entropy.by_query,
        **_COMMON,
        cut_off="needed",
        needs=("rankings",),
    ),
    Measure(
        "preference_rate",
        "Own language first",
        "share of the queries whose best-ranked answer is in their language",
        lambda pool: pool.preference.rate.by_query,
        **_COMMON,
        lower_is_better=True,
        needs=("parallel",),
        elsewhere="LPR, language preference rate (MLAIRE, arXiv 2605.07249)",
    ),
    Measure(
        "preference_expected",
        "Own language first, by chance",
        "what preference_rate is by chance",
        lambda pool: pool.preference.expected.by_query,
        **_COMMON,
        needs=("parallel",),
        chance=True,
    ),
    Measure(
        "removal",
        "Removal test, (c) - (b)",
        "mAP lost without the answer in the query's language, less that without another one",
        lambda pool: pool.removal.difference.by_query,
        **_COMMON,
        least=-1.0,
        lower_is_better=True,
        needs=("parallel",),
    ),
    Measure(
        "tlr@20",
        "TLR@20",
        "share of the answers in other languages than the query's that are among the first k",
        lambda pool, k: foreign_recall(pool.counts, pool.benchmark, pool.languages, k=k).by_query,
        **_COMMON,
        cut_off="needed",
        elsewhere="TLR@k, target-languages recall (SHIFT, arXiv 2606.18801)",
    ),
    Measure(
        f"mrc@{TOP}",
        f"MRC@{TOP}",
        "agreement of parallel queries (mean rank correlation; Yang, Jiang and Baldwin 2025)",
        lambda pool, k: pool.agreement(k).correlation.by_query,
        **_COMMON,
        least=-1.0,
        cut_off="needed",
        needs=("rankings", "parallel"),
        elsewhere="MRC@k (arXiv 2509.06195)",
    ),
    Measure(
        f"peer@{TOP}",
        f"PEER@{TOP}",
        "probability of equal expected rank (Yang, Jänich, Mayfield and Lawrie 2024)",
        lambda pool, k: pool.peer(k).peer.by_query,
        **_COMMON,
        cut_off="needed",
        elsewhere="PEER@k (arXiv 2405.00978)",
        notes=lambda pool: pool.peer().notes,
    ),
)
