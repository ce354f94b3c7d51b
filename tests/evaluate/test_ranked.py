"""Measures of top-k runs against ir_measures, against every order of the ties, and what is said about runs that do not
fit."""

from __future__ import annotations

from dataclasses import replace
from itertools import permutations

import ir_measures
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from tests.evaluate.evaluation_sets import make_set, scored_sets
from triglot.corpus.formats import runs
from triglot.evaluate.evaluator import evaluate_scores
from triglot.evaluate.ranked import evaluate_run, join, judged
from triglot.files import InputError

# RR@k is left out: ir_measures takes it from a tool with another order of ties than trec_eval's.
NAMES = {"ndcg@10": "nDCG@10", "r@100": "R@100", "mrr": "RR", "map": "AP", "r@3": "R@3", "ndcg": "nDCG"}
EXTRA = ("r@3", "ndcg", "mrr", "mrr@2")


def run_of(scores: np.ndarray, kept: np.ndarray | None = None) -> runs.Run:
    """All passages of a toy set, or those of a mask, as a run."""
    query, document = np.nonzero(np.ones(scores.shape, bool) if kept is None else kept)
    queries, documents = ([f"{side}{i}" for i in range(size)] for side, size in zip("qp", scores.shape, strict=True))
    return runs.build(queries, documents, query, document, scores[query, document])


def by_ir_measures(run: runs.Run, qrels) -> dict[str, dict[str, float]]:
    rows = zip(run.query.tolist(), run.document.tolist(), run.score.tolist(), strict=True)
    scored = [ir_measures.ScoredDoc(run.queries[q], run.documents[d], s) for q, d, s in rows]
    judgements = zip(qrels.queries, qrels.documents, qrels.grades.tolist(), strict=True)
    wanted = [ir_measures.Qrel(q, d, g) for q, d, g in judgements]
    found: dict[str, dict[str, float]] = {name: {} for name in NAMES}
    of_name = {str(ir_measures.parse_measure(theirs)): ours for ours, theirs in NAMES.items()}
    for metric in ir_measures.iter_calc([ir_measures.parse_measure(name) for name in NAMES.values()], wanted, scored):
        found[of_name[str(metric.measure)]][metric.query_id] = metric.value
    return found


@settings(max_examples=120, deadline=None)
@given(scored_sets(), st.integers(0, 2**32 - 1))
def test_figures_are_those_of_ir_measures_with_its_order_of_ties(drawn, seed):
    benchmark, scores = drawn
    # A run that leaves out passages, sometimes all of a query.
    kept = np.random.default_rng(seed).random(scores.shape) < 0.7
    against = judged(benchmark)
    kept[int(against.ids[0][1:]), 0] = True
    run = run_of(scores, kept)
    result = evaluate_run(run, against, extra=EXTRA, ties="trec")
    theirs = by_ir_measures(run, against.qrels)
    for name in NAMES:
        expected = [theirs[name].get(identifier, 0.0) for identifier in against.ids]
        np.testing.assert_allclose(result.queries[name], expected, atol=1e-6, err_msg=name)
    whole = result.queries["mrr"]
    for k in (2, 10, 100):
        np.testing.assert_array_equal(result.queries[f"mrr@{k}"], np.where(whole >= 1 / k, whole, 0))


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 6))
def test_ties_are_expectations_over_all_orders(seed, size):
    rng = np.random.default_rng(seed)
    scores = rng.integers(0, 3, (1, size)).astype(np.float32)
    grades = rng.integers(0, 3, size)
    assume(grades.any())
    benchmark = make_set([0], [0] * size, [(0, p, int(g)) for p, g in enumerate(grades)], languages=1)
    ours = evaluate_run(run_of(scores), judged(benchmark), extra=EXTRA).queries
    orders = [order for order in permutations(range(size)) if (np.diff(scores[0, list(order)]) <= 0).all()]
    for name in ("ndcg@10", "r@3", "mrr@10", "map"):
        values = []
        for order in orders:
            ranked = np.empty((1, size), np.float32)
            ranked[0, list(order)] = np.arange(size, 0, -1)
            values.append(evaluate_run(run_of(ranked), judged(benchmark), extra=EXTRA).queries[name][0])
        assert ours[name][0] == pytest.approx(np.mean(values))


