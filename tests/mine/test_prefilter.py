"""The prefilter in bfloat16 against all products in float32."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.mine.small import corpus_of, embed_of
from triglot.files import InputError
from triglot.mine import MineSettings, mine, prefilter
from triglot.topk import Best

NONE = np.zeros(0, np.int64)


def exact(queries: np.ndarray, pool: np.ndarray, barred: np.ndarray) -> np.ndarray:
    scores = np.stack([pool @ query for query in queries])
    scores[barred] = -np.inf
    return scores


@settings(max_examples=120, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(1, 400),
    st.integers(1, 12),
    st.sampled_from([2, 8, 65]),
    st.sampled_from(["spread", "close", "negative", "ties", "long"]),
    st.sampled_from([64, 10_000]),
)
def test_the_best_are_those_of_float32(seed, passages, k, dim, kind, width) -> None:
    rng = np.random.default_rng(seed)
    queries, pool = (
        rng.standard_normal((9, dim)).astype(np.float32),
        rng.standard_normal((passages, dim)).astype(np.float32),
    )
    if kind == "close":  # scores that bfloat16 cannot tell apart
        pool = pool[:1] + pool * 1e-3
        queries = queries[:1] + queries * 1e-3
    if kind == "negative":
        queries, pool = np.abs(queries), -np.abs(pool)
    if kind == "ties":
        queries, pool = np.round(queries), np.round(pool)
    if kind == "long":
        pool *= rng.uniform(0, 1000, (passages, 1)).astype(np.float32)
    barred = rng.random((9, passages)) < 0.1
    k = min(k, passages)
    best = Best(9, k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(prefilter, "WIDTH", width)
        prefilter.Prefilter(pool).search(best, queries, *np.nonzero(barred))
    scores = exact(queries, pool, barred)
    expected = -np.sort(-scores, axis=1)[:, :k]
    np.testing.assert_allclose(
        best.scores, expected, rtol=1e-4, atol=1e-4 * np.abs(scores[np.isfinite(scores)]).max(initial=1e-9)
    )
    for row in range(9):
        found = best.index[row][best.index[row] >= 0]
        assert len(set(found.tolist())) == len(found)
        assert not barred[row, found].any()
        if kind == "ties":  # sums of small whole numbers are exact
            order = [p for p in np.argsort(-scores[row], kind="stable").tolist() if scores[row, p] > -np.inf][:k]
            assert found.tolist() == order


def test_few_are_scored_again() -> None:
    rng = np.random.default_rng(0)
    queries, pool = (
        rng.standard_normal((64, 128)).astype(np.float32),
        rng.standard_normal((20_000, 128)).astype(np.float32),
    )
    seen = []
    with pytest.MonkeyPatch.context() as patch:
        offer = Best.offer_some
        patch.setattr(
            Best,
            "offer_some",
            lambda self, here, places, scores: (seen.append(places), offer(self, here, places, scores))[1],
        )
        best = Best(64, 10)
        prefilter.Prefilter(pool).search(best, queries, NONE, NONE)
    assert sum(int((places >= 0).sum()) for places in seen) < 64 * 10 * 4
    np.testing.assert_array_equal(best.index[:, 0], np.argmax(queries @ pool.T, axis=1))


def test_not_a_number_is_an_error() -> None:
    pool = np.ones((50, 4), np.float32)
    pool[3] = np.nan
    with pytest.raises(InputError, match="not a number"):
        prefilter.Prefilter(pool).search(Best(2, 3), np.ones((2, 4), np.float32), NONE, NONE)


@pytest.mark.parametrize("languages", ["own", "balanced"])
def test_mining_with_and_without_it_is_the_same(monkeypatch, languages) -> None:
    corpus = corpus_of(3, rows=60)
    found = []
    for pays in (True, False):
        monkeypatch.setattr(prefilter, "pays", lambda pays=pays: pays)
        found.append(
            mine(
                corpus,
                MineSettings(negatives=4, negative_languages=languages, margin=0.05),
                embed=embed_of(corpus, dim=32),
            )
        )
    np.testing.assert_array_equal(found[0].text, found[1].text)
    np.testing.assert_allclose(found[0].score, found[1].score, atol=1e-6)
