"""Batches near the size asked for: on twenty shapes of click logs, and on rows of any kind."""

from __future__ import annotations

import importlib.util
import sys
from collections import Counter
from pathlib import Path
from types import ModuleType

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triglot.batches import KINDS, BatchSettings, Rows, plan_epoch, plan_run
from triglot.batches.filling import FULL, NEAR
from triglot.files import InputError


def _script() -> ModuleType:
    path = Path(__file__).parents[2] / "benchmarks" / "clicklogs.py"
    spec = importlib.util.spec_from_file_location("clicklogs", path)
    assert spec is not None
    assert spec.loader is not None
    module = sys.modules["clicklogs"] = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


logs = _script()
POPULAR = [name for name in logs.SHAPES if name != "even clicks"]


def check(rows: Rows, plan) -> None:
    """Each row at most once an epoch, in languages that it has, and beside others that it can be told from."""
    steps = list(plan)
    used = np.concatenate([step.rows for step in steps])
    assert len(used) == len(set(used.tolist()))
    assert plan.shown == pytest.approx(len(used) / (len(rows) - sum(plan.unusable.values())))
    assert plan.sizes.mean == pytest.approx(np.mean([len(step) for step in steps]))
    assert plan.sizes.min == min(map(len, steps))
    for step in steps:
        assert (rows.query_languages[step.rows] >> step.query_lang.astype(np.uint64) & np.uint64(1)).all()
        for lang in step.passage_lang.T:
            there = lang >= 0
            assert (rows.passage_languages[step.rows][there] >> lang[there].astype(np.uint64) & np.uint64(1)).all()
        first = step.passage_lang[:, 0]
        if step.kind in ("xx", "xx-mixed"):
            assert (step.query_lang == first).all()
        if step.kind == "xx":
            assert len(set(first.tolist())) == 1
        if step.kind == "xy":
            assert (step.query_lang != first).all()


@pytest.mark.parametrize("kind", KINDS.names())
@pytest.mark.parametrize("name", logs.SHAPES)
def test_batches_are_near_the_size_on_every_shape_of_log(name: str, kind: str):
    rows = logs.SHAPES[name]()
    plan = logs.planned(rows, kind, 128)
    if plan is None:  # X-Y of one language
        assert name == "one language alone"
        assert kind in ("xy", "hybrid")
        return
    check(rows, plan)
    assert plan.sizes.mean >= NEAR * 128
    assert plan.sizes.min >= FULL * 128
    most = max(max(Counter(rows.family[step.rows].tolist()).values()) for step in plan)
    assert most <= (8 if name == "forty articles" else 4)
    again = logs.planned(rows, kind, 128)
    assert all(np.array_equal(again[step].rows, plan[step].rows) for step in (len(plan) - 1, 0))


@pytest.mark.parametrize("size", [32, 512])
@pytest.mark.parametrize(
    "name", ["Zipf 1.0", "one article with half", "a tiny language, 20 clicks", "all pairs in two languages"]
)
def test_other_sizes_hold_as_well(name: str, size: int):
    rows = logs.SHAPES[name]()
    for kind in KINDS.names():
        plan = logs.planned(rows, kind, size)
        assert plan.sizes.mean >= NEAR * size
        assert plan.sizes.min >= FULL * size


@pytest.mark.parametrize(
    "name",
    ["translated questions, Zipf 1.2", "translated questions, one article with half", "all pairs in two languages"],
)
def test_arms_that_are_comparable_see_the_same_rows(name: str):
    rows = logs.SHAPES[name]()
    arms = [BatchSettings(kind=kind, size=128, positives=positives) for kind in KINDS.names() for positives in (1, 2)]  # type: ignore[arg-type]
    arms.append(BatchSettings(kind="xy", by="batch", size=128))
    for steps in zip(*(plan_run(rows, arm, steps=60, seed=3) for arm in arms), strict=True):
        assert len({step.rows.tobytes() for step in steps}) == 1
        assert len(steps[0]) >= FULL * 128


@pytest.mark.slow
@pytest.mark.parametrize("name", ["one article with half", "Zipf 1.2", "a tiny language, all clicks on one article"])
def test_every_row_is_shown_over_epochs(name: str):
    """Rows of a popular article take turns: all have had one after as many epochs as it has rows for each that it may
    show."""
    rows = logs.SHAPES[name]()
    batches = BatchSettings(kind="xx-mixed", size=128, comparable=False)
    plan = plan_epoch(rows, batches, seed=1)
    popular = int(np.bincount(rows.family).argmax())
    usable = np.flatnonzero(rows.query_languages & rows.passage_languages)
    mine = usable[rows.family[usable] == popular]
    seen: set[int] = set()
    an_epoch = []
    for epoch in range(60):
        shown = np.concatenate([step.rows for step in plan_epoch(rows, batches, seed=1, epoch=epoch)])
        an_epoch.append(int(np.isin(shown, mine).sum()))
        seen |= set(shown.tolist())
    expected = min(len(mine), 60 * an_epoch[0])
    assert len(seen & set(mine.tolist())) >= 0.9 * expected
    assert len(seen - set(mine.tolist())) >= 0.99 * (len(usable) - len(mine))
    assert len(plan) < len(usable) / 100


