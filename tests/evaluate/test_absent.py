"""Relevant passages that the corpus lacks count as not found, and a passage that is the query itself nowhere: against
ir_measures."""

from __future__ import annotations

from dataclasses import replace

import ir_measures
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.evaluate.evaluation_sets import make_set, scored_sets
from triglot.corpus.formats import runs
from triglot.corpus.retrieval import Absent, RetrievalSet
from triglot.evaluate.bias.spread import rank_spread
from triglot.evaluate.bias.summary import restricted
from triglot.evaluate.evaluator import evaluate_scores
from triglot.evaluate.ranked import evaluate_run, judged
from triglot.evaluate.tables import tabulate
from triglot.evaluate.topruns import run_of_scores

MEASURES = {
    "map": ir_measures.AP,
    "mrr": ir_measures.RR,
    "ndcg@10": ir_measures.nDCG @ 10,
    "map@20": ir_measures.AP @ 20,
}


@st.composite
def lacking_sets(draw: st.DrawFn) -> tuple[RetrievalSet, np.ndarray]:
    """A set without ties, with judgements of absent passages and with passages that are queries."""
    benchmark, scores = draw(scored_sets())
    seed = draw(st.integers(0, 2**32 - 1))
    rng = np.random.default_rng(seed)
    scores = rng.permutation(scores.size).reshape(scores.shape).astype(np.float32)
    queries, passages, langs = len(benchmark.queries), len(benchmark.passages), len(benchmark.languages)
    size = draw(st.integers(0, 5))
    rows = np.column_stack([rng.integers(0, queries, size), rng.integers(0, langs, size), rng.integers(0, 3, size)])
    same = np.unique(np.column_stack([rng.integers(0, queries, 3), rng.integers(0, passages, 3)]), axis=0)
    absent = Absent(rows[:, 0], rows[:, 1], rows[:, 2], [f"gone{i}" for i in range(size)])
    return replace(benchmark, absent=absent, same=same), scores


def by_ir_measures(
    benchmark: RetrievalSet, scores: np.ndarray, query: int, lang: int | None
) -> dict[str, float] | None:
    """Figures of one query in the pool of a language (all for None); None where it has no relevant passage there."""
    own = {(q, p) for q, p in benchmark.itself.tolist()}
    inside = [p for p, at in enumerate(benchmark.passages.lang.tolist()) if lang in (None, at)]
    qrels = [
        ir_measures.Qrel("q", f"p{p}", g) for q, p, g in benchmark.judgements.tolist() if q == query and p in inside
    ]
    gone = zip(
        benchmark.absent.query.tolist(),
        benchmark.absent.lang.tolist(),
        benchmark.absent.grade.tolist(),
        benchmark.absent.ids,
    )
    qrels += [ir_measures.Qrel("q", one, g) for q, at, g, one in gone if q == query and lang in (None, at)]
    if not any(one.relevance > 0 for one in qrels):
        return None
    scored = [ir_measures.ScoredDoc("q", f"p{p}", float(scores[query, p])) for p in inside if (query, p) not in own]
    if not scored:
        return dict.fromkeys(MEASURES, 0.0)
    found = ir_measures.calc_aggregate(list(MEASURES.values()), qrels, scored)
    return {name: found[measure] for name, measure in MEASURES.items()}


