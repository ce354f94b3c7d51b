"""InfoNCE against a naive double loop in float64, and against sentence-transformers."""

from __future__ import annotations

import math
from dataclasses import replace

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.losses.scenes import scene, shares
from triglot.files import InputError
from triglot.losses import BatchVectors, LossSettings, info_nce, pair_masks
from triglot.losses.contrastive import pool, ranking
from triglot.losses.terms import RankingTerm


def unit(rng: np.random.Generator, n: int) -> torch.Tensor:
    return torch.nn.functional.normalize(torch.from_numpy(rng.standard_normal((n, 6))).float(), dim=1)


def naive(q, p, q_row, p_row, q_family, p_family, t) -> float:
    terms = []
    for i in range(len(q)):
        for j in range(len(p)):
            if q_row[i] != p_row[j]:
                continue
            score = float(q[i].double() @ p[j].double()) / t
            total = math.exp(score)
            for k in range(len(p)):
                if p_row[k] != q_row[i] and p_family[k] != q_family[i]:
                    total += math.exp(float(q[i].double() @ p[k].double()) / t)
            terms.append(math.log(total) - score)
    return sum(terms) / len(terms)


@given(
    st.integers(0, 10_000), st.integers(2, 6), st.integers(1, 3), st.integers(0, 4), st.sampled_from([0.0, 0.3, 1.0])
)
@settings(max_examples=40, deadline=None)
def test_info_nce_is_the_naive_loop(seed: int, rows: int, positives: int, hard: int, symmetric: float) -> None:
    rng = np.random.default_rng(seed)
    q, p = unit(rng, rows), unit(rng, rows * positives + hard)
    q_family = rng.integers(0, 3, rows)
    q_row, p_row = np.arange(rows), np.concatenate([np.tile(np.arange(rows), positives), np.full(hard, -1)])
    p_family = np.concatenate([np.tile(q_family, positives), rng.integers(0, 4, hard)])
    masks = pair_masks(*(torch.from_numpy(a) for a in (q_row, p_row, q_family, p_family)))
    value = info_nce(q, p, *masks, LossSettings(0.1, symmetric)).item()
    there = naive(q, p, q_row, p_row, q_family, p_family, 0.1)
    back = naive(p, q, p_row, np.where(q_row < 0, -2, q_row), p_family, q_family, 0.1)
    assert value == pytest.approx((1 - symmetric) * there + symmetric * back, rel=1e-4, abs=1e-5)


@pytest.mark.parametrize("kind", [ranking, pool])
def test_learned_negatives_are_over_the_temperature_of_the_term(kind) -> None:
    rng = np.random.default_rng(2)
    bare, own = scene(rng, hard=0), torch.from_numpy(rng.uniform(-1, 1, (5, 3)))
    of_block = replace(bare, learned=own / bare.temperature)
    assert kind(of_block, RankingTerm("info-nce", temperature=1.0)).item() == pytest.approx(
        kind(replace(bare, temperature=1.0, learned=own), LossSettings(1.0)).item(), rel=1e-5
    )


def test_plain_case_is_cross_entropy_and_has_its_gradient() -> None:
    rng = np.random.default_rng(0)
    q, p = unit(rng, 8).requires_grad_(), unit(rng, 8).requires_grad_()
    i = torch.arange(8)
    ours = info_nce(q, p, *pair_masks(i, i, i, i), LossSettings(0.05))
    theirs = torch.nn.functional.cross_entropy(q @ p.T / 0.05, i)
    torch.testing.assert_close(ours, theirs)
    for a, b in zip(torch.autograd.grad(ours, (q, p)), torch.autograd.grad(theirs, (q, p)), strict=True):
        torch.testing.assert_close(a, b)


def test_a_batch_of_one_family_has_no_negatives_and_finite_gradients() -> None:
    q = unit(np.random.default_rng(0), 3).requires_grad_()
    i, one = torch.arange(3), torch.zeros(3, dtype=torch.long)
    value = info_nce(q, q, *pair_masks(i, i, one, one), LossSettings())
    value.backward()
    assert value.item() == 0.0
    assert torch.isfinite(q.grad).all()


@pytest.mark.parametrize("bad", [{"temperature": 0}, {"temperature": -1.0}, {"symmetric": 1.5}])
def test_bad_settings(bad: dict[str, float]) -> None:
    with pytest.raises(InputError, match=f"^{next(iter(bad))}: "):
        LossSettings(**bad)


@pytest.mark.parametrize("symmetric", [0.0, 0.4])
def test_a_pool_wants_all_answers_equally(symmetric: float) -> None:
    rng = np.random.default_rng(5)
    batch = scene(rng, rows=4, positives=2, hard=1)
    scores = batch.queries.numpy() @ batch.passages.numpy().T / 0.2

    def way(scores: np.ndarray, positive: np.ndarray, ignored: np.ndarray) -> float:
        log = np.log(shares(scores, ignored) + 1e-300)
        return float(np.mean([-log[row][positive[row]].mean() for row in np.flatnonzero(positive.any(1))]))

    positive, ignored = batch.positive.numpy(), batch.ignored.numpy()
    expected = (1 - symmetric) * way(scores, positive, ignored) + symmetric * way(scores.T, positive.T, ignored.T)
    assert pool(batch, LossSettings(0.2, symmetric, name="pool")).item() == pytest.approx(expected, rel=1e-4)


def test_a_pool_is_least_where_answers_score_the_same() -> None:
    query = torch.tensor([[1.0, 0.0]])
    none, both = torch.zeros(1, 2, dtype=torch.bool), torch.ones(1, 2, dtype=torch.bool)

    def value(one: float, other: float) -> float:
        passages = torch.tensor([[one, 0.0], [other, 0.0]])
        return pool(BatchVectors(query, passages, both, none, 1.0, 1), LossSettings(1.0, name="pool")).item()

    assert value(0.5, 0.5) == pytest.approx(math.log(2), rel=1e-5)
    assert value(0.9, 0.1) > value(0.6, 0.4) > value(0.5, 0.5)


def test_a_batch_s_ranking_is_info_nce() -> None:
    batch, loss = scene(np.random.default_rng(6), positives=2), LossSettings(0.1, 0.3)
    expected = info_nce(batch.queries, batch.passages, batch.positive, batch.ignored, loss)
    torch.testing.assert_close(ranking(batch, loss), expected)
    torch.testing.assert_close(ranking(batch, RankingTerm("info-nce", symmetric=0.3)), expected)