def test_a_tiny_language_borrows_others_and_keeps_its_rows_together():
    rows = logs.joined(
        logs.alone(logs.log_rows(logs.popularity(), clicks=2000), 0),
        logs.alone(logs.log_rows(logs.popularity(), clicks=20), 3),
    )
    for epoch in range(3):
        plan = plan_epoch(rows, BatchSettings(kind="xx", size=64, comparable=False), seed=1, epoch=epoch)
        tiny = [step for step in plan if (step.query_lang == 3).any()]
        assert len(tiny) == 1
        assert tiny[0].kind == "xx-mixed"
        assert len(tiny[0]) == plan.mixed == 64
        assert (tiny[0].query_lang == 3).sum() >= 18
        assert len(set(rows.family[tiny[0].rows].tolist())) == 64


def test_the_order_of_steps_is_another_in_every_epoch_and_their_sizes_are_the_same():
    rows = logs.SHAPES["Zipf 1.0"]()
    plans = [
        plan_epoch(rows, BatchSettings(kind="hybrid", size=64, comparable=False), seed=2, epoch=epoch)
        for epoch in range(3)
    ]
    assert len({tuple(sorted(map(len, plan))) for plan in plans}) == 1
    assert len({plan[0].rows.tobytes() for plan in plans}) == 3


def test_data_without_popular_families_is_dealt_whole():
    """Every row once an epoch, whether asked for or not."""
    rng = np.random.default_rng(0)
    mask = np.full(3000, 31, np.uint64)
    rows = Rows(rng.integers(0, 1500, 3000).astype(np.int32), mask, mask, np.zeros(3000, np.int16))
    for one, other in zip(
        plan_epoch(rows, BatchSettings(size=64), seed=1),
        plan_epoch(rows, BatchSettings(size=64, every_row=True), seed=1),
        strict=True,
    ):
        np.testing.assert_array_equal(one.rows, other.rows)
        np.testing.assert_array_equal(one.query_lang, other.query_lang)


def test_a_plan_of_small_batches_is_an_error_that_names_the_cure():
    rows = logs.log_rows(logs.popularity(), clicks=40, parallel=True, there=1.0)
    wanted = r"batches.size: 256 rows .* have 40\.0 on average.*batches.size: 40.*batches.allow_small: true"
    for plan in (lambda b: plan_epoch(rows, b, seed=1), lambda b: plan_run(rows, b, steps=3, seed=1)):
        with pytest.raises(InputError, match=wanted):
            plan(BatchSettings(size=256))
        assert plan(BatchSettings(size=256, allow_small=True)).sizes.mean == 40
        assert plan(BatchSettings(size=40)).sizes.mean >= 0.9 * 40
    collapsed = logs.SHAPES["Zipf 1.0"]()
    with pytest.raises(InputError, match=r"leave out batches\.every_row"):
        plan_epoch(collapsed, BatchSettings(kind="independent", size=128, comparable=False, every_row=True), seed=1)


def test_smaller_batches_than_asked_for_are_said():
    rows = logs.log_rows(logs.popularity(), clicks=100, parallel=True, there=1.0)
    plan = plan_run(rows, BatchSettings(size=128), steps=5, seed=1)
    assert [text for text in plan.warnings if "128 rows a batch were asked for, they have" in text]
    whole = plan_run(rows, BatchSettings(size=20), steps=5, seed=1)
    assert whole.warnings == []


@st.composite
def any_log(draw: st.DrawFn) -> Rows:
    """Rows in any languages, with families of any sizes, of one or two sources."""
    n = draw(st.integers(1, 400))
    rng = np.random.default_rng(draw(st.integers(0, 2**32)))
    family = np.minimum(
        rng.pareto(draw(st.sampled_from([0.3, 0.7, 1.5, 5.0])), n), draw(st.sampled_from([0, 5, 50, 400]))
    ).astype(np.int32)
    masks = rng.integers(0, 32, draw(st.integers(1, 12))).astype(np.uint64)
    query, passage = masks[rng.integers(0, len(masks), (2, n))]
    same = rng.random(n) < draw(st.sampled_from([0.0, 0.3]))
    return Rows(
        family,
        query,
        passage if draw(st.booleans()) else query,
        rng.integers(0, draw(st.integers(1, 2)), n).astype(np.int16),
        same,
    )


@pytest.mark.slow
@given(
    any_log(),
    st.sampled_from(KINDS.names()),
    st.booleans(),
    st.sampled_from(["row", "batch"]),
    st.integers(1, 64),
    st.integers(0, 5),
)
@settings(max_examples=150, deadline=None)
def test_any_rows_make_a_plan_that_is_what_it_says(rows: Rows, kind, comparable: bool, by, size: int, epoch: int):
    batches = BatchSettings(kind=kind, comparable=comparable, by=by, size=size, positives=2, allow_small=True)
    try:
        plan = plan_epoch(rows, batches, seed=1, epoch=epoch)
    except InputError as error:
        assert "no row can be used" in str(error)  # noqa: PT017
        return
    check(rows, plan)
    assert all(len(step) <= size and len(set(rows.source[step.rows].tolist())) == 1 for step in plan)
