"""Which rows share a batch: nothing lost, families apart, every epoch of one shape, and what cannot be used is
counted."""

from __future__ import annotations

from collections import Counter
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triglot.batches import BatchSettings, Rows, plan_epoch, plan_run, pools
from triglot.batches.pools import shuffled, split
from triglot.files import InputError

# every row once, one row of a family a batch, however small
WHOLE: dict[str, Any] = {
    "every_row": True,
    "allow_small": True,
}
SETTINGS = [
    BatchSettings(kind="xx", **WHOLE),
    BatchSettings(kind="xy", comparable=False, **WHOLE),
    BatchSettings(kind="xx", comparable=False, **WHOLE),
    BatchSettings(kind="independent", comparable=False, **WHOLE),
    BatchSettings(kind="xx-mixed", comparable=False, **WHOLE),
    BatchSettings(kind="hybrid", alpha=0.3, comparable=False, **WHOLE),
]


def make_rows(family, query, passage=None, source=None, same=None) -> Rows:
    family = np.asarray(family, np.int32)
    query = np.broadcast_to(np.asarray(query, np.uint64), family.shape)
    passage = query if passage is None else np.broadcast_to(np.asarray(passage, np.uint64), family.shape)
    source = np.zeros(len(family), np.int16) if source is None else np.asarray(source, np.int16)
    return Rows(family, query, passage, source, None if same is None else np.asarray(same, bool))


