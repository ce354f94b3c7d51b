"""In which languages rows are shown: each kind is what it says, shares are exact, and every arm has the same
marginals."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import chisquare

from triglot.batches import KINDS, BatchSettings, Rows, describe, off_diagonal, plan_epoch, plan_run
from triglot.batches.languages import Cells, feasible
from triglot.seeds import uniform

ALL = 2**11 - 1


def rows_with(masks: np.ndarray, passage: np.ndarray | None = None) -> Rows:
    masks = np.asarray(masks, np.uint64)
    n = len(masks)
    return Rows(
        np.arange(n, dtype=np.int32) // 2,
        masks,
        masks if passage is None else np.asarray(passage, np.uint64),
        np.zeros(n, np.int16),
    )


def shares(plan) -> tuple[np.ndarray, np.ndarray]:
    """The marginals of query and passage languages, from the plan's own counts."""
    joint = np.zeros((64, 64))
    for (_, x, y), n in describe(plan).items():
        joint[x, y] += n
    return joint.sum(1) / joint.sum(), joint.sum(0) / joint.sum()


ARMS = [
    *[BatchSettings(kind=kind, size=32) for kind in KINDS.names()],
    BatchSettings(kind="xy", by="batch", size=32),
    BatchSettings(kind="hybrid", alpha=0.3, by="batch", size=32),
]


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: f"{arm.kind}-{arm.by}")
def test_equal_shares_within_one_per_cent(arm: BatchSettings):
    for seed in (1, 2, 3):
        for marginal in shares(plan_run(rows_with(np.full(4000, ALL)), arm, steps=2500, seed=seed)):
            np.testing.assert_allclose(marginal[:11], 1 / 11, rtol=0.01)


