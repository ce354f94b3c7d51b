"""Overlap of top lists, success and drop, against direct counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from triglot.attack.measure import jaccard, rank_biased_overlap, robustness, success_rate
from triglot.evaluate import evaluate_embeddings


@st.composite
def two_lists(draw):
    k = draw(st.integers(1, 8))
    pool = st.permutations(range(12))
    return np.array([draw(pool)[:k]]), np.array([draw(pool)[:k]])


@given(two_lists())
def test_jaccard_is_that_of_sets(lists) -> None:
    a, b = lists
    one, two = set(a[0].tolist()), set(b[0].tolist())
    assert jaccard(a, b)[0] == pytest.approx(len(one & two) / len(one | two))


@given(two_lists(), st.floats(0.1, 0.99))
def test_rank_biased_overlap_is_its_definition(lists, p: float) -> None:
    a, b = lists
    k = a.shape[1]
    agreement = [len(set(a[0, :d].tolist()) & set(b[0, :d].tolist())) / d for d in range(1, k + 1)]
    expected = agreement[-1] * p**k + (1 - p) / p * sum(x * p**d for d, x in enumerate(agreement, 1))
    assert rank_biased_overlap(a, b, p)[0] == pytest.approx(expected)
    assert rank_biased_overlap(a, a, p)[0] == pytest.approx(1)


def test_success_counts_hits_that_are_lost(benchmark) -> None:
    rng = np.random.default_rng(0)
    passages = rng.normal(size=(len(benchmark.passages), 8)).astype(np.float32)
    passages /= np.linalg.norm(passages, axis=1, keepdims=True)
    relevant = {(int(q), int(p)) for q, p, _ in benchmark.judgements}
    clean = np.array(
        [passages[next(p for p in range(len(passages)) if (q, p) in relevant)] for q in range(len(benchmark.queries))]
    )
    attacked = rng.normal(size=clean.shape).astype(np.float32)
    attacked /= np.linalg.norm(attacked, axis=1, keepdims=True)
    before, after = (evaluate_embeddings(v, passages, benchmark) for v in (clean, attacked))
    found = success_rate(before, after, 10)["multi"]
    lost = kept = 0
    for q in range(len(clean)):
        tops = [set(np.argsort(-(passages @ v[q]), kind="stable")[:10].tolist()) for v in (clean, attacked)]
        hits = [any((q, p) in relevant for p in top) for top in tops]
        kept += hits[0]
        lost += hits[0] and not hits[1]
    assert found == pytest.approx(lost / kept)
    figures = robustness(
        before, after, clean, attacked, passages, changed=np.ones(len(clean), bool), calls=np.full(len(clean), 3), k=10
    )
    assert figures["drop"]["multi"] == pytest.approx(1 - after.summary["multi"]["map"] / before.summary["multi"]["map"])
    assert figures["drift"] == pytest.approx(float(1 - (clean * attacked).sum(1).mean()), abs=1e-6)
    assert figures["calls"] == 3
    assert figures["changed"] == 1
    same = robustness(
        before, before, clean, clean, passages, changed=np.zeros(len(clean), bool), calls=np.zeros(len(clean))
    )
    assert same["drop"] == dict.fromkeys(("mono", "cross", "multi"), 0.0)
    assert set(same["success@10"].values()) == {0.0}
    assert same["rbo@10"] == pytest.approx(1)
