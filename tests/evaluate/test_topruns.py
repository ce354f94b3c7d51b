"""Runs from streamed embeddings and from scores, against brute force; vectors and corpora that are not as they should
be."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluate.evaluation_sets import make_set
from triglot.evaluate.topruns import Stream, run_of_blocks, run_of_scores, run_of_vectors
from triglot.files import InputError


def ranking(run) -> dict[str, list[str]]:
    starts = run.starts.tolist()
    return {
        query: [run.documents[d] for d in run.document[begin:end].tolist()]
        for query, begin, end in zip(run.queries, starts[:-1], starts[1:], strict=True)
    }


def blocks_of(ids, vectors, *cuts):
    for begin, end in zip((0, *cuts), (*cuts, len(ids)), strict=True):
        yield ids[begin:end], vectors[begin:end]


@settings(max_examples=80, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 80), st.integers(1, 30))
def test_a_streamed_run_is_that_of_a_full_sort(seed, passages, depth):
    rng = np.random.default_rng(seed)
    queries, pool = (rng.integers(-2, 3, (n, 3)).astype(np.float32) for n in (5, passages))
    ids = [f"p{i}" for i in range(passages)]
    cuts = np.sort(rng.integers(0, passages + 1, 3)).tolist()
    run, _, size = run_of_blocks([f"q{i}" for i in range(5)], queries, blocks_of(ids, pool, *cuts), depth)
    scores = queries @ pool.T
    order = np.argsort(-scores, axis=1, kind="stable")[:, :depth]
    assert size == passages
    assert ranking(run) == {f"q{i}": [ids[p] for p in row] for i, row in enumerate(order.tolist())}
    np.testing.assert_array_equal(run.score, np.take_along_axis(scores, order, 1).ravel())


def test_ids_are_held_for_the_best_alone():
    rng = np.random.default_rng(0)
    queries = rng.standard_normal((4, 8)).astype(np.float32)
    stream = Stream([f"q{i}" for i in range(4)], queries, 5)
    most = 0
    for block in range(40):
        stream.add([f"{block}-{i}" for i in range(5000)], rng.standard_normal((5000, 8)).astype(np.float32))
        most = max(most, len(stream._ids))
    assert stream.passages == 200_000
    assert most <= 2 * 4 * 6 + 16_384  # not 200,000
    assert len(stream.run()) == 20


def test_the_cut_off_says_where_it_falls_among_equal_scores():
    queries = np.array([[1, 0], [0, 1]], np.float32)
    pool = np.array([[3, 1], [2, 1], [2, 5], [2, 0]], np.float32)
    ids = [f"p{i}" for i in range(4)]
    run, notes, _ = run_of_blocks(["a", "b"], queries, [(ids, pool)], 2)
    assert ranking(run) == {"a": ["p0", "p1"], "b": ["p2", "p0"]}
    assert notes == [
        "2 queries have equal scores on both sides of rank 2; the order of the corpus decided which were kept"
    ]
    assert run_of_blocks(["a", "b"], queries, [(ids, pool)], 4)[1] == []


@pytest.mark.slow
def test_the_benchmark_checks_itself():
    script = Path(__file__).parents[2] / "benchmarks" / "streaming.py"
    sizes = ["--passages", "20000", "--dim", "16", "--queries", "12", "--depth", "40"]
    done = subprocess.run([sys.executable, str(script), *sizes], capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert "12 queries, the best 40 of each: 480 results" in done.stdout
    assert "0 passages differ" in done.stdout
    done = subprocess.run(
        [sys.executable, str(script), *sizes, "--limit", "0.001"], capture_output=True, text=True, check=False
    )
    assert "peak memory is above 0.001 GiB" in done.stderr


def test_zero_vectors_are_counted_and_a_number_that_is_none_is_refused():
    queries, pool = np.eye(2, dtype=np.float32), np.zeros((3, 2), np.float32)
    run, notes, _ = run_of_blocks(["a", "b"], queries * [[1], [0]], [(["x", "y", "z"], pool)], 5)
    assert len(run) == 6
    assert notes[:2] == [
        "1 query embeddings are zero: all their scores are 0 and tie",
        "3 passage embeddings are zero: all their scores are 0 and tie",
    ]
    pool[1, 1] = np.nan
    with pytest.raises(InputError, match="1 passage embeddings are not finite, the first that of 'y'"):
        run_of_blocks(["a", "b"], queries, [(["x", "y", "z"], pool)], 5)
    with pytest.raises(InputError, match="1 query embeddings are not finite, the first that of 'b'"):
        run_of_blocks(["a", "b"], np.array([[1, 0], [0, np.inf]]), [(["x"], np.ones((1, 2)))], 5)


def test_blocks_that_do_not_fit_are_refused():
    queries = np.eye(2, dtype=np.float32)
    with pytest.raises(InputError, match="queries have 2 dimensions, passages 3"):
        run_of_blocks(["a", "b"], queries, [(["x"], np.ones((1, 3)))], 5)
    with pytest.raises(InputError, match=r"passage embeddings have shape \(2, 2\), but there are 1 passage ids"):
        run_of_blocks(["a", "b"], queries, [(["x"], np.ones((2, 2)))], 5)
    with pytest.raises(InputError, match=r"query embeddings have shape \(2, 2\), but there are 3 query ids"):
        run_of_blocks(["a", "b", "c"], queries, [(["x"], np.ones((1, 2)))], 5)
    with pytest.raises(InputError, match="no passage to rank"):
        run_of_blocks(["a", "b"], queries, [], 5)
    with pytest.raises(InputError, match="k is 0"):
        Stream(["a"], queries[:1], -1)


def test_of_passages_with_one_id_the_first_counts():
    queries = np.eye(2, dtype=np.float32)
    blocks = [(["x", "y"], np.array([[1, 1], [2, 0]])), (["x", "z"], np.array([[3, 0], [0, 0]]))]
    run, notes, size = run_of_blocks(["a", "b"], queries, blocks, 5)
    assert ranking(run) == {"a": ["y", "x", "z"], "b": ["x", "y", "z"]}
    assert size == 4
    assert (
        "1 passages in the rankings have the id of an earlier one and are left out (first: x, passages 1 and 3)"
        in notes
    )


def test_scores_and_vectors_give_the_same_run():
    rng = np.random.default_rng(1)
    benchmark = make_set([0] * 7, [0] * 30, [(q, q, 1) for q in range(7)], languages=1)
    queries, passages = rng.standard_normal((7, 4)).astype(np.float32), rng.standard_normal((30, 4)).astype(np.float32)
    one, notes = run_of_vectors(queries, passages, benchmark, 6)
    two, _ = run_of_scores(lambda rows: queries[rows] @ passages.T, benchmark, 6)
    order = np.argsort(-(queries @ passages.T), axis=1)[:, :6]
    assert ranking(one) == ranking(two) == {f"q{i}": [f"p{p}" for p in row] for i, row in enumerate(order.tolist())}
    assert notes == []


def test_bm25_returns_nothing_that_shares_no_word():
    benchmark = make_set([0, 0], [0, 0, 0], [(0, 0, 1), (1, 1, 1)], languages=1)
    scores = np.array([[0, 2, 1], [0, 0, 0]], np.float32)
    run, _ = run_of_scores(lambda rows: scores[rows], benchmark, 10, above=0.0)
    assert ranking(run) == {"q0": ["p1", "p2"]}
    with pytest.raises(InputError, match="no results"):
        run_of_scores(lambda rows: 0 * scores[rows], benchmark, 10, above=0.0)
    with pytest.raises(InputError, match="not a number"):
        run_of_scores(lambda rows: np.nan * scores[rows], benchmark, 10)


def test_the_query_itself_is_left_out_of_its_ranking():
    benchmark = make_set(
        [0, 0],
        [0, 0, 0],
        [(0, 1, 1), (1, 2, 1)],
        passage_ids=["q0", "q1", "p2"],
        texts=(["one", "two"], ["one", "other", "p"]),
    )
    vectors = np.array([[1, 0], [0.9, 0.1], [0, 1]], np.float32)
    run, notes = run_of_vectors(vectors[:2], vectors, benchmark, 2)
    assert ranking(run) == {"q0": ["q1", "p2"], "q1": ["q0", "q1"]}  # q1's passage has another text
    assert notes == ["the passage that is the query itself is left out of its ranking"]


def test_a_streamed_query_itself_is_left_out_and_the_depth_stays():
    queries, pool = np.eye(2, dtype=np.float32), np.array([[3, 0], [0, 3], [2, 1], [1, 2]], np.float32)
    blocks = [(["a", "b"], pool[:2]), (["x", "y"], pool[2:])]
    run, notes, _ = run_of_blocks(["a", "b"], queries, blocks, 2, itself={"a"})
    assert ranking(run) == {"a": ["x", "y"], "b": ["b", "y"]}
    assert notes == ["the passage that is the query itself is left out of its ranking"]
