"""Measures of bias as they stand in results: the top of each ranking, macro averages, subsets of languages, and what is
left out."""

from __future__ import annotations

import json
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from scipy import stats

from tests.evaluate.evaluation_sets import make_set, scored_sets
from triglot.evaluate import evaluate_embeddings, evaluate_scores, write_results
from triglot.evaluate.bias.summary import restricted
from triglot.evaluate.counts import count_scores
from triglot.evaluate.tables import tabulate
from triglot.files import InputError
from triglot.measures import reported


def parallel(groups: int = 12, languages: int = 3, seed: int = 0):
    """A set with one answer a language for each query, and vectors."""
    lang = [i % languages for i in range(groups * languages)]
    judged = [
        (g * languages + a, g * languages + b, 1)
        for g in range(groups)
        for a in range(languages)
        for b in range(languages)
    ]
    rng = np.random.default_rng(seed)
    queries, passages = (rng.normal(size=(len(lang), 6)).astype(np.float32) for _ in range(2))
    made = make_set(lang, lang, judged, languages=languages)
    group = np.array([i // languages for i in range(len(lang))], np.int32)
    return replace(made, queries=replace(made.queries, group=group)), queries, passages


@settings(max_examples=60, deadline=None)
@given(scored_sets())
def test_the_top_holds_the_highest_scores_and_no_passage_twice(drawn) -> None:
    benchmark, scores = drawn
    k = min(3, len(benchmark.passages))
    counts = count_scores(lambda rows: scores[rows], benchmark, threads=1, top=3)
    judged = np.unique(benchmark.judgements[benchmark.judgements[:, 2] > 0, 0])
    assert counts.top.shape == (len(benchmark.queries), k)
    for query in range(len(benchmark.queries)):
        if query not in judged:
            assert (counts.top[query] == -1).all()
            continue
        assert len(set(counts.top[query].tolist())) == k
        np.testing.assert_array_equal(scores[query, counts.top[query]], np.sort(scores[query])[::-1][:k])


def test_ties_at_the_cut_are_broken_without_regard_to_language() -> None:
    size = 3000
    benchmark = make_set([0] * size, [0] * 20 + [1] * 20, [(q, 0, 1) for q in range(size)])
    counts = count_scores(lambda rows: np.zeros((len(rows), 40), np.float32), benchmark, top=10)
    share = (benchmark.passages.lang[counts.top] == 0).mean()
    assert share == pytest.approx(0.5, abs=0.02)
    assert len({tuple(row) for row in counts.top.tolist()}) > 2900


def test_every_measure_is_there_and_is_the_mean_of_its_column() -> None:
    benchmark, queries, passages = parallel()
    evaluation = evaluate_embeddings(queries, passages, benchmark)
    assert set(evaluation.summary["bias"]) == {one.name for one in reported("bias")}
    table = evaluation.queries
    for name in (one.name for one in reported("bias")):
        values, lang = table[name], table["query_lang"]
        known = ~np.isnan(values)
        assert (table["setting"][known] == "multi").all()
        macro = np.mean([values[known & (lang == code)].mean() for code in benchmark.languages])
        assert evaluation.summary["bias"][name] == pytest.approx(macro)
        for code in benchmark.languages:
            assert evaluation.by_language["bias"][code][name] == pytest.approx(values[known & (lang == code)].mean())
    for row in evaluation.by_language["shares@10"].values():
        assert sum(row.values()) == pytest.approx(1)
    assert evaluation.summary["bias"]["preference_expected"] == pytest.approx(1 / 3)


def test_a_retriever_that_prefers_its_own_language_shows_it() -> None:
    benchmark, queries, passages = parallel()
    own = np.eye(3, dtype=np.float32)[benchmark.queries.lang]
    fair = evaluate_embeddings(queries, passages, benchmark).summary["bias"]
    biased = evaluate_embeddings(np.hstack([queries, 9 * own]), np.hstack([passages, own]), benchmark).summary["bias"]
    assert biased["same_language@10"] > fair["same_language@10"] + 0.3
    assert biased["entropy@10"] < fair["entropy@10"]
    assert biased["preference_rate"] > 0.9 > fair["preference_rate"]
    assert biased["removal"] > fair["removal"]
    assert biased["mrc@10"] < 0.2


def test_a_subset_is_what_evaluating_it_alone_gives() -> None:
    benchmark, queries, passages = parallel(languages=4)
    codes = [benchmark.languages[i] for i in (2, 0)]
    whole = evaluate_embeddings(queries, passages, benchmark, subsets=[codes, benchmark.languages])
    small = benchmark.restrict(codes)
    rows = [
        np.array([texts.ids.index(i) for i in part.ids])
        for texts, part in ((benchmark.queries, small.queries), (benchmark.passages, small.passages))
    ]
    alone = evaluate_embeddings(queries[rows[0]], passages[rows[1]], small)
    found = whole.summary["subsets"]["+".join(codes)]
    for setting in ("mono", "cross", "multi"):
        assert found[setting] == pytest.approx(alone.summary[setting])
    for name in ("rank_distance", "max_rank", "removal", "preference_rate", "peer@10"):
        assert found["bias"][name] == pytest.approx(alone.summary["bias"][name])
    assert "mrc@10" not in found["bias"]  # needs a deeper ranking than is kept
    assert whole.summary["subsets"]["+".join(benchmark.languages)]["multi"] == pytest.approx(whole.summary["multi"])


@settings(max_examples=40, deadline=None)
@given(scored_sets())
def test_restricted_counts_are_those_of_the_restricted_set(drawn) -> None:
    benchmark, scores = drawn
    spoken = np.unique(benchmark.passages.lang)
    codes = [benchmark.languages[i] for i in spoken[:2]]
    if len(codes) < 2 or not len(benchmark.restrict(codes).queries):
        return
    counts, small = restricted(count_scores(lambda rows: scores[rows], benchmark, threads=1), benchmark, codes)
    q, p = (
        np.array([a.ids.index(i) for i in b.ids])
        for a, b in ((benchmark.queries, small.queries), (benchmark.passages, small.passages))
    )
    alone = evaluate_scores(lambda rows: scores[np.ix_(q[rows], p)], small, threads=1)
    assert tabulate(counts, small).summary["multi"] == pytest.approx(alone.summary["multi"])


def test_bad_subsets() -> None:
    benchmark, queries, passages = parallel()
    for codes in (["xx", benchmark.languages[0]], [benchmark.languages[0]], [benchmark.languages[0]] * 2):
        with pytest.raises(InputError):
            evaluate_embeddings(queries, passages, benchmark, subsets=[codes])


def test_results_are_json_and_notes_tell_of_the_constant_test(tmp_path) -> None:
    benchmark, queries, passages = parallel()
    evaluation = evaluate_embeddings(queries, passages, benchmark, subsets=[benchmark.languages[:2]])
    found = json.loads(write_results(tmp_path, {"toy": evaluation}, model="m").read_text())["benchmarks"]["toy"]
    assert found["bias"] == evaluation.summary["bias"]
    assert any("constant whatever the ranking" in note for note in found["notes"])
    assert not evaluate_embeddings(queries, passages, benchmark, bias=False).summary["bias"].keys() - {
        "rank_distance",
        "max_rank",
        "complete@10",
    }


def test_a_measure_with_another_cut_off_looks_that_deep() -> None:
    """Shares, agreement, PEER, Complete and TLR at cut-offs that the table does not have, against sorted scores."""
    benchmark, queries, passages = parallel()
    asked = ["same_language@20", "mrc@15", "peer@20", "complete@30", "tlr@5"]
    bias = evaluate_embeddings(queries, passages, benchmark, extra=asked).summary["bias"]
    assert set(asked) <= set(bias)
    order = np.argsort(-(queries @ passages.T), axis=1)
    rank = np.argsort(order, axis=1) + 1
    lang, group = benchmark.passages.lang, benchmark.queries.group
    same = lang[order[:, :20]] == benchmark.queries.lang[:, None]
    assert bias["same_language@20"] == pytest.approx(same.mean())
    answers = np.array([rank[row][group == group[row]] for row in range(len(rank))])
    assert bias["complete@30"] == pytest.approx((answers.max(axis=1) <= 30).mean())
    other = np.array([rank[row][(group == group[row]) & (lang != lang[row])] for row in range(len(rank))])
    assert bias["tlr@5"] == pytest.approx((other <= 5).mean())
    assert bias["mrc@15"] == pytest.approx(_mean_correlation(rank, benchmark, 15))
    cut = np.where(answers <= 20, answers, 21)
    p = [1.0 if len(set(row)) == 1 else stats.kruskal(*([one] for one in row)).pvalue for row in cut.tolist()]
    assert bias["peer@20"] == pytest.approx(np.mean(p))


def _mean_correlation(rank: np.ndarray, benchmark, k: int) -> float:
    """MRC@k by scipy: ranks beyond k tie."""
    cut = np.where(rank <= k, rank, k + 1)
    group, lang = benchmark.queries.group, benchmark.queries.lang
    found = []
    for one in range(len(cut)):
        others = [two for two in range(len(cut)) if group[one] == group[two] and lang[one] != lang[two]]
        found.append(np.mean([stats.spearmanr(cut[one], cut[two]).statistic for two in others]))
    return float(np.mean(found))
