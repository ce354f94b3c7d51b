"""Top-k in blocks against a full sort."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triglot import memory
from triglot.files import InputError
from triglot.topk import Best, top_k, within


@settings(max_examples=150, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 60), st.integers(1, 20), st.integers(1, 30), st.integers(1, 7))
def test_top_k_equals_a_stable_sort(seed, passages, k, block, rows):
    rng = np.random.default_rng(seed)
    queries = rng.integers(-2, 3, (9, 3)).astype(np.float32)  # small integers tie often
    pool = rng.integers(-2, 3, (passages, 3)).astype(np.float32)
    scores = queries @ pool.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :k]
    found, index = top_k(queries, pool, k, block=block, rows=rows)
    np.testing.assert_array_equal(index, order)
    np.testing.assert_array_equal(found, np.take_along_axis(scores, order, 1))
    _, streamed = top_k(queries, iter(np.array_split(pool, 4)), k, rows=rows)
    np.testing.assert_array_equal(streamed, order)


@settings(max_examples=100, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 12), st.integers(1, 9))
def test_forbidden_passages_are_never_returned(seed, passages, k):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 4, (5, passages)).astype(np.float32)
    scores[rng.random(scores.shape) < 0.5] = -np.inf
    best = Best(5, k)
    for begin in range(0, passages, 4):
        best.offer(slice(0, 3), scores[:3, begin : begin + 4], begin)
        best.offer(slice(3, 5), scores[3:, begin : begin + 4], begin)
    for row in range(5):
        order = [p for p in np.argsort(-scores[row], kind="stable").tolist() if scores[row, p] > -np.inf][:k]
        assert best.index[row].tolist() == order + [-1] * (k - len(order))
    assert best.kept()[1].shape[1] == min(k, int((scores > -np.inf).sum(1).max(initial=0)))


def test_a_memory_map_is_read_in_blocks(tmp_path):
    pool = np.random.default_rng(0).standard_normal((500, 8)).astype(np.float32)
    np.save(tmp_path / "pool.npy", pool)
    mapped = np.load(tmp_path / "pool.npy", mmap_mode="r")
    np.testing.assert_array_equal(top_k(pool[:5], mapped, 10, block=64)[1][:, 0], np.argmax(pool[:5] @ pool.T, axis=1))


def test_a_k_larger_than_the_pool_is_all_of_it_and_says_so(caplog):
    queries, pool = (np.random.default_rng(0).standard_normal((n, 4)).astype(np.float32) for n in (5, 30))
    with caplog.at_level("INFO", "triglot"):
        for shown in (pool, np.array_split(pool, 7)):
            scores, index = top_k(queries, shown, 10**12)
            np.testing.assert_array_equal(index, np.argsort(-(queries @ pool.T), axis=1, kind="stable"))
            assert scores.shape == (5, 30)
    assert (
        caplog.messages
        == ["the best 1000000000000 passages of each query are asked for; there are 30, and all are ranked"] * 2
    )
    assert top_k(queries, pool[:0], 3)[1].shape == (5, 0)


def test_more_results_than_the_memory_holds_are_refused_before_the_work(monkeypatch):
    monkeypatch.setattr(memory, "available", lambda: 1_000_000_000)
    message = "the best 1000000 passages of each of 100 queries: about 1.2 GB of memory are needed, 1.0 GB are free"
    with pytest.raises(InputError, match=message):
        within(10**6, 10**7, 100)
    with pytest.raises(InputError, match=message):
        Best(100, 10**6)
    stream = Best(100, 10**6, grow=True)  # a pool that may be small
    with pytest.raises(InputError, match=r"the best 900000 passages of each of 100 queries: about 1\.1 GB"):
        stream.add(np.zeros((100, 1), np.float32), np.broadcast_to(np.float32(0), (900_000, 1)))


def test_bad_input_is_named():
    with pytest.raises(InputError, match="k is 0"):
        top_k(np.ones((1, 2)), np.ones((3, 2)), 0)
    with pytest.raises(InputError, match=r"shape \(3, 4\), queries 2 dimensions"):
        top_k(np.ones((1, 2)), np.ones((3, 4)), 1)
    with pytest.raises(InputError, match="not a number"):
        top_k(np.ones((1, 2)), np.array([[1, np.nan]]), 1)
