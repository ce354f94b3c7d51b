"""The count table against a naive double loop, with ties, long languages and ragged judgements."""

from __future__ import annotations

import threading

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings

from tests.evaluate.evaluation_sets import make_set, scored_sets
from triglot.evaluate import count_embeddings, count_scores, judged_pairs
from triglot.evaluate.counts import Counts, threads_allowed
from triglot.files import InputError
from triglot.measures import ranks


def naive_counts(benchmark, scores):
    """(query, passage) -> (above, tied) per language, one passage at a time."""
    table = {}
    for query, passage, grade in benchmark.judgements.tolist():
        if grade > 0:
            above, tied = [0] * len(benchmark.languages), [0] * len(benchmark.languages)
            for other in range(len(benchmark.passages)):
                language = int(benchmark.passages.lang[other])
                above[language] += int(scores[query, other] > scores[query, passage])
                tied[language] += int(other != passage and scores[query, other] == scores[query, passage])
            table[query, passage] = (above, tied)
    return table


def as_table(counts: Counts):
    rows = zip(counts.query.tolist(), counts.passage.tolist(), counts.above.tolist(), counts.tied.tolist(), strict=True)
    return {(query, passage): (above, tied) for query, passage, above, tied in rows}


@pytest.mark.slow
@settings(max_examples=150, deadline=None)
@given(scored_sets())
def test_counts_equal_a_double_loop(drawn):
    benchmark, scores = drawn
    expected = naive_counts(benchmark, scores)
    for options in ({"threads": 1}, {"threads": 2, "memory": 1}):
        assert as_table(count_scores(lambda rows: scores[rows], benchmark, **options)) == expected
    # one-hot passages make the product give the scores themselves
    assert (
        as_table(count_embeddings(scores, np.eye(scores.shape[1], dtype=np.float32), benchmark, threads=1)) == expected
    )


def test_languages_longer_than_a_segment_and_a_collapsed_encoder():
    sizes = [2041, 1, 6000]
    lang = np.repeat([0, 1, 2], sizes)
    benchmark = make_set([0, 2], lang.tolist(), [(0, 0, 1), (0, 2041, 1), (0, 2042, 1), (1, 8000, 1)])
    scores = np.zeros((2, len(lang)), np.float32)
    scores[1] = np.arange(len(lang), 0, -1)  # passage 8000 has 8000 above it
    for way in (
        lambda: count_scores(lambda rows: scores[rows], benchmark),
        lambda: count_scores(lambda rows: scores[rows], benchmark, memory=1),
    ):
        counts = way()
        assert counts.tied[:3].tolist() == [[2040, 1, 6000], [2041, 0, 6000], [2041, 1, 5999]]
        assert counts.above[3].tolist() == [2041, 1, 5958]
        assert not counts.above[:3].any()
        assert not counts.tied[3].any()
    collapsed = count_embeddings(np.ones((2, 8), np.float32), np.ones((len(lang), 8), np.float32), benchmark)
    assert collapsed.tied[3].tolist() == [2041, 1, 5999]


def test_queries_with_very_different_numbers_of_relevant_passages():
    rng = np.random.default_rng(0)
    passage_lang = rng.integers(0, 3, 300).tolist()
    judgements = [(q, p, 1) for q, number in enumerate([1, 300, 2, 0, 17]) for p in range(number)]
    benchmark = make_set([0, 1, 2, 0, 1], passage_lang, judgements)
    scores = rng.integers(0, 50, (5, 300)).astype(np.float32)
    assert as_table(count_scores(lambda rows: scores[rows], benchmark)) == naive_counts(benchmark, scores)


def test_equal_vectors_tie_wherever_they_stand(monkeypatch):
    rng = np.random.default_rng(1)
    vectors = rng.standard_normal((40, 33)).astype(np.float32)
    passages = vectors[rng.integers(0, 40, 501)]
    queries = rng.standard_normal((60, 33)).astype(np.float32)
    benchmark = make_set(
        rng.integers(0, 3, 60).tolist(), rng.integers(0, 3, 501).tolist(), [(q, q * 3, 1) for q in range(60)]
    )
    product = np.matmul

    def rounding_by_column(a, b, out):
        product(a, b, out=out)
        # As the edges of a BLAS kernel may do.
        out *= 1 + np.arange(out.shape[1], dtype=np.float32) % 3 * np.float32(1e-6)

    monkeypatch.setattr(np, "matmul", rounding_by_column)
    counts = count_embeddings(queries, passages, benchmark)
    same = (passages[counts.passage][:, None] == passages[None]).all(2).sum(1) - 1
    assert counts.tied.sum(1).tolist() == same.tolist()


