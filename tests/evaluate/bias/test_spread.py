"""Bias from the count table: hand-made lists, removed passages counted again, scipy's Kruskal-Wallis, subsets of
languages."""

from __future__ import annotations

import itertools
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.evaluate.evaluation_sets import make_set, scored_sets
from triglot.evaluate import count_scores, tabulate
from triglot.evaluate.bias.spread import (
    foreign_recall,
    kruskal_wallis,
    peer,
    preference_rate,
    rank_spread,
    removal_test,
)
from triglot.files import InputError


def counted(benchmark, scores, **options):
    return count_scores(lambda rows: np.asarray(scores, np.float32)[rows], benchmark, threads=1, **options)


def relevant(benchmark):
    """The relevant passages of each query, with their grades."""
    found = [[] for _ in range(len(benchmark.queries))]
    for query, passage, grade in benchmark.judgements.tolist():
        if grade > 0:
            found[query].append((passage, grade))
    return found


def average_precision_without(benchmark, scores, query, gone):
    """AP of one query after passages were really taken out of pool and labels, by the evaluator itself."""
    stay = [p for p in range(len(benchmark.passages)) if p not in gone]
    judged = [(0, stay.index(p), g) for p, g in relevant(benchmark)[query] if p not in gone]
    smaller = make_set(
        [int(benchmark.queries.lang[query])], benchmark.passages.lang[stay].tolist(), judged, languages=4
    )
    evaluation = tabulate(counted(smaller, scores[query : query + 1, stay]), smaller, settings=["multi"])
    return evaluation.rows["map"][0]


# One German query; its answers are German (first), Greek (third) and English (fourth), with a Greek distractor second.
HAND = make_set([0], [0, 1, 1, 2], [(0, 0, 1), (0, 2, 1), (0, 3, 1)])
HAND_SCORES = np.array([[4, 3, 2, 1]], np.float32)


def test_a_list_by_hand():
    counts = counted(HAND, HAND_SCORES)
    test = removal_test(counts, HAND)
    assert test.complete.macro == pytest.approx((1 / 1 + 2 / 3 + 3 / 4) / 3)
    assert test.without_same.macro == pytest.approx((1 / 2 + 2 / 3) / 2)
    assert test.without_other.macro == pytest.approx((1 / 1 + 2 / 3) / 2)
    assert test.difference.macro == pytest.approx(5 / 6 - 7 / 12)
    spread = rank_spread(counts, HAND)
    assert (spread.rank_distance.macro, spread.max_rank.macro) == (3.0, 4.0)
    rate = preference_rate(counts, HAND)
    assert (rate.rate.macro, rate.expected.macro) == (1.0, pytest.approx(1 / 3))
    # without Greek the list is de, en
    spread = rank_spread(counts, HAND, ["en", "de"])
    assert spread.languages == ("en", "de")
    assert spread.rank_distance.by_language.tolist()[1] == 1.0
    assert np.isnan(spread.rank_distance.by_language[0])
    assert preference_rate(counts, HAND, ["en", "de"]).expected.macro == 0.5


def test_a_ranking_that_treats_languages_alike_has_no_difference():
    tied = np.zeros((3, 12), np.float32)
    benchmark = make_set([0, 1, 2], [0, 1, 2] * 4, [(q, 3 * q + lang, 1) for q in range(3) for lang in range(3)])
    counts = counted(benchmark, tied)
    assert removal_test(counts, benchmark).difference.macro == pytest.approx(0, abs=1e-12)
    rate = preference_rate(counts, benchmark)
    assert rate.rate.macro == pytest.approx(1 / 3)
    assert rate.rate.by_language == pytest.approx(rate.expected.by_language)


@settings(max_examples=40, deadline=None)
@given(scored_sets())
def test_removal_equals_removing_passages_and_evaluating_again(drawn):
    benchmark, scores = drawn
    test = removal_test(counted(benchmark, scores), benchmark)
    lang = benchmark.passages.lang
    for query, answers in enumerate(relevant(benchmark)):
        own = int(benchmark.queries.lang[query])
        by_lang = {key: [p for p, _ in answers if lang[p] == key] for key in {int(lang[p]) for p, _ in answers}}
        figures = (test.complete, test.without_same, test.without_other, test.difference)
        got = [figure.by_query[query] for figure in figures]
        if own not in by_lang or len(by_lang) < 2:
            assert np.isnan(got).all()
            continue
        without = {key: average_precision_without(benchmark, scores, query, gone) for key, gone in by_lang.items()}
        other = np.mean([value for key, value in without.items() if key != own])
        whole = average_precision_without(benchmark, scores, query, [])
        assert got == pytest.approx([whole, without[own], other, other - without[own]])