@pytest.mark.slow
@pytest.mark.parametrize(
    "sampling", [{"language_sampling": "size"}, {"language_sampling": "temperature", "temperature": 2.0}]
)
def test_shares_by_size_agree_between_arms_and_with_the_rows(sampling: dict):
    """Rows in all languages, and more rows in some: p ~ n^(1/T) in each pool, for every arm."""
    masks = np.concatenate([np.full(3000, 0b11111), np.full(2000, 0b00111), np.full(1500, 0b10011)])
    n = np.array([6500, 6500, 5000, 3000, 4500]) ** (1 / sampling.get("temperature", 1))
    expected = np.zeros(5)
    steps_of = {mask: -(-count // 32) for mask, count in ((0b11111, 3000), (0b00111, 2000), (0b10011, 1500))}
    for mask, steps in steps_of.items():
        inside = np.array([mask >> x & 1 for x in range(5)])
        expected += steps / sum(steps_of.values()) * n * inside / (n * inside).sum()
    for arm in ARMS:
        plan = plan_run(rows_with(masks), replace(arm, **sampling), steps=3060, seed=1)  # whole epochs
        assert plan.warnings == []
        for marginal in shares(plan):
            np.testing.assert_allclose(marginal[:5], expected, rtol=0.01)


def test_many_small_groups_have_even_shares_too():
    """Fifty-five groups of one batch each over forty epochs: shares that are even to a step within each group would not
    do."""
    rng = np.random.default_rng(0)
    masks = np.unique([sum(1 << int(x) for x in rng.choice(11, 9, replace=False)) for _ in range(1000)])
    rows = Rows(
        np.arange(len(masks) * 40, dtype=np.int32),
        *[np.repeat(masks, 40).astype(np.uint64)] * 2,
        np.zeros(len(masks) * 40, np.int16),
    )
    for kind, within in (("xx-mixed", 0.05), ("xy", 0.15), ("independent", 0.05)):  # by row, nearly so after one epoch
        for marginal in shares(plan_run(rows, BatchSettings(kind=kind, size=40), steps=len(masks), seed=1)):
            np.testing.assert_allclose(marginal[:11], 1 / 11, rtol=within)
    for arm in (BatchSettings(kind="xx", size=40), BatchSettings(kind="hybrid", size=40)):
        for marginal in shares(plan_run(rows, arm, steps=len(masks) * 40, seed=1)):
            np.testing.assert_allclose(marginal[:11], 1 / 11, rtol=0.01)


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: f"{arm.kind}-{arm.by}")
def test_kinds_are_what_they_say(arm: BatchSettings):
    seen = set()
    for step in plan_run(rows_with(np.full(640, ALL)), replace(arm, size=128), steps=30, seed=4):
        query, passage = step.query_lang, step.passage_lang[:, 0]
        seen.add(step.kind)
        same, languages = query == passage, len(set(query.tolist()))
        if step.kind == "xx":
            assert same.all()
            assert languages == 1
        elif step.kind == "xx-mixed":
            assert same.all()
            assert languages == 11
        elif step.kind == "xy":
            assert not same.any()
            assert languages == (1 if arm.by == "batch" else 11)
            assert len(set(passage.tolist())) == (1 if arm.by == "batch" else 11)
        else:
            assert 0 < same.sum() < len(same)
            assert languages == 11
    assert seen == ({"xx", "xy"} if arm.kind == "hybrid" else {arm.kind})


def naive(kind: str, alpha: float, rng: np.random.Generator, languages: int) -> tuple[int, int]:
    """One row's languages, as the papers describe it."""
    if kind == "hybrid":
        kind = "xx" if rng.random() < alpha else "xy"
    x = int(rng.integers(languages))
    if kind in ("xx", "xx-mixed"):
        return x, x
    if kind == "independent":
        return x, int(rng.integers(languages))
    y = int(rng.integers(languages - 1))
    return x, y + (y >= x)


@pytest.mark.parametrize("arm", ARMS, ids=lambda arm: f"{arm.kind}-{arm.by}")
def test_pairs_are_distributed_as_in_a_naive_draw(arm: BatchSettings):
    rng = np.random.default_rng(0)
    drawn = np.zeros((5, 5))
    for (_, x, y), n in describe(plan_run(rows_with(np.full(640, 31)), arm, steps=1000, seed=2)).items():
        drawn[x, y] = n
    reference = np.zeros((5, 5))
    for _ in range(20_000):
        reference[naive(arm.kind, arm.alpha, rng, 5)] += 1
    assert (drawn[reference == 0] == 0).all()
    expected = drawn[reference > 0] / drawn.sum() * reference.sum()
    assert chisquare(reference[reference > 0], expected).pvalue > 0.01


def test_pairs_of_a_batch_are_spread_over_the_rows():
    """A batch, and either rank's half, has as much of every language; a row's language changes from epoch to epoch."""
    plan = plan_epoch(rows_with(np.full(2200, ALL)), BatchSettings(kind="xy", size=55), seed=1)
    for step in plan:
        for langs in (step.query_lang, step.passage_lang[:, 0]):
            assert np.bincount(langs, minlength=11).tolist() == pytest.approx([5] * 11, abs=3)
        for rank in range(2):
            assert np.bincount(step.slice_for(rank, 2).query_lang, minlength=11).tolist() == pytest.approx(
                [2.5] * 11, abs=2
            )
    seen = set()
    for epoch in range(12):
        later = plan_epoch(rows_with(np.full(2200, ALL)), BatchSettings(kind="xy", size=220), seed=1, epoch=epoch)
        seen |= {int(lang) for step in later for lang in step.query_lang[step.rows == 5]}
    assert len(seen) > 5


def test_languages_of_whole_batches_come_in_no_fixed_order():
    steps = plan_run(rows_with(np.full(400, ALL)), BatchSettings(kind="xx", size=20), steps=110, seed=1)
    rounds = np.array([step.query_lang[0] for step in steps]).reshape(10, 11)
    assert (np.sort(rounds, axis=1) == np.arange(11)).all()  # each language once a round
    assert len(np.unique(rounds, axis=0)) == 10


@given(st.floats(0, 1), st.integers(0, 50))
@settings(max_examples=60, deadline=None)
def test_share_of_xx_is_alpha_at_any_time(alpha: float, seed: int):
    plan = plan_run(rows_with(np.full(70, 7)), BatchSettings(kind="hybrid", alpha=alpha, size=10), steps=60, seed=seed)
    had = np.cumsum([step.kind == "xx" for step in plan])
    assert (np.abs(had - alpha * np.arange(1, 61)) < 1 + 1e-9).all()


@pytest.mark.parametrize("by", ["row", "batch"])
@pytest.mark.parametrize(("alpha", "kind"), [(1.0, "xx"), (0.0, "xy")])
def test_hybrid_at_its_ends_is_the_other_kind(alpha: float, kind: str, by: str):
    rows = rows_with(np.full(200, ALL))
    hybrid = plan_run(rows, BatchSettings(kind="hybrid", alpha=alpha, by=by, size=16), steps=40, seed=9)
    other = plan_run(rows, BatchSettings(kind=kind, by=by, size=16), steps=40, seed=9)
    for a, b in zip(hybrid, other, strict=True):
        assert a.kind == b.kind == kind
        for field in ("rows", "query_lang", "passage_lang"):
            np.testing.assert_array_equal(getattr(a, field), getattr(b, field))


@pytest.mark.parametrize(
    "arm", [BatchSettings(kind=kind, size=32, positives=3) for kind in KINDS.names()], ids=lambda arm: arm.kind
)
def test_several_positives_are_in_different_languages(arm: BatchSettings):
    masks = np.concatenate([np.full(320, ALL), np.full(320, 0b11)])
    for step in plan_run(rows_with(masks), arm, steps=100, seed=2):
        assert step.passage_lang.shape == (len(step), 3)
        for langs, mask in zip(step.passage_lang.tolist(), masks[step.rows].tolist(), strict=True):
            given_ = [x for x in langs if x >= 0]
            assert len(set(given_)) == len(given_) == min(3, mask.bit_count())
            assert all(mask >> x & 1 for x in given_)
            assert langs[: len(given_)] == given_
        if step.kind == "xx":  # drawn once for the batch, or the language would tell which passages are whose
            assert len(np.unique(step.passage_lang, axis=0)) == 1
        first = plan_run(rows_with(masks), arm, steps=1, seed=2)[0]
        assert (
            plan_run(rows_with(masks), BatchSettings(kind=arm.kind, size=32), steps=1, seed=2)[0].passage_lang[:, 0]
            == first.passage_lang[:, 0]
        ).all()


def test_further_positives_go_by_share():
    masks = np.concatenate([np.full(400, 0b1111), np.full(1200, 0b0011)])  # shares in four languages: .4 .4 .1 .1
    second = np.zeros(4)
    for step in plan_run(
        rows_with(masks),
        BatchSettings(kind="xx-mixed", size=40, positives=2, language_sampling="size"),
        steps=400,
        seed=1,
    ):
        if masks[step.rows[0]] == 0b1111:
            second += np.bincount(step.passage_lang[step.query_lang == 0, 1], minlength=4)
    assert second[0] == 0
    np.testing.assert_allclose(second[1:] / second.sum(), [2 / 3, 1 / 6, 1 / 6], atol=0.04)


def test_positives_of_bitext_are_never_in_the_language_of_the_query():
    rows = rows_with(np.full(64, 7))
    rows = Rows(rows.family, rows.query_languages, rows.passage_languages, rows.source, np.ones(64, bool))
    for step in plan_epoch(rows, BatchSettings(kind="xy", size=16, positives=4, comparable=False), seed=1):
        assert (step.passage_lang != step.query_lang[:, None]).all()
        assert ((step.passage_lang >= 0).sum(1) == 2).all()


def test_sides_with_different_languages():
    """Questions in two languages, passages in three others and one of them."""
    rows = rows_with(np.full(64, 0b00011), np.full(64, 0b11110))
    for kind in ("xy", "independent"):
        counts = describe(plan_run(rows, BatchSettings(kind=kind, size=16, comparable=False), steps=300, seed=1))
        assert {x for _, x, _ in counts} == {0, 1}
        assert {y for _, _, y in counts} == {1, 2, 3, 4}
        assert ((0, 1, 1) in counts) == (kind == "independent")
        assert sum(n for (_, _, y), n in counts.items() if y == 1) == pytest.approx(300 * 16 / 4, rel=0.01)
    assert describe(plan_run(rows, BatchSettings(kind="xx", size=16, comparable=False), steps=3, seed=1)) == {
        (0, 1, 1): 48
    }
    assert {
        x
        for _, x, _ in describe(
            plan_run(rows_with(np.full(64, 7), np.full(64, 3)), BatchSettings(size=16), steps=50, seed=1)
        )
    } == {0, 1}


def test_a_share_above_half_is_moved_and_said():
    masks = np.concatenate([np.full(10, 0b111), np.full(900, 0b1001)])
    for kind in ("xx", "xy", "hybrid"):
        plan = plan_run(
            rows_with(masks),
            BatchSettings(kind=kind, size=16, language_sampling="size"),
            steps=114,
            seed=1,
            languages=["de", "en", "fr", "zh"],
        )
        assert len(plan.warnings) == 1
        assert "language de" in plan.warnings[0]
        for marginal in shares(plan):
            assert marginal[0] == pytest.approx(0.5, abs=0.01)
    alone = plan_run(
        rows_with(masks),
        BatchSettings(kind="xx", size=16, language_sampling="size", comparable=False),
        steps=1140,
        seed=1,
    )
    assert alone.warnings == []
    assert shares(alone)[0][0] > 0.5


@st.composite
def distributions(draw: st.DrawFn) -> np.ndarray:
    p = np.array(draw(st.lists(st.floats(0.001, 1), min_size=2, max_size=11)))
    return p / p.sum()


@given(distributions())
@settings(max_examples=100, deadline=None)
def test_off_diagonal_has_the_marginals_and_is_otherwise_independent(p: np.ndarray):
    joint = off_diagonal(p, p)
    assert joint.sum() == pytest.approx(1)
    assert (np.diag(joint) == 0).all()
    assert (joint >= 0).all()
    target = feasible(p, p)[0]
    if p.max() <= 0.5:
        np.testing.assert_array_equal(target, p)
    else:
        assert target.max() == pytest.approx(0.5)
        rest = np.arange(len(p)) != p.argmax()
        np.testing.assert_allclose(target[rest] / p[rest], (target[rest] / p[rest])[0])
    np.testing.assert_allclose(joint.sum(0), target, atol=2e-4)
    np.testing.assert_allclose(joint.sum(1), target, atol=2e-4)
    if len(p) >= 4 and p.max() < 0.49:  # off the diagonal, odds are those of a product
        assert joint[0, 1] * joint[2, 3] == pytest.approx(joint[0, 3] * joint[2, 1], rel=1e-6)


@given(distributions(), st.integers(0, 2**32))
@settings(max_examples=100, deadline=None)
def test_feasible_moves_as_little_as_needed(p: np.ndarray, seed: int):
    q = np.random.default_rng(seed).permutation(p)
    query, passage = feasible(p, q)
    assert query.sum() == pytest.approx(1)
    assert passage.sum() == pytest.approx(1)
    assert (query + passage <= 1 + 1e-9).all()
    assert min(query.min(), passage.min()) >= 0
    excess = max(float((p + q).max()) - 1, 0)
    assert np.abs(query - p).sum() + np.abs(passage - q).sum() == pytest.approx(2 * excess, abs=1e-9)


@pytest.mark.parametrize(
    ("query", "passage", "pairs"), [([1, 0], [0.5, 0.5], {(0, 1)}), ([0.5, 0.5, 0], [0, 1, 0], {(0, 1)})]
)
def test_one_language_on_a_side(query: list[float], passage: list[float], pairs: set[tuple[int, int]]):
    joint = off_diagonal(np.array(query, float), np.array(passage, float))
    assert set(zip(*map(np.ndarray.tolist, np.nonzero(joint)), strict=True)) == pairs


@given(st.integers(1, 30), st.integers(0, 999), st.integers(0, 500), st.integers(1, 500))
@settings(max_examples=60, deadline=None)
def test_equal_cells_come_up_equally_often(width: int, seed: int, first: int, count: int):
    start = float(uniform(seed, "test"))
    index = np.arange(width, dtype=np.int16)
    cells = Cells(index, index, np.full(width, 1 / width))
    drawn = cells.draw(0, first + count, start).tolist()
    had = np.bincount(drawn, minlength=width)
    assert had.max() - had.min() <= 2
    assert cells.draw(first, count, start).tolist() == drawn[first:]
