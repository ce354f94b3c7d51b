"""Measures against brute force over every order of the ties, scikit-learn and exact sums."""

from __future__ import annotations

import itertools
import math
from collections.abc import Iterator
from fractions import Fraction

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from sklearn.metrics import average_precision_score, f1_score, ndcg_score

from triglot.measures import ranks
from triglot.measures.classes import f1_shares, macro_f1


def blocks_of(lists: list[tuple[list[int], list[int]]], missing: list[list[int]] | None = None) -> ranks.Blocks:
    """Blocks of queries given as (scores, grades) of their passages; `missing` has grades of passages that were not
    ranked."""
    query, above, tied, grade = [], [], [], []
    for number, (scores, grades) in enumerate(lists):
        for score, value in zip(scores, grades):
            if value > 0:
                query.append(number)
                above.append(sum(other > score for other in scores))
                tied.append(scores.count(score) - 1)
                grade.append(value)
    lost = [(number, value) for number, values in enumerate(missing or []) for value in values]
    return ranks.tie_blocks(
        np.array(query, int),
        np.array(above, int),
        np.array(tied, int),
        queries=len(lists),
        grade=np.array(grade, float),
        missing_query=np.array([number for number, _ in lost], int),
        missing_grade=np.array([value for _, value in lost], float),
    )


def orders(scores: list[int], grades: list[int]) -> Iterator[list[int]]:
    """Grades in rank order, for every order of tied passages (each equally likely)."""
    groups = [[g for s, g in zip(scores, grades) if s == score] for score in sorted(set(scores), reverse=True)]
    for parts in itertools.product(*(itertools.permutations(group) for group in groups)):
        yield [grade for part in parts for grade in part]


def naive(name: str, ranking: list[int], k: int, lost: list[int]) -> float:
    """A measure of one strict ranking, by its definition."""
    ranks = [i for i, grade in enumerate(ranking, 1) if grade > 0]
    total = len(ranks) + len(lost)
    if name == "ap":
        return sum(sum(r <= rank for r in ranks) / rank for rank in ranks if rank <= k) / total
    if name == "rr":
        return 1 / ranks[0] if ranks and ranks[0] <= k else 0.0
    if name == "hit":
        return float(bool(ranks) and ranks[0] <= k)
    if name == "recall":
        return sum(rank <= k for rank in ranks) / total
    if name == "ndcg":
        ideal = sorted([grade for grade in ranking if grade > 0] + lost, reverse=True)
        gain = [sum(g / math.log2(i + 1) for i, g in enumerate(row[:k], 1)) for row in (ranking, ideal)]
        return gain[0] / gain[1]
    if name == "complete":
        return math.nan if total < 2 else float(not lost and ranks[-1] <= k)
    if lost:
        return math.nan
    if name == "max_rank":
        return float(ranks[-1])
    return math.nan if total < 2 else float(ranks[-1] - ranks[0])


PASSAGES = st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=6)


@settings(max_examples=150, deadline=None)
@given(
    st.lists(PASSAGES, min_size=1, max_size=3),
    st.lists(st.lists(st.integers(1, 2), max_size=2), min_size=3, max_size=3),
    st.integers(1, 7),
)
def test_every_measure_is_its_mean_over_all_orders_of_ties(lists, missing, k):
    lists = [([s for s, _ in passages], [g for _, g in passages]) for passages in lists]
    missing = missing[: len(lists)]
    blocks = blocks_of(lists, missing)
    found = {
        ("ap", k): ranks.average_precision(blocks, k),
        ("ap", 99): ranks.average_precision(blocks),
        ("rr", k): ranks.reciprocal_rank(blocks, k),
        ("rr", 99): ranks.reciprocal_rank(blocks),
        ("hit", k): ranks.hit(blocks, k),
        ("recall", k): ranks.recall(blocks, k),
        ("ndcg", k): ranks.ndcg(blocks, k),
        ("ndcg", 99): ranks.ndcg(blocks),
        ("complete", k): ranks.complete(blocks, k),
        ("rank_distance", 99): ranks.rank_distance(blocks),
        ("max_rank", 99): ranks.max_rank(blocks),
    }
    for (name, cut), values in found.items():
        for number, (scores, grades) in enumerate(lists):
            if not any(grades) and (not missing[number] or name in ("rank_distance", "max_rank")):
                assert np.isnan(values[number])
            else:
                expected = np.mean([naive(name, ranking, cut, missing[number]) for ranking in orders(scores, grades)])
                np.testing.assert_allclose(
                    values[number], expected, rtol=1e-12, atol=1e-12, err_msg=f"{name}@{cut} of {scores} {grades}"
                )


@settings(max_examples=50, deadline=None)
@given(st.integers(0, 2**32 - 1), st.integers(1, 40), st.integers(2, 8))
def test_parity_with_scikit_learn(seed, size, levels):
    rng = np.random.default_rng(seed)
    grades = rng.integers(0, 3, size)
    grades[0] = 1
    distinct, tied = rng.permutation(size), rng.integers(0, levels, size)
    blocks = blocks_of([(distinct.tolist(), grades.tolist())])
    assert ranks.average_precision(blocks)[0] == pytest.approx(average_precision_score(grades > 0, distinct))
    if size > 1:
        blocks = blocks_of([(tied.tolist(), grades.tolist())])
        for k in (1, 3, None):
            # It averages over ties, too.
            assert ranks.ndcg(blocks, k)[0] == pytest.approx(ndcg_score([grades], [tied], k=k))


