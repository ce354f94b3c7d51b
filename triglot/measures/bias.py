"""The measures of language bias that look at the whole pool.

Their functions are given a `triglot.evaluate.bias.measures.Pool`, which works out what they ask it for; so a row says
what is measured and imports nothing of a higher floor. A new one is a function of a pool and a row below.
"""

from __future__ import annotations

from triglot.measures.table import Measure, Of, Where

TOP = 10
"""Passages of a ranking that shares, entropy and agreement look at, where no other cut-off is asked for."""


def excess(share: float, pool: float) -> float:
    """How far the own language's share of answers lies above its share of the pool (below 1): 0 for answers as mixed as
    the pool, 1 for nothing but the own language."""
    return (share - pool) / (1 - pool)


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
        lambda pool, k: pool.foreign_recall(k).by_query,
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
