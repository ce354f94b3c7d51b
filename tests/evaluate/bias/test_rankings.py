"""Languages of the top k and agreement of parallel queries: hand-made lists and naive loops with scipy's Spearman."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from tests.evaluate.evaluation_sets import make_set
from triglot.evaluate.bias import rankings
from triglot.evaluate.bias.spread import language_shares, rank_correlation
from triglot.files import InputError
from triglot.topk import top_k


@st.composite
def ranked_sets(draw):
    """A set with parallel queries and a ranking of uneven length for each."""
    languages = draw(st.integers(1, 4))
    lang = st.integers(0, languages - 1)
    query_lang = draw(st.lists(lang, min_size=1, max_size=8))
    passage_lang = draw(st.lists(lang, min_size=1, max_size=15))
    benchmark = make_set(query_lang, passage_lang, [(0, 0, 1)], languages=languages)
    group = draw(st.lists(st.integers(-1, 2), min_size=len(query_lang), max_size=len(query_lang)))
    benchmark = replace(benchmark, queries=replace(benchmark.queries, group=np.array(group, np.int32)))
    rng = np.random.default_rng(draw(st.integers(0, 2**32 - 1)))
    ranking = np.array([rng.permutation(len(passage_lang)) for _ in query_lang])
    if draw(st.booleans()):
        length = rng.integers(0, len(passage_lang) + 1, len(query_lang))
        ranking[np.arange(len(passage_lang)) >= length[:, None]] = -1
    codes = draw(st.none() | st.lists(st.sampled_from(benchmark.languages), min_size=1, unique=True))
    return benchmark, ranking, codes, draw(st.integers(1, 16))


def naive_top(benchmark, ranking, codes, k):
    """The first k passages in the languages asked for; None for a query in another."""
    inside = set(codes or benchmark.languages)
    speaks = [benchmark.languages[i] for i in benchmark.queries.lang]
    written = [benchmark.languages[i] for i in benchmark.passages.lang]
    rows = [[p for p in row if p >= 0 and written[p] in inside][:k] for row in ranking.tolist()]
    pool = [p for p in range(len(written)) if written[p] in inside]
    return [row if lang in inside else None for row, lang in zip(rows, speaks)], speaks, written, pool


def test_shares_by_hand():
    # the German query finds de de en, the English one en el de; half of the pool is German
    benchmark = make_set([0, 2], [0, 0, 0, 1, 2, 2], [(0, 0, 1), (1, 4, 1)])
    ranking = np.array([[0, 1, 4, 3], [5, 3, 2, 0]])
    shares = language_shares(ranking, benchmark, k=3)
    assert shares.pool.tolist() == pytest.approx([1 / 2, 1 / 6, 1 / 3])
    assert shares.matrix[[0, 2]] == pytest.approx(np.array([[2 / 3, 0, 1 / 3], [1 / 3, 1 / 3, 1 / 3]]))
    assert np.isnan(shares.matrix[1]).all()
    assert shares.same.by_query.tolist() == pytest.approx([2 / 3, 1 / 3])
    assert shares.expected.macro == pytest.approx((1 / 2 + 1 / 3) / 2)
    german = -(2 / 3 * np.log(2 / 3) + 1 / 3 * np.log(1 / 3)) / np.log(3)
    assert shares.entropy.by_query.tolist() == pytest.approx([german, 1.0])
    assert shares.short == 0
    # without English: de de el, and the ranking was cut off before the third German passage
    shares = language_shares(ranking, benchmark, ["de", "el"], k=4)
    assert shares.matrix[0] == pytest.approx([2 / 3, 1 / 3])
    assert shares.pool == pytest.approx([3 / 4, 1 / 4])
    assert (shares.short, shares.same.queries.tolist()) == (1, [1, 0])


@settings(max_examples=80, deadline=None)
@given(ranked_sets())
def test_shares_equal_a_double_loop(drawn):
    benchmark, ranking, codes, k = drawn
    shares = language_shares(ranking, benchmark, codes, k=k)
    tops, speaks, written, pool = naive_top(benchmark, ranking, codes, k)
    names = codes or list(benchmark.languages)
    assert shares.short == sum(top is not None and len(top) < min(k, len(pool)) for top in tops)
    for i, one in enumerate(names):
        rows = [top for top, lang in zip(tops, speaks) if top and lang == one]
        assert shares.same.queries[i] == len(rows)
        expected = [
            np.mean([np.mean([written[p] == two for p in row]) for row in rows]) if rows else np.nan for two in names
        ]
        assert shares.matrix[i] == pytest.approx(expected, nan_ok=True)
        assert shares.same.by_language[i] == pytest.approx(expected[i], nan_ok=True)
    spoken = len({written[p] for p in pool})
    for query, top in enumerate(tops):
        if top and spoken > 1:
            numbers = np.array([sum(written[p] == name for p in top) for name in names])
            assert shares.entropy.by_query[query] == pytest.approx(stats.entropy(numbers) / np.log(spoken))
        else:
            assert np.isnan(shares.entropy.by_query[query])


def naive_correlation(one, two, candidates):
    """Spearman over the candidates, what a list does not hold tied after it; None if ranks do not vary."""
    ranks = [[row.index(p) if p in row else 10**6 for p in candidates] for row in (one, two)]
    if min(len(set(r)) for r in ranks) < 2:
        return 1.0 if one == two else None
    return stats.spearmanr(*ranks).statistic


@settings(max_examples=80, deadline=None)
@given(ranked_sets(), st.sampled_from(["pool", "union"]))
def test_rank_correlation_equals_scipy_pair_by_pair(drawn, candidates):
    benchmark, ranking, codes, k = drawn
    result = rank_correlation(ranking, benchmark, codes, k=k, candidates=candidates)
    tops, speaks, _, pool = naive_top(benchmark, ranking, codes, k)
    names, group = codes or list(benchmark.languages), benchmark.queries.group.tolist()
    cells = {}
    for a, one in enumerate(tops):
        values = []
        for b, two in enumerate(tops):
            if one and two and group[a] == group[b] >= 0 and speaks[a] != speaks[b]:
                value = naive_correlation(one, two, pool if candidates == "pool" else sorted({*one, *two}))
                if value is not None:
                    values.append(value)
                    cells.setdefault((names.index(speaks[a]), names.index(speaks[b])), []).append(value)
        assert result.correlation.by_query[a] == pytest.approx(np.mean(values) if values else np.nan, nan_ok=True)
    for i in range(len(names)):
        for j in range(len(names)):
            values = cells.get((i, j), [])
            assert result.pairs[i, j] == len(values)
            assert result.matrix[i, j] == pytest.approx(np.mean(values) if values else np.nan, nan_ok=True)


def test_one_candidate_is_ranked_alike():
    benchmark = make_set([0, 1, 2], [0, 0], [(0, 0, 1)])
    benchmark = replace(benchmark, queries=replace(benchmark.queries, group=np.zeros(3, np.int32)))
    result = rank_correlation(np.array([[0, 1], [0, 1], [1, 0]]), benchmark, k=1, candidates="union")
    assert result.correlation.by_query == pytest.approx([0, 0, -1])


def test_the_macro_average_weighs_languages_not_queries():
    benchmark = make_set([0, 0, 0, 1], [0, 1], [(0, 0, 1)])
    shares = language_shares(np.array([[0], [0], [1], [1]]), benchmark, k=1)
    assert shares.same.by_language == pytest.approx([2 / 3, 1, np.nan], nan_ok=True)
    assert shares.same.macro == pytest.approx((2 / 3 + 1) / 2)
    assert shares.same.queries.tolist() == [3, 1, 0]


def test_equal_reversed_and_disjoint_rankings():
    benchmark = make_set([0, 1, 2], [0] * 400, [(0, 0, 1)])
    benchmark = replace(benchmark, queries=replace(benchmark.queries, group=np.zeros(3, np.int32)))
    line = np.arange(400)
    result = rank_correlation(np.array([line, line, line[::-1]]), benchmark, k=400)
    assert result.matrix[0, 1] == pytest.approx(1)
    assert result.matrix[0, 2] == pytest.approx(-1)
    assert result.correlation.by_query == pytest.approx([0, 0, -1])
    assert result.correlation.macro == pytest.approx(-1 / 3)
    apart = np.array([line[:10], line[:10], line[10:20]])
    assert rank_correlation(apart, benchmark, k=10).matrix[0, 2] == pytest.approx(0, abs=0.05)
    assert rank_correlation(apart, benchmark, k=10, candidates="union").matrix[0, 2] < -0.5
    alone = replace(benchmark, queries=replace(benchmark.queries, group=np.arange(3, dtype=np.int32)))
    nothing = rank_correlation(apart, alone, k=10)
    assert (np.isnan(nothing.correlation.macro), nothing.correlation.left_out, int(nothing.pairs.sum())) == (True, 3, 0)


def test_blocks_of_pairs_change_nothing(monkeypatch):
    rng = np.random.default_rng(0)
    benchmark = make_set(rng.integers(0, 4, 60).tolist(), [0, 1, 2, 3] * 5, [(0, 0, 1)], languages=4)
    benchmark = replace(benchmark, queries=replace(benchmark.queries, group=rng.integers(0, 9, 60).astype(np.int32)))
    ranking = np.array([rng.permutation(20) for _ in range(60)])
    whole = rank_correlation(ranking, benchmark, k=5)
    monkeypatch.setattr(rankings, "_BLOCK", 15)
    blocks = rank_correlation(ranking, benchmark, k=5)
    assert blocks.correlation.by_query == pytest.approx(whole.correlation.by_query, nan_ok=True)
    assert blocks.matrix == pytest.approx(whole.matrix, nan_ok=True)
    assert int(blocks.pairs.sum()) == int(whole.pairs.sum()) > 200


def test_the_ranking_of_top_k_fits():
    rng = np.random.default_rng(0)
    benchmark = make_set([0, 1], [0, 1, 2] * 20, [(0, 0, 1)])
    benchmark = replace(benchmark, queries=replace(benchmark.queries, group=np.zeros(2, np.int32)))
    passages, query = rng.standard_normal((60, 8)), rng.standard_normal(8)
    _, ranking = top_k(np.array([query, query]), passages.astype(np.float32), 10)
    assert rank_correlation(ranking, benchmark, k=10).correlation.macro == pytest.approx(1)
    shares = language_shares(ranking, benchmark, k=10)
    assert shares.matrix[:2].sum(1) == pytest.approx([1, 1])


def test_bad_rankings():
    benchmark = make_set([0, 1], [0, 1, 2], [(0, 0, 1)])
    for function in (language_shares, rank_correlation):
        with pytest.raises(InputError, match="k is 0"):
            function(np.zeros((2, 3), np.int64), benchmark, k=0)
        for wrong in (np.zeros((3, 3), np.int64), np.zeros((2, 3)), np.zeros(2, np.int64)):
            with pytest.raises(InputError, match="of passage indices"):
                function(wrong, benchmark, k=1)
        for wrong in ([[0, 1], [3, 2]], [[0, -2], [1, 2]]):
            with pytest.raises(InputError, match="there are 3"):
                function(np.array(wrong), benchmark, k=1)
        with pytest.raises(InputError, match="query 'q1' names a passage twice"):
            function(np.array([[0, 1, -1, -1], [1, -1, 2, 1]]), benchmark, k=1)
        with pytest.raises(InputError, match="no language 'fr'"):
            function(np.array([[0], [1]]), benchmark, ["fr"], k=1)
    with pytest.raises(InputError, match="'pool' or 'union'"):
        rank_correlation(np.array([[0], [1]]), benchmark, k=1, candidates="all")