@pytest.mark.slow
@settings(max_examples=120, deadline=None)
@given(lacking_sets())
def test_every_setting_is_that_of_ir_measures(drawn):
    benchmark, scores = drawn
    table = evaluate_scores(lambda rows: scores[rows], benchmark, extra=["ndcg@10"]).rows
    seen = set()
    for i, (query, setting, lang) in enumerate(
        zip(table["query"], table["setting"], table["passage_lang"], strict=True)
    ):
        theirs = by_ir_measures(benchmark, scores, int(query), None if lang < 0 else int(lang))
        assert theirs is not None
        assert setting == (2 if lang < 0 else int(benchmark.queries.lang[query] != lang))
        assert {name: table[name][i] for name in MEASURES} == pytest.approx(theirs, abs=1e-6)
        seen.add((int(query), int(lang)))
    everywhere = [(q, lang) for q in range(len(benchmark.queries)) for lang in (-1, *range(len(benchmark.languages)))]
    assert seen == {(q, at) for q, at in everywhere if by_ir_measures(benchmark, scores, q, None if at < 0 else at)}


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(lacking_sets())
def test_a_run_has_the_figures_of_the_whole_ranking(drawn):
    benchmark, scores = drawn
    whole = evaluate_scores(lambda rows: scores[rows], benchmark, settings=("multi",), extra=["ndcg@10"])
    if len(benchmark.passages) == 1 and len(np.unique(benchmark.itself[:, 0])) == len(benchmark.queries):
        return  # nothing is left to rank
    run, notes = run_of_scores(lambda rows: scores[rows], benchmark, 50)
    outcome = evaluate_run(run, judged(benchmark))
    for name in ("map", "ndcg@10"):
        assert outcome.summary["ranked"][name] == pytest.approx(whole.summary["multi"][name], abs=1e-6)
    assert bool(notes) == bool(len(benchmark.itself)) == any("itself" in note for note in whole.summary["notes"])


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(lacking_sets())
def test_a_part_of_the_languages_is_as_if_the_rest_were_not_there(drawn):
    benchmark, scores = drawn
    codes = list(benchmark.languages)[: max(1, len(benchmark.languages) - 1)]
    small = benchmark.restrict(codes)
    queries, passages = benchmark.rows_in(codes)
    if not (small.judgements[:, 2] > 0).any():
        return
    counts = evaluate_scores(lambda rows: scores[rows], benchmark).counts
    part, alone = restricted(counts, benchmark, codes)
    fresh = evaluate_scores(lambda rows: scores[queries[rows]][:, passages], small)
    mine = tabulate(part, alone)
    for name in ("query", "setting", "relevant", "map", "rank_distance"):
        np.testing.assert_array_equal(mine.rows[name], fresh.rows[name])


def test_a_query_all_of_whose_passages_are_absent_counts_with_zero():
    benchmark = make_set([0, 0], [0, 0], [(0, 0, 1)], languages=1, absent=[(0, 0, 1), (1, 0, 2), (1, 0, 0)])
    scores = np.array([[2, 1], [1, 2]], np.float32)
    found = evaluate_scores(lambda rows: scores[rows], benchmark)
    assert found.rows["map"].tolist() == [0.5, 0, 0.5, 0]  # mono, multi
    assert found.rows["relevant"].tolist() == [2, 1, 2, 1]
    assert np.isnan(found.rows["rank_distance"]).all()
    assert np.isnan(rank_spread(found.counts, benchmark).rank_distance.by_query).all()
    assert "counted nowhere" not in " ".join(found.summary["notes"])
    against = judged(benchmark)
    assert against.qrels.documents == ["p0", "gone0", "gone1", "gone2"]
    run = runs.build(["q0", "q1"], ["p0", "gone1"], np.array([0, 1]), np.array([0, 1]), np.array([1.0, 1.0]))
    outcome = evaluate_run(run, against)  # a run made over the whole corpus may have found them
    assert outcome.queries["map"].tolist() == [0.5, 1.0]


def test_a_passage_that_is_judged_relevant_is_an_answer_even_to_itself():
    texts = (["one", "two"], ["T one", "two "])
    benchmark = make_set([0, 0], [0, 0], [(0, 0, 1), (1, 0, 1)], passage_ids=["q0", "q1"], texts=texts)
    assert benchmark.itself.tolist() == [[1, 1]]  # by id and text, but for white space; the reader knows titles
    assert replace(benchmark, same=np.array([[0, 0], [1, 1]])).itself.tolist() == [[1, 1]]


def test_a_run_with_the_query_itself_is_measured_as_it_is_and_told():
    benchmark = make_set([0], [0, 0], [(0, 1, 1)], passage_ids=["q0", "p1"], texts=(["one"], ["one", "p"]))
    run = runs.build(["q0"], ["q0", "p1"], np.array([0, 0]), np.array([0, 1]), np.array([2.0, 1.0]))
    outcome = evaluate_run(run, judged(benchmark))
    assert outcome.queries["map"].tolist() == [0.5]
    assert any("1 queries have the passage of their own id in the run" in note for note in outcome.summary["notes"])
