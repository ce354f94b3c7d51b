"""Passages that ask for their neighbours: how mixed the languages of an index's answers are, without any question."""

from __future__ import annotations

from typing import Any

import numpy as np

from triglot.index.protocol import Index
from triglot.measures.bias import excess

EACH, FIRST = 16, 10


def probed(index: Index) -> dict[str, Any]:
    """The own language's share of the first ten neighbours of some passages, and its excess over the pool, raw and
    fair.

    The excess is 0 for neighbours as mixed as the pool and 1 for nothing but the own language.
    """
    snapshot = index.snapshot
    total = sum(snapshot.counts.values())
    if not total:
        return {}
    found: dict[str, Any] = {}
    for mode, view, calibrated in (("any", "raw", False), ("fair", index.views[-1], True)):
        excesses = {}
        for code, count in snapshot.counts.items():
            asked = snapshot.drawn(code, EACH)
            hits = snapshot.search(
                snapshot.vectors(asked), FIRST + 1, langs=[code] * len(asked), view=view, calibrated=calibrated
            )
            others = hits.places != asked[:, None]
            own = ((hits.langs == snapshot.codes.index(code)) & others).sum() / max(
                int((others & (hits.places >= 0)).sum()), 1
            )
            pool = count / total
            excesses[code] = {
                "own_language": round(float(own), 4),
                "pool": round(pool, 4),
                "excess": round(float(excess(own, pool)), 4) if pool < 1 else 0.0,
            }
        mean = float(np.mean([one["excess"] for one in excesses.values()]))
        found[mode] = {"excess": round(mean, 4), "by_language": excesses}
    return found