@settings(max_examples=40, deadline=None)
@given(scored_sets())
def test_removal_under_the_order_of_trec(drawn):
    benchmark, scores = drawn
    ids = [i.encode() for i in benchmark.passages.ids]
    # No ties.
    strict = np.array([np.argsort(sorted(range(len(ids)), key=lambda p: (row[p], ids[p]))) for row in scores])
    ours, theirs = (
        removal_test(c, benchmark) for c in (counted(benchmark, scores, ties="trec"), counted(benchmark, strict))
    )
    assert ours.without_other.by_query == pytest.approx(theirs.without_other.by_query, nan_ok=True)
    assert ours.without_same.by_query == pytest.approx(theirs.without_same.by_query, nan_ok=True)


@settings(max_examples=60, deadline=None)
@given(scored_sets())
def test_preference_rate_over_every_order_of_the_best_block(drawn):
    benchmark, scores = drawn
    rate = preference_rate(counted(benchmark, scores), benchmark)
    lang, left_out = benchmark.passages.lang, 0
    for query, answers in enumerate(relevant(benchmark)):
        own = [lang[p] == benchmark.queries.lang[query] for p, _ in answers]
        if not any(own) or all(own):
            left_out += 1
            assert np.isnan(rate.rate.by_query[query])
            continue
        best = max(scores[query, p] for p, _ in answers)
        block = [mine for (p, _), mine in zip(answers, own) if scores[query, p] == best]
        first = (
            [order[0] for order in itertools.islice(itertools.permutations(block), 5040)] if len(block) < 7 else block
        )
        assert rate.rate.by_query[query] == pytest.approx(np.mean(first))
        assert rate.expected.by_query[query] == pytest.approx(np.mean(own))
    assert rate.rate.left_out == left_out


@settings(max_examples=60, deadline=None)
@given(scored_sets())
def test_rank_spread_is_that_of_the_evaluation(drawn):
    benchmark, scores = drawn
    counts = counted(benchmark, scores)
    spread, summary = rank_spread(counts, benchmark), tabulate(counts, benchmark).summary
    expected = summary.get("bias", {"rank_distance": np.nan, "max_rank": np.nan})
    assert spread.rank_distance.macro == pytest.approx(expected["rank_distance"], nan_ok=True)
    assert spread.max_rank.macro == pytest.approx(expected["max_rank"], nan_ok=True)


@pytest.mark.slow
@settings(max_examples=40, deadline=None)
@given(scored_sets(), st.data())
def test_a_subset_is_the_restricted_set(drawn, data):
    benchmark, scores = drawn
    codes = data.draw(st.lists(st.sampled_from(benchmark.languages), min_size=1, unique=True))
    smaller = benchmark.restrict(codes)
    assume((smaller.judgements[:, 2] > 0).any())
    rows = [benchmark.queries.ids.index(i) for i in smaller.queries.ids]
    columns = [benchmark.passages.ids.index(i) for i in smaller.passages.ids]
    whole, part = counted(benchmark, scores), counted(smaller, scores[np.ix_(rows, columns)])
    for function, name in (
        (rank_spread, "rank_distance"),
        (rank_spread, "max_rank"),
        (removal_test, "difference"),
        (preference_rate, "rate"),
        (peer, "peer"),
    ):
        ours, theirs = getattr(function(whole, benchmark, codes), name), getattr(function(part, smaller), name)
        assert ours.by_language == pytest.approx(theirs.by_language, nan_ok=True)
        assert ours.queries.tolist() == theirs.queries.tolist()
        assert ours.macro == pytest.approx(theirs.macro, nan_ok=True)
        assert ours.by_query[rows] == pytest.approx(theirs.by_query, nan_ok=True)