@settings(max_examples=60, deadline=None)
@given(scored_sets())
def test_trec_order_of_ties_gives_the_figures_of_ir_measures(drawn):
    benchmark, scores = drawn
    ids = benchmark.passages.ids
    run = [
        ir_measures.ScoredDoc(q, ids[p], float(scores[i, p]))
        for i, q in enumerate(benchmark.queries.ids)
        for p in range(len(ids))
    ]
    qrels = [ir_measures.Qrel(benchmark.queries.ids[q], ids[p], g) for q, p, g in benchmark.judgements.tolist()]
    counts = count_scores(lambda rows: scores[rows], benchmark, ties="trec")
    assert not counts.tied.any()
    above = counts.above.sum(1)
    blocks = ranks.tie_blocks(
        counts.query, above, np.zeros_like(above), queries=len(benchmark.queries), grade=counts.grade
    )
    AP, RR, R, nDCG, Success = ir_measures.AP, ir_measures.RR, ir_measures.R, ir_measures.nDCG, ir_measures.Success
    ours = {
        AP: ranks.average_precision(blocks),
        AP @ 3: ranks.average_precision(blocks, 3),
        RR: ranks.reciprocal_rank(blocks),
        R @ 5: ranks.recall(blocks, 5),
        nDCG @ 5: ranks.ndcg(blocks, 5),
        Success @ 1: ranks.hit(blocks, 1),
    }
    index = {q: i for i, q in enumerate(benchmark.queries.ids)}
    for value in ir_measures.pytrec_eval.iter_calc(list(ours), qrels, run):
        mine = ours[value.measure][index[value.query_id]]
        assert (0.0 if np.isnan(mine) else mine) == pytest.approx(value.value, abs=1e-6)


@pytest.mark.parametrize("place", [0, 1])
def test_a_score_that_is_not_a_number_names_the_query(place):
    benchmark = make_set([0, 0], [0, 0], [(0, 0, 1), (1, 1, 1)])
    scores = np.array([[1, 2], [1, 2]], np.float32)
    scores[1, place] = np.nan
    with pytest.raises(InputError, match="query 'q1' has a score that is not a number"):
        count_scores(lambda rows: scores[rows], benchmark)


def test_a_score_block_of_another_shape_is_refused():
    benchmark = make_set([0], [0, 0], [(0, 0, 1)])
    with pytest.raises(InputError, match=r"shape \(1, 3\), not \(1, 2\)"):
        count_scores(lambda rows: np.zeros((len(rows), 3)), benchmark)


def test_judgements_in_any_order_but_not_twice():
    benchmark = make_set([0, 0], [0, 0], [(1, 1, 1), (0, 1, 2), (0, 0, 1), (1, 0, 0)])
    query, passage, grade = judged_pairs(benchmark)
    assert (query.tolist(), passage.tolist(), grade.tolist()) == ([0, 0, 1], [0, 1, 1], [1, 2, 1])
    with pytest.raises(InputError, match="given twice, the first for 'q0' and 'p1'"):
        judged_pairs(make_set([0], [0, 0], [(0, 1, 1), (0, 0, 1), (0, 1, 2)]))


def test_ties_must_be_known():
    with pytest.raises(InputError, match="'expected' or 'trec'"):
        count_embeddings(np.ones((1, 2)), np.ones((1, 2)), make_set([0], [0], [(0, 0, 1)]), ties="id")


def test_score_functions_are_called_by_one_thread_at_a_time():
    inside = threading.Lock()
    rng = np.random.default_rng(0)
    benchmark = make_set([0] * 600, [0] * 50, [(q, q % 50, 1) for q in range(600)], languages=1)
    scores = rng.random((600, 50), dtype=np.float32)

    def score(rows):
        assert inside.acquire(blocking=False)
        try:
            return scores[rows]
        finally:
            inside.release()

    assert as_table(count_scores(score, benchmark, threads=4)) == naive_counts(benchmark, scores)


def test_threads_follow_the_environment(monkeypatch):
    monkeypatch.setenv("OMP_NUM_THREADS", "1")
    assert threads_allowed() == 1
    assert threads_allowed(3) == 3
    monkeypatch.setenv("OMP_NUM_THREADS", "many")
    assert threads_allowed() >= 1


def test_a_table_that_does_not_fit_is_refused_before_it_is_made(monkeypatch):
    benchmark = make_set([0] * 600, [0] * 50, [(q, p, 1) for q in range(600) for p in range(50)], languages=1)
    monkeypatch.setattr("triglot.memory.available", lambda: 100_000)
    with pytest.raises(InputError, match=r"counts for 30,000 relevant pairs in 1 languages .*memory are needed"):
        count_scores(lambda rows: np.zeros((len(rows), 50), np.float32), benchmark)