@pytest.mark.parametrize(
    ("start", "count"), [(0, 0), (0, 1), (0, 31), (0, 33), (5, 100), (31, 1), (32, 1), (13_013, 1), (900, 12_000)]
)
def test_harmonic_sums_are_exact(start, count):
    exact = float(sum((Fraction(1, i) for i in range(start + 1, start + count + 1)), Fraction()))
    assert ranks.harmonic(np.array(start), np.array(count)) == pytest.approx(exact, rel=4e-15, abs=1e-300)


def test_a_collapsed_encoder_scores_as_a_random_order():
    n, m = 13_014, 11
    blocks = ranks.tie_blocks(np.zeros(m, int), np.zeros(m, int), np.full(m, n - 1), queries=1)
    j = np.arange(1, n + 1)
    assert ranks.average_precision(blocks)[0] == pytest.approx(
        np.sum((1 + (j - 1) * (m - 1) / (n - 1)) / j) / n, rel=1e-12
    )
    first = [
        math.exp(math.lgamma(n - i + 1) - math.lgamma(n - i - m + 2) + math.lgamma(n - m + 1) - math.lgamma(n + 1)) * m
        for i in range(1, n - m + 2)
    ]
    assert ranks.reciprocal_rank(blocks)[0] == pytest.approx(np.sum(first / j[: n - m + 1]), rel=1e-9)
    assert ranks.hit(blocks, 10)[0] == pytest.approx(1 - math.comb(n - 10, m) / math.comb(n, m))
    assert ranks.rank_distance(blocks)[0] == pytest.approx((m - 1) * (n + 1) / (m + 1))
    assert ranks.max_rank(blocks)[0] == pytest.approx(m * (n + 1) / (m + 1))


def test_rank_distance_of_hand_made_lists():
    blocks = blocks_of([([9, 8, 7, 6, 5], [0, 1, 0, 1, 1]), ([9, 8, 7], [1, 1, 1]), ([3, 2, 1], [0, 0, 1])])
    assert ranks.rank_distance(blocks).tolist()[:2] == [3, 2]
    assert np.isnan(ranks.rank_distance(blocks)[2])
    assert ranks.max_rank(blocks).tolist() == [5, 3, 3]


def test_a_large_block_keeps_its_precision():
    g, n, m = 1_900_000, 100_000, 3
    blocks = ranks.tie_blocks(np.zeros(m, int), np.full(m, g), np.full(m, n - 1), queries=1)
    j = np.arange(1, n + 1, dtype=np.longdouble)
    expected = np.sum((1 + (j - 1) * (m - 1) / (n - 1)) / (g + j)) / n
    assert ranks.average_precision(blocks)[0] == pytest.approx(float(expected), rel=1e-9)


def test_no_query_and_no_relevant_passage():
    empty = np.zeros(0, int)
    blocks = ranks.tie_blocks(empty, empty, empty, queries=2)
    for values in (
        ranks.average_precision(blocks, 5),
        ranks.reciprocal_rank(blocks),
        ranks.hit(blocks, 1),
        ranks.ndcg(blocks, 3),
    ):
        assert np.isnan(values).all()
        assert len(values) == 2


def test_counts_that_contradict_one_another_are_refused():
    with pytest.raises(ValueError, match="must count the other relevant ones"):
        ranks.tie_blocks(np.array([0, 0]), np.array([4, 4]), np.array([0, 0]), queries=1)


def test_macro_f1_is_that_of_scikit_learn() -> None:
    rng = np.random.default_rng(0)
    for classes in (2, 3, 5):
        true, said = rng.integers(0, classes, (2, 20))
        confusion = np.zeros((classes, classes))
        np.add.at(confusion, (true, said), 1)
        assert macro_f1(confusion) == pytest.approx(f1_score(true, said, average="macro"))
    stacked = macro_f1(np.array([[[3, 1], [0, 0]], [[0, 0], [0, 0]]]))
    assert stacked[0] == pytest.approx((6 / 7 + 0) / 2)
    assert np.isnan(stacked[1])


@pytest.mark.slow
def test_shares_of_macro_f1() -> None:
    rng = np.random.default_rng(1)
    cell, label = rng.integers(0, 3, 300), rng.integers(0, 3, 300)
    predicted = np.where(rng.random(300) < 0.6, label, rng.integers(0, 3, 300))
    shares = f1_shares(label, predicted, cell, 4)  # the fourth class does not occur
    for one in range(3):
        rows = np.flatnonzero(cell == one)

        def f1(weight: np.ndarray, rows: np.ndarray = rows) -> float:
            return f1_score(label[rows], predicted[rows], average="macro", sample_weight=weight)

        even = np.ones(len(rows))
        assert shares[rows].mean() == pytest.approx(f1(even))
        for number in range(0, len(rows), 10):
            nudged = even.copy()
            nudged[number] += 1e-5
            assert shares[rows[number]] - shares[rows].mean() == pytest.approx(
                (f1(nudged) - f1(even)) / 1e-5 * len(rows), rel=1e-3, abs=1e-4
            )
        drawn = np.array([f1(rng.multinomial(len(rows), np.full(len(rows), 1 / len(rows)))) for _ in range(400)])
        assert shares[rows].std() / np.sqrt(len(rows)) == pytest.approx(drawn.std(), rel=0.15)