def naive_peer(benchmark, scores, k, weights):
    """Per query, straight from the definition, with scipy's test."""
    out = []
    for query, answers in enumerate(relevant(benchmark)):
        sums = []
        for grade in sorted({g for _, g in answers}):
            groups = {}
            for p, g in answers:
                if g == grade:
                    above = sum(scores[query] > scores[query, p])
                    rank = above + (sum(scores[query] == scores[query, p]) + 1) / 2
                    rank = 10**6 if k is not None and rank > k else rank
                    groups.setdefault(int(benchmark.passages.lang[p]), []).append(rank)
            if len(groups) > 1 and weights.get(grade, 0) > 0:
                values = [value for group in groups.values() for value in group]
                p_value = 1.0 if len(set(values)) == 1 else stats.kruskal(*groups.values()).pvalue
                sums.append((weights[grade], p_value))
        out.append(sum(w * p for w, p in sums) / sum(w for w, _ in sums) if sums else np.nan)
    return out


@pytest.mark.slow
@settings(max_examples=60, deadline=None)
@given(scored_sets(), st.sampled_from([None, 1, 3, 8]), st.sampled_from([None, {1: 1.0, 2: 3.0}, {2: 0.5}]))
def test_peer_equals_scipy(drawn, k, weights):
    benchmark, scores = drawn
    result = peer(counted(benchmark, scores), benchmark, k=k, weights=weights)
    assert result.peer.by_query == pytest.approx(naive_peer(benchmark, scores, k, weights or {1: 1, 2: 1}), nan_ok=True)
    assert result.peer.left_out == int(np.isnan(result.peer.by_query).sum())


def test_a_block_across_the_cut_off_counts_by_its_middle():
    # German answers at rank 1 and in a tie over ranks 2 to 5, Greek ones at 6 and 7
    benchmark = make_set([2], [0, 0, 2, 2, 2, 1, 1], [(0, p, 1) for p in (0, 1, 5, 6)])
    counts = counted(benchmark, [[9, 8, 8, 8, 8, 7, 6]])
    assert peer(counts, benchmark, k=3).peer.macro == pytest.approx(stats.kruskal([1, 9], [9, 9]).pvalue)
    assert peer(counts, benchmark, k=4).peer.macro == pytest.approx(stats.kruskal([1, 3.5], [9, 9]).pvalue)


def test_many_tests_at_once_equal_scipy_one_by_one():
    rng = np.random.default_rng(0)
    cell = rng.integers(0, 50, 2000)
    group, value = rng.integers(0, 5, 2000), rng.integers(0, 30, 2000).astype(float)
    p, groups, number = kruskal_wallis(cell, group, value, cells=51)
    for c in range(50):
        parts = [value[(cell == c) & (group == g)] for g in np.unique(group[cell == c])]
        assert (groups[c], number[c]) == (len(parts), sum(map(len, parts)))
        assert p[c] == pytest.approx(stats.kruskal(*parts).pvalue)
    assert np.isnan(p[50])
    assert (groups[50], number[50]) == (0, 0)


def eleven(answers_a_language=1, pool=8):
    """Eleven languages, parallel answers in each."""
    languages = 11
    lang = np.tile(np.arange(languages), pool)
    judged = [
        (q, a * languages + i, 1) for q in range(languages) for a in range(answers_a_language) for i in range(languages)
    ]
    benchmark = make_set(list(range(languages)), lang.tolist(), judged, languages=4)
    return replace(benchmark, languages=tuple(f"l{i:02}" for i in range(languages)))


@pytest.mark.parametrize("levels", [1000, 5])
def test_peer_is_constant_with_one_answer_a_language_and_says_so(levels):
    benchmark = eleven()
    scores = np.random.default_rng(levels).integers(0, levels, (11, 88)).astype(np.float32)
    result = peer(counted(benchmark, scores), benchmark)
    assert result.peer.by_language.round(4).tolist() == [0.4405] * 11
    assert round(result.peer.macro, 4) == 0.4405
    assert (result.tests, result.constant) == (11, 11)
    assert result.notes == (
        "11 of 11 PEER tests have one relevant passage a language: their p-value is constant whatever the ranking "
        "(0.4405 for 11 languages; 1 where they all tie)",
    )
    nothing = scores.copy()
    nothing[:, :11] -= levels  # no answer within the first 20
    assert peer(counted(benchmark, nothing), benchmark, k=20).peer.macro == 1.0


