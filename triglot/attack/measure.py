"""What an attack did, from the rankings before and after it (methods: relative drop, success rate, overlap of the top
k, drift)."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from triglot.evaluate.tables import SETTINGS, Evaluation
from triglot.files import atomic_write
from triglot.topk import top_k


def success_rate(clean: Evaluation, attacked: Evaluation, k: int) -> dict[str, float]:
    """For each setting, #{hit at k before, miss after} / #{hit at k before}.

    Both evaluations have the measure `r@k` and the same rows.

    A hit is a relevant passage among the first k; where ties leave it open, it counts by its expectation.
    """
    setting = clean.rows["setting"]
    before, after = (np.minimum(one.rows[f"r@{k}"] * one.rows["relevant"], 1.0) for one in (clean, attacked))
    rates = {}
    for number, name in enumerate(SETTINGS):
        rows = setting == number
        if rows.any() and before[rows].sum() > 0:
            rates[name] = float((before[rows] * (1 - after[rows])).sum() / before[rows].sum())
    return rates


def jaccard(a: np.ndarray, b: np.ndarray) -> np.ndarray:
    """(queries,) overlap of two top lists as sets, each (queries, k) with different passages."""
    both = (a[:, :, None] == b[:, None, :]).any(2).sum(1)
    return both / (2 * a.shape[1] - both)


def rank_biased_overlap(a: np.ndarray, b: np.ndarray, p: float = 0.9) -> np.ndarray:
    """(queries,) RBO_ext of two top lists of equal depth k (Webber, Moffat and Zobel 2010, equation 23 with equal
    lengths).

    Args:
        a: (queries, k), different passages in a row.
        b: the same shape.
        p: weight of depth; the first ten ranks have 86 % of it at 0.9.
    """
    k = a.shape[1]
    query, i, j = np.nonzero(a[:, :, None] == b[:, None, :])
    found_at = np.zeros((len(a), k))
    np.add.at(found_at, (query, np.maximum(i, j)), 1.0)
    overlap = found_at.cumsum(1)  # (queries, k): passages that both have among the first d
    depth = np.arange(1, k + 1)
    return overlap[:, -1] / k * p**k + (1 - p) / p * (overlap / depth * p**depth).sum(1)


def cosines(before: np.ndarray, after: np.ndarray) -> np.ndarray:
    """(rows,) cosine of each row of one with that of the other; 0 with a zero vector."""
    lengths = np.linalg.norm(before, axis=1) * np.linalg.norm(after, axis=1)
    return (before * after).sum(1) / np.where(lengths > 0, lengths, 1)


def robustness(
    clean: Evaluation,
    attacked: Evaluation,
    before: np.ndarray,
    after: np.ndarray,
    passages: np.ndarray,
    *,
    changed: np.ndarray,
    calls: np.ndarray,
    k: int = 10,
) -> dict[str, Any]:
    """Figures of one attack beside the attacked measures themselves.

    Args:
        clean: the benchmark's evaluation before.
        attacked: and after.
        before: (queries, dim) query vectors.
        after: the same shape.
        passages: (passages, dim).
        changed: (queries,) bool, whether the attack changed the query.
        calls: (queries,) texts that the model encoded for the attack.
        k: of the top lists and of a hit.

    Returns:
        drop (share of the macro mAP lost, a setting), success@k (a setting), jaccard@k, rbo@k, drift (1 - cosine),
        changed, calls: means.
    """
    k = min(k, len(passages))
    first, second = top_k(before, passages, k)[1], top_k(after, passages, k)[1]
    drop = {}
    for setting in SETTINGS:
        if setting in clean.summary and clean.summary[setting]["map"] > 0:
            drop[setting] = 1 - attacked.summary[setting]["map"] / clean.summary[setting]["map"]
    return {
        "drop": drop,
        "success@10": success_rate(clean, attacked, 10),
        f"jaccard@{k}": float(jaccard(first, second).mean()),
        f"rbo@{k}": float(rank_biased_overlap(first, second).mean()),
        "drift": float((1 - cosines(before, after)).mean()),
        "changed": float(changed.mean()),
        "calls": float(calls.mean()),
    }


def write_attacked(
    path: Path,
    about: Sequence[Mapping[str, Any]],
    texts: Sequence[str],
    before: np.ndarray,
    after: np.ndarray,
    calls: np.ndarray,
) -> None:
    """JSON lines of attacked texts: what is known of each, the changed text, its margin before and after, and the texts
    that the model encoded for it."""
    with atomic_write(path) as handle:
        for i, known in enumerate(about):
            row = {
                **known,
                "attacked": texts[i],
                "margin_clean": round(float(before[i]), 5),
                "margin_attacked": round(float(after[i]), 5),
                "calls": int(calls[i]),
            }
            handle.write(json.dumps(row, ensure_ascii=False) + "\n")
