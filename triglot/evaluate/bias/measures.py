"""The measures of language bias that look at the whole pool, as rows of the table of measures.

A new one is a function of a `Pool` and a row below.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np

from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate.bias.rankings import LanguageShares, RankCorrelation, language_shares, rank_correlation
from triglot.evaluate.bias.scope import Scope, scope_of
from triglot.evaluate.bias.spread import Peer, PreferenceRate, RemovalTest, peer, preference_rate, removal_test
from triglot.evaluate.counts import Counts
from triglot.measures import Measure
from triglot.measures.table import Need, Of, Where

TOP = 10  # passages of a query's ranking that shares, entropy and agreement look at


@dataclass(frozen=True)
class Pool:
    """What measures of bias are computed from; what several of them need is worked out once.

    Attributes:
        counts: of all judged pairs: how many passages of each language stand above each answer, or tie with it.
        benchmark: what was counted.
        top: (queries, `TOP` or more) passages, best first; None where there are no rankings.
        languages: of queries and pool; None for all.
    """

    counts: Counts
    benchmark: RetrievalSet
    top: np.ndarray | None = None
    languages: Sequence[str] | None = None

    @cached_property
    def scope(self) -> Scope:
        """The languages, and which queries and passages are in them."""
        return scope_of(self.benchmark, self.languages)

    @cached_property
    def shares(self) -> LanguageShares:
        """Languages of the top `TOP`."""
        assert self.top is not None
        return language_shares(self.top, self.benchmark, self.languages, k=TOP)

    @cached_property
    def agreement(self) -> RankCorrelation:
        """How alike parallel queries rank."""
        assert self.top is not None
        return rank_correlation(self.top, self.benchmark, self.languages, k=TOP)

    @cached_property
    def preference(self) -> PreferenceRate:
        """In which language the best answer is."""
        return preference_rate(self.counts, self.benchmark, self.languages)

    @cached_property
    def removal(self) -> RemovalTest:
        """What is lost with the answer in the query's language."""
        return removal_test(self.counts, self.benchmark, self.languages)

    @cached_property
    def peer(self) -> Peer:
        """Whether ranks are equal across languages."""
        return peer(self.counts, self.benchmark, self.languages, k=TOP)

    def has(self, needs: Sequence[Need]) -> bool:
        """Whether a measure with these needs makes sense here."""
        there = {"rankings": self.top is not None, "parallel": self.benchmark.parallel}
        return all(there[need] for need in needs)


_POOL: Of = "pool"
_BIAS: tuple[Where, ...] = ("bias",)
_COMMON = {"of": _POOL, "where": _BIAS}

MEASURES = (
    Measure(
        f"same_language@{TOP}",
        f"Own language in the top {TOP}",
        "share of the first passages that are in the query's language",
        lambda pool: pool.shares.same.by_query,
        **_COMMON,
        lower_is_better=True,  # a bias towards the query's own language; the reverse is rarer
        needs=("rankings",),
    ),
    Measure(
        "pool_share",
        "Own language in the pool",
        f"what same_language@{TOP} is by chance",
        lambda pool: pool.shares.expected.by_query,
        **_COMMON,
        needs=("rankings",),
        chance=True,
    ),
    Measure(
        f"entropy@{TOP}",
        f"Entropy of the top {TOP}",
        "of the languages of the first passages, 1 when all are equally frequent",
        lambda pool: pool.shares.entropy.by_query,
        **_COMMON,
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
        lower_is_better=True,
        needs=("parallel",),
    ),
    Measure(
        f"mrc@{TOP}",
        f"MRC@{TOP}",
        "agreement of parallel queries (mean rank correlation; Yang, Jiang and Baldwin 2025)",
        lambda pool: pool.agreement.correlation.by_query,
        **_COMMON,
        needs=("rankings", "parallel"),
    ),
    Measure(
        f"peer@{TOP}",
        f"PEER@{TOP}",
        "probability of equal expected rank (Yang, Jänich, Mayfield and Lawrie 2024)",
        lambda pool: pool.peer.peer.by_query,
        **_COMMON,
        notes=lambda pool: pool.peer.notes,
    ),
)