def test_peer_tells_fair_from_unfair_with_several_answers_a_language():
    benchmark = eleven(answers_a_language=6)
    rng = np.random.default_rng(1)
    fair = rng.standard_normal((11, 88)).astype(np.float32)
    unfair = fair + 10 * benchmark.passages.lang
    results = [peer(counted(benchmark, scores), benchmark) for scores in (fair, unfair)]
    assert [result.notes for result in results] == [(), ()]
    assert results[0].peer.macro > 0.2
    assert results[1].peer.macro < 1e-5


def test_bad_input():
    counts = counted(HAND, HAND_SCORES)
    with pytest.raises(InputError, match="no language 'ell'"):
        removal_test(counts, HAND, ["de", "ell"])
    for codes in ([], ["de", "de"]):
        with pytest.raises(InputError, match="each once"):
            peer(counts, HAND, codes)
    with pytest.raises(InputError, match="k is 0"):
        peer(counts, HAND, k=0)
    for weights in ({1: -1.0, 2: 1.0}, {0: 1.0}, {1: 0.0}, {1: float("nan")}, {}):
        with pytest.raises(InputError, match="weights of grades"):
            peer(counts, HAND, weights=weights)
    with pytest.raises(InputError, match=r"has \(1, 3\) pairs and languages; bias needs all \(3, 3\)"):
        peer(counted(HAND, HAND_SCORES, pairs=np.array([0])), HAND)
    apart = replace(HAND, parallel=False)
    for function in (rank_spread, removal_test, preference_rate):
        with pytest.raises(InputError, match="does not apply"):
            function(counts, apart)
    assert peer(counts, apart).tests == 1


def test_a_language_without_queries_and_a_set_without_answers():
    counts = counted(HAND, HAND_SCORES)
    test = removal_test(counts, HAND)
    assert test.difference.queries.tolist() == [1, 0, 0]
    assert np.isnan(test.difference.by_language[1:]).all()
    for figure in (
        removal_test(counts, HAND, ["en"]).difference,
        peer(counts, HAND, ["en"]).peer,
        preference_rate(counts, HAND, ["en"]).rate,
    ):
        assert np.isnan(figure.macro)
        assert figure.left_out == 0  # the query is German
    assert removal_test(counts, HAND, ["de"]).difference.left_out == 1


@settings(max_examples=60, deadline=None)
@given(scored_sets(), st.integers(1, 8))
def test_recall_of_answers_in_other_languages_is_a_mean_over_all_orders_of_ties(drawn, k) -> None:
    """Against ranking one query after another, with the ties drawn in every order of a small group or by formula."""
    benchmark, scores = drawn
    found = foreign_recall(counted(benchmark, scores), benchmark, k=k)
    for query, answers in enumerate(relevant(benchmark)):
        own = benchmark.queries.lang[query]
        wanted = [p for p, _ in answers if benchmark.passages.lang[p] != own]
        if not wanted:
            assert np.isnan(found.by_query[query])
            continue
        chances = []
        for passage in wanted:
            above = int((scores[query] > scores[query, passage]).sum())
            places = range(above + 1, above + 1 + int((scores[query] == scores[query, passage]).sum()))
            chances.append(np.mean([place <= k for place in places]))
        assert found.by_query[query] == pytest.approx(np.mean(chances))


def test_recall_of_answers_in_other_languages_by_hand() -> None:
    assert [foreign_recall(counted(HAND, HAND_SCORES), HAND, k=k).macro for k in (1, 3, 4)] == [0.0, 0.5, 1.0]
    lost = replace(HAND, absent=make_set([0], [0, 1], [], absent=[(0, 3, 1), (0, 0, 1)], languages=4).absent)
    lost = replace(lost, languages=("de", "el", "en", "th"))
    assert foreign_recall(counted(lost, HAND_SCORES), lost, k=4).macro == pytest.approx(2 / 3)
    with pytest.raises(InputError, match="k is 0"):
        foreign_recall(counted(HAND, HAND_SCORES), HAND, k=0)