@st.composite
def any_rows(draw: st.DrawFn) -> Rows:
    """A few to some hundred rows: any masks over five languages, families from none to one giant."""
    n = draw(st.integers(1, 250))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    families = draw(st.sampled_from([1, 3, max(n // 4, 1), n, 50 * n]))
    family = rng.integers(0, families, n)
    if draw(st.booleans()):
        family[: n // 2] = 0  # a giant
    masks = rng.integers(0, 32, draw(st.integers(1, 20))).astype(np.uint64)
    pick = rng.integers(0, len(masks), (2, n))
    if draw(st.booleans()):
        pick[:, : n - n // 8] = 0  # one large group and many small ones
        masks[0] = 31
    sources = draw(st.integers(1, 3))
    same = rng.random(n) < draw(st.sampled_from([0.0, 0.5]))
    return Rows(
        family.astype(np.int32), masks[pick[0]], masks[pick[1]], rng.integers(0, sources, n).astype(np.int16), same
    )


def can(row_query: int, row_passage: int, same: bool, batches: BatchSettings) -> bool:
    """What a row can do, spelt out by listing the pairs of languages."""
    query = [x for x in range(5) if row_query >> x & 1]
    passage = [x for x in range(5) if row_passage >> x & 1]
    if batches.comparable:
        query = passage = [x for x in query if x in passage]
    xx = any(x in passage for x in query) and not same
    xy = any(x != y for x in query for y in passage)
    if batches.comparable or (batches.kind == "hybrid" and 0 < batches.alpha < 1):
        return xx and xy
    return {"xx": xx, "xx-mixed": xx, "xy": xy, "independent": bool(query and passage) and (xy or not same)}[
        batches.kind
    ]


@pytest.mark.slow
@given(any_rows(), st.sampled_from(SETTINGS), st.integers(1, 80), st.integers(0, 9), st.integers(0, 3))
@settings(max_examples=150, deadline=None)
def test_every_row_once_and_no_family_twice(rows: Rows, batches: BatchSettings, size: int, seed: int, epoch: int):
    batches = replace(batches, size=size)
    usable = [
        i
        for i in range(len(rows))
        if can(int(rows.query_languages[i]), int(rows.passage_languages[i]), bool(rows.same[i]), batches)
    ]
    if not usable:
        with pytest.raises(InputError, match="no row can be used"):
            plan_epoch(rows, batches, seed=seed)
        return
    plan = plan_epoch(rows, batches, seed=seed, epoch=epoch)
    steps = list(plan)
    assert sorted(np.concatenate([step.rows for step in steps]).tolist()) == usable
    assert sum(plan.unusable.values()) == len(rows) - len(usable)
    assert plan.dropped == 0
    assert plan.lonely == sum(len(step) == 1 for step in steps)
    narrowed = 0
    for number, step in enumerate(steps):
        assert len(step) <= size
        assert len(set(rows.family[step.rows].tolist())) == len(step)
        assert set(rows.source[step.rows].tolist()) == {step.source}
        query, passage = rows.query_languages[step.rows], rows.passage_languages[step.rows]
        assert (query >> step.query_lang.astype(np.uint64) & np.uint64(1)).all()
        assert (passage >> step.passage_lang[:, 0].astype(np.uint64) & np.uint64(1)).all()
        assert not (rows.same[step.rows] & (step.query_lang == step.passage_lang[:, 0])).any()
        if batches.comparable:
            query = passage = query & passage
        shown = plan._layout.groups[plan._layout.group[plan._ledger[epoch].batch[number]]]
        assert not (
            np.uint64(shown.query) & ~np.bitwise_and.reduce(query)
            | np.uint64(shown.passage) & ~np.bitwise_and.reduce(passage)
        )
        have = np.bitwise_count(query) + np.bitwise_count(passage)
        narrowed += int((have > shown.query.bit_count() + shown.passage.bit_count()).sum())
    assert plan.narrowed == narrowed
    later = plan_epoch(rows, batches, seed=seed + 1, epoch=epoch + 1)
    assert sorted(len(step) for step in later) == sorted(len(step) for step in steps)
    assert (later.lonely, later.narrowed, later.unusable) == (plan.lonely, plan.narrowed, plan.unusable)


@pytest.mark.slow
@given(any_rows(), st.integers(1, 60), st.integers(0, 9))
@settings(max_examples=60, deadline=None)
def test_rows_do_not_depend_on_the_arm(rows: Rows, size: int, seed: int):
    arms = [
        BatchSettings(kind="xx", size=size, allow_small=True),
        BatchSettings(kind="xx-mixed", size=size, language_sampling="size", allow_small=True),
        BatchSettings(kind="xy", size=size, by="batch", allow_small=True),
        BatchSettings(kind="independent", size=size, language_sampling="temperature", temperature=3, allow_small=True),
        BatchSettings(kind="hybrid", size=size, alpha=0.3, positives=2, allow_small=True),
    ]
    try:
        plans = [plan_epoch(rows, arm, seed=seed, epoch=1) for arm in arms]
    except InputError:
        with pytest.raises(InputError):
            plan_epoch(rows, arms[0], seed=seed)
        return
    assert len({len(plan) for plan in plans}) == 1
    for steps in zip(*plans, strict=True):
        for step in steps[1:]:
            np.testing.assert_array_equal(step.rows, steps[0].rows)


@given(st.lists(st.integers(1, 12), min_size=1, max_size=60), st.integers(0, 200), st.integers(1, 40))
@settings(max_examples=150, deadline=None)
def test_split_holds_every_row_in_batches_no_larger_than_asked(sizes: list[int], giant: int, size: int):
    sizes = [*sizes, giant] if giant else sizes
    batches = BatchSettings(size=size)
    deals, held, extra = split(np.bincount(sizes), batches)
    assert held == sum(min(s, deals) for s in sizes)
    assert 0 < held <= deals * size
    left = [s - deals for s in sizes if s > deals]
    assert (extra == 0) == (not left)
    if left:
        assert extra >= max(left)
        assert sum(left) <= extra * size
        # No batch for each row of the largest family without tiny ones.
        assert sum(sizes) < batches.least / 4 * max(sizes)
        assert sum(min(s, deals + 1) for s in sizes) < batches.least * (deals + 1)  # nor one more without small ones
    else:
        assert deals == max(-(-sum(sizes) // size), max(sizes))  # no schedule has fewer


@given(any_rows(), st.integers(1, 40))
@settings(max_examples=60, deadline=None)
def test_drop_last_leaves_only_full_batches(rows: Rows, size: int):
    batches = BatchSettings(size=size, drop_last=True)
    try:
        plan = plan_epoch(rows, batches, seed=2)
    except InputError:
        with pytest.raises(InputError, match=r"no row can be used|do not make one batch of .* \(batches.drop_last\)"):
            plan_epoch(rows, batches, seed=3)
        return
    used = np.concatenate([step.rows for step in plan])
    assert all(len(step) == size for step in plan)
    assert all(len(set(rows.family[step.rows].tolist())) == size for step in plan)
    assert len(set(used.tolist())) == len(used)
    assert len(used) + plan.dropped + sum(plan.unusable.values()) == len(rows)


def test_drop_last_drops_others_in_every_epoch():
    rows = make_rows(np.arange(100), 7)
    left = [
        set(range(100))
        - set(
            np.concatenate(
                [s.rows for s in plan_epoch(rows, BatchSettings(size=30, drop_last=True), seed=1, epoch=e)]
            ).tolist()
        )
        for e in range(4)
    ]
    assert all(len(rest) == 10 for rest in left)
    assert len(set.union(*left)) > 20


def test_sizes_are_even():
    steps = list(plan_epoch(make_rows(np.arange(1000), 3), BatchSettings(size=256), seed=1))
    assert [len(step) for step in steps] == [250] * 4


def test_a_giant_family_takes_extra_batches_and_leaves_the_others_whole():
    family = np.concatenate([np.zeros(900, int), np.arange(1, 1001)])
    plan = plan_epoch(make_rows(family, 3), BatchSettings(size=100, **WHOLE), seed=1)
    sizes = sorted(len(step) for step in plan)
    assert plan.lonely == sizes.count(1) > 800  # rows of one family cannot be each other's negatives
    assert min(size for size in sizes if size > 1) >= 25
    assert sum(sizes) == 1900


def test_rows_left_over_from_a_large_family_change_with_the_epoch():
    family = np.concatenate([np.zeros(60, int), np.arange(1, 101)])
    rows = make_rows(family, 3)
    lonely = [
        {
            int(step.rows[0])
            for step in plan_epoch(rows, BatchSettings(size=100, **WHOLE), seed=1, epoch=e)
            if len(step) == 1
        }
        for e in range(6)
    ]
    assert len(set.union(*lonely)) == 60
    assert len(set.intersection(*lonely)) < 60


def test_a_small_group_borrows_from_a_large_one_other_rows_in_every_epoch():
    query = np.full(2000, 31, np.uint64)
    query[0] = 0b11  # one row in two languages only
    rows = make_rows(np.arange(2000), query)
    companions = []
    for epoch in range(5):
        plan = plan_epoch(rows, BatchSettings(size=64, **WHOLE), seed=1, epoch=epoch)
        assert plan.lonely == 0
        step = next(step for step in plan if 0 in step.rows)
        assert len(step) == 16  # a quarter of 64
        assert set(step.query_lang.tolist()) <= {0, 1}
        companions.append(frozenset(step.rows.tolist()))
        assert plan.narrowed == 15
    assert len(set(companions)) == 5


def test_small_groups_join_where_most_languages_survive():
    masks = {0b11111: 40, 0b11110: 6, 0b01111: 5, 0b11: 3, 0b11000: 2}
    query = np.concatenate([np.full(n, mask) for mask, n in masks.items()])
    plan = plan_epoch(make_rows(np.arange(len(query)), query), BatchSettings(size=64, **WHOLE), seed=1)
    by_masks = [Counter(query[step.rows].tolist()) for step in plan]
    assert all(not ({0b11, 0b11000} <= set(seen)) for seen in by_masks)
    assert sum(len(seen) > 1 for seen in by_masks) > 0
    assert plan.lonely == 0


@pytest.mark.parametrize("rows_a_family", [1, 2])
def test_every_row_meets_others_over_epochs(rows_a_family: int):
    """Shuffling is real: a row's companions in different epochs are almost all different."""
    rows = make_rows(np.arange(3000) // rows_a_family, 3)
    companions = [
        next(step for step in plan_epoch(rows, BatchSettings(size=50), seed=1, epoch=e) if 7 in step.rows).rows.tolist()
        for e in range(20)
    ]
    assert len({row for some in companions for row in some}) > 0.8 * 20 * 49


def test_pools_come_in_another_order_in_every_epoch():
    query = np.repeat([0b011, 0b110], 100)
    orders = [
        tuple(
            int(query[step.rows[0]])
            for step in plan_epoch(make_rows(np.arange(200), query), BatchSettings(size=10), seed=1, epoch=e)
        )
        for e in range(5)
    ]
    assert len(set(orders)) == 5


def test_members_of_a_family_are_not_always_dealt_alike():
    """Which member of one family meets which of another is random, and where in the epoch a row comes is uniform."""
    rows = make_rows(np.repeat(np.arange(40), 3), 3)
    together, place = Counter(), []
    for number, step in enumerate(plan_run(rows, BatchSettings(size=20), steps=1800, seed=5)):
        inside = set(step.rows.tolist())
        together[tuple(sorted(inside & {0, 1, 2, 3, 4, 5}))] += 1
        if 0 in inside:
            place.append(number % 6)
    pairs = {pair: n for pair, n in together.items() if len(pair) == 2}
    assert len(pairs) == 9
    assert max(pairs.values()) < 2.5 * min(pairs.values())
    assert len(place) == 300
    assert np.bincount(place).min() > 300 / 6 / 2


def test_sparse_family_numbers_and_long_keys_make_the_same_order(monkeypatch: pytest.MonkeyPatch):
    rng = np.random.default_rng(0)
    family = rng.integers(0, 40, 150)
    masks = rng.choice([3, 7, 15], 150)
    plain = plan_epoch(make_rows(family, masks), BatchSettings(size=8), seed=3)
    expected = [step.rows.tolist() for step in plain]
    monkeypatch.setattr(pools, "_KEY_BITS", 0)
    assert [
        step.rows.tolist() for step in plan_epoch(make_rows(family, masks), BatchSettings(size=8), seed=3)
    ] == expected
    monkeypatch.undo()
    order = np.unique(family, return_inverse=True)[1]
    dense = [step.rows.tolist() for step in plan_epoch(make_rows(order, masks), BatchSettings(size=8), seed=3)]
    sparse = [
        step.rows.tolist()
        for step in plan_epoch(make_rows(order.astype(np.int64) * 10_000_000, masks), BatchSettings(size=8), seed=3)
    ]
    assert sparse == dense


@pytest.mark.parametrize(
    ("query", "passage", "same", "kind", "comparable", "reason"),
    [
        (0, 3, False, "xx", True, "no language on both sides"),
        (1, 2, False, "xx", True, "no language on both sides"),
        (1, 1, False, "xx", True, "one language only, and X-Y needs two"),
        (3, 3, True, "xy", True, "query and passage are one text, which X-X would pair with itself"),
        (0, 3, False, "xy", False, "no language on the query side"),
        (3, 0, False, "xy", False, "no language on the passage side"),
        (1, 1, True, "independent", False, "one language only, and X-Y needs two"),
        (3, 3, True, "hybrid", False, "query and passage are one text, which X-X would pair with itself"),
    ],
)
def test_reasons(query, passage, same, kind, comparable, reason):
    rows = make_rows(np.arange(5), [query, 7, 7, 7, 7], [passage, 7, 7, 7, 7], same=[same, False, False, False, False])
    plan = plan_epoch(rows, BatchSettings(kind=kind, comparable=comparable, size=4), seed=1)
    assert plan.unusable == {reason: 1}
    with pytest.raises(InputError, match=reason.partition(",")[0]):
        plan_epoch(make_rows([0], query, passage, same=[same]), BatchSettings(kind=kind, comparable=comparable), seed=1)


def test_bitext_alone_may_be_used_by_xy_alone():
    plan = plan_epoch(
        make_rows(np.arange(50), 0b11, same=np.ones(50)), BatchSettings(kind="xy", comparable=False, size=16), seed=1
    )
    assert all((step.query_lang != step.passage_lang[:, 0]).all() for step in plan)
    assert plan.unusable == {}


@pytest.mark.parametrize("count", [1, 2, 3, 100])
def test_shuffled_is_a_permutation(count: int):
    drawn = [shuffled(count, 1, "test", epoch).tolist() for epoch in range(50)]
    assert all(sorted(one) == list(range(count)) for one in drawn)
    assert len({tuple(one) for one in drawn}) == min(50, [1, 2, 6][count - 1] if count < 4 else 50)


def test_no_rows_at_all():
    with pytest.raises(InputError, match="no row can be used"):
        plan_epoch(make_rows([], 3), BatchSettings(), seed=1)


@pytest.mark.parametrize(
    ("query", "passage", "kind", "comparable", "said"),
    [
        (1, 1, "xx", True, r"batches\.comparable: false can use 3 of them"),
        (1, 1, "hybrid", True, r"batches\.comparable: false and batches\.kind: xx can use 3 of them"),
        (1, 1, "xy", False, r"row can be used; .*; batches\.kind: xx can use 3 of them"),
        (1, 2, "xx", True, r"batches\.comparable: false and batches\.kind: xy can use 3 of them"),
        (1, 2, "independent", True, r"batches\.comparable: false can use 3 of them"),
    ],
)
def test_rows_that_cannot_be_used_name_the_settings_that_can(
    query: int, passage: int, kind, comparable: bool, said: str
):
    rows = make_rows(np.arange(3), query, passage)
    with pytest.raises(InputError, match=said):
        plan_epoch(rows, BatchSettings(kind=kind, comparable=comparable, size=4), seed=1)
    some = make_rows(np.arange(6), [query] * 3 + [7] * 3, [passage] * 3 + [7] * 3)
    plan = plan_run(some, BatchSettings(kind=kind, comparable=comparable, size=3), steps=2, seed=1)
    assert plan.cures[0] == said.rpartition("; ")[2].replace("\\", "").replace("of them", "more")