@settings(max_examples=40, deadline=None)
@given(scored_sets())
def test_a_whole_run_has_the_figures_of_the_whole_pool(drawn):
    benchmark, scores = drawn
    outcome = evaluate_run(run_of(scores), judged(benchmark))
    whole = evaluate_scores(lambda rows: scores[rows], benchmark, settings=("multi",), extra=("ndcg@10", "r@100"))
    for name in ("ndcg@10", "r@100", "map"):
        assert outcome.summary["ranked"][name] == pytest.approx(whole.summary["multi"][name])
        assert outcome.summary["micro"]["ranked"][name] == pytest.approx(whole.summary["micro"]["multi"][name])
    for code, cell in outcome.by_language["ranked"].items():
        assert cell["map"] == pytest.approx(whole.by_language["multi"][code]["map"])
    both = join(whole, outcome)
    assert both.summary["multi"] == whole.summary["multi"]
    assert both.summary["ranked"] == outcome.summary["ranked"]
    assert both.summary["micro"].keys() >= {"multi", "ranked"}
    lengths = {len(column) for column in both.queries.values()}
    assert lengths == {len(whole.queries["query_id"]) + len(outcome.queries["query_id"])}


def test_a_query_without_results_scores_nothing_and_is_counted():
    benchmark = make_set([0, 0, 2], [0, 0, 2], [(0, 0, 1), (1, 1, 1), (2, 2, 1), (2, 0, 0)])
    run = runs.build(
        ["q0", "q9"], ["p0", "elsewhere"], np.array([0, 0, 1]), np.array([0, 1, 1]), np.array([1.0, 2.0, 1.0])
    )
    found = evaluate_run(run, judged(benchmark))
    assert found.queries["mrr@10"].tolist() == [0.5, 0, 0]
    assert found.summary["ranked"]["mrr@10"] == pytest.approx((0.25 + 0) / 2)  # over languages
    assert found.summary["micro"]["ranked"]["mrr@10"] == pytest.approx(0.5 / 3)
    assert found.by_language["queries"] == {"de": 2, "el": 0, "en": 1}
    assert list(found.by_language["ranked"]) == ["de", "en"]
    notes = found.summary["notes"]
    assert "2 judged queries have no results; they score 0 (first: q1)" in notes
    assert "1 queries of the run have no relevant document in the judgements; left out (first: q9)" in notes
    assert "2 queries have fewer than 3 results" in notes
    strange = (
        "2 results name passages that the benchmark does not have (first: elsewhere); they keep their ranks and "
        "count as not relevant"
    )
    assert strange in notes
    assert found.summary["counts"] == {"queries": 3, "ties": 0, "results": 3, "passages": 3}
    assert found.summary["candidate_text"] == "sentence"


def test_runs_of_other_data_are_refused():
    benchmark = make_set([0], [0, 0], [(0, 0, 1)])
    other = runs.build(["x"], ["p0"], np.array([0]), np.array([0]), np.array([1.0]))
    with pytest.raises(InputError, match=r"share no query: \['x'\] against \['q0'\]"):
        evaluate_run(other, judged(benchmark))
    other = runs.build(["q0"], ["x"], np.array([0]), np.array([0]), np.array([1.0]))
    with pytest.raises(
        InputError, match="none of the run's documents is in the benchmark, the first is 'x', not like 'p0'"
    ):
        evaluate_run(other, judged(benchmark))
    with pytest.raises(InputError, match="no measure 'ndgc@10'"):
        evaluate_run(run_of(np.ones((1, 2), np.float32)), judged(benchmark), extra=("ndgc@10",))
    with pytest.raises(InputError, match="'expected' or 'trec'"):
        evaluate_run(run_of(np.ones((1, 2), np.float32)), judged(benchmark), ties="docno")


def test_queries_without_a_relevant_passage_are_not_judged():
    benchmark = make_set([0, 0, 1], [0, 1], [(0, 0, 1), (1, 0, 0), (2, 1, 3)])
    against = judged(benchmark)
    assert against.ids == ["q0", "q2"]
    assert (against.qrels.queries, against.qrels.documents, against.qrels.grades.tolist()) == (
        ["q0", "q2"],
        ["p0", "p1"],
        [1, 3],
    )
    assert judged(replace(benchmark, candidate_text="")).notes == ()
