"""Plans as pure functions: random access, resuming, ranks, sources, other processes."""

from __future__ import annotations

import subprocess
import sys
from collections import Counter, defaultdict
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from triglot.batches import (
    KINDS,
    BatchSettings,
    Rows,
    Step,
    counts_of,
    describe,
    interleave,
    plan_epoch,
    plan_run,
    rank_slice,
    rows_of,
)
from triglot.corpus.formats.registry import read_training
from triglot.corpus.parallel import CorpusBuilder
from triglot.files import InputError


def some_rows(n: int = 400, sources: int = 3, seed: int = 0) -> Rows:
    rng = np.random.default_rng(seed)
    mask = rng.choice(np.array([3, 31, 2047, 1536], np.uint64), n)
    return Rows(
        rng.integers(0, n // 2, n).astype(np.int32),
        mask,
        mask | np.uint64(4),
        rng.integers(0, sources, n).astype(np.int16),
    )


def equal(a: Step, b: Step) -> bool:
    arrays = all(
        np.array_equal(getattr(a, field), getattr(b, field)) for field in ("rows", "query_lang", "passage_lang")
    )
    return arrays and (a.kind, a.source, a.epoch) == (b.kind, b.source, b.epoch)


@pytest.mark.parametrize("kind", KINDS.names())
def test_a_step_is_the_same_whenever_it_is_asked_for(kind: str):
    batches = BatchSettings(kind=kind, size=16, positives=2)
    run = list(plan_run(some_rows(), batches, steps=120, seed=5, weights=[1, 2, 0.5]))
    fresh = plan_run(some_rows(), batches, steps=120, seed=5, weights=[1, 2, 0.5])
    for step in (119, 0, 60, 61, 7, -1):  # across epochs, backwards
        assert equal(fresh[step], run[step])
    shorter = plan_run(some_rows(), batches, steps=50, seed=5, weights=[1, 2, 0.5])
    assert all(equal(a, b) for a, b in zip(shorter, run, strict=False))
    assert not equal(plan_run(some_rows(), batches, steps=1, seed=6, weights=[1, 2, 0.5])[0], run[0])
    with pytest.raises(IndexError):
        fresh[120]


@pytest.mark.parametrize("kind", KINDS.names())
def test_a_run_is_made_of_the_epochs_of_its_sources(kind: str):
    rows, batches = some_rows(), BatchSettings(kind=kind, size=16)
    run = plan_run(rows, batches, steps=150, seed=5)
    for source in range(3):
        part = np.flatnonzero(rows.source == source)
        own = Rows(rows.family[part], rows.query_languages[part], rows.passage_languages[part], rows.source[part])
        steps = iter([step for step in run if step.source == source])
        for epoch in range(3):
            plan = plan_epoch(own, batches, seed=5, epoch=epoch)
            assert run.epochs[source] == len(plan)
            for expected, step in zip(plan, steps, strict=False):
                assert step.epoch == epoch
                np.testing.assert_array_equal(part[expected.rows], step.rows)
                np.testing.assert_array_equal(expected.query_lang, step.query_lang)


@given(st.integers(0, 300), st.integers(1, 9))
def test_ranks_make_the_whole(count: int, world: int):
    parts = [range(count)[rank_slice(count, rank, world)] for rank in range(world)]
    assert [i for part in parts for i in part] == list(range(count))
    assert max(map(len, parts)) - min(map(len, parts)) <= 1


@pytest.mark.parametrize("world", range(1, 8))
def test_a_step_does_not_depend_on_the_world(world: int):
    for step in plan_run(some_rows(), BatchSettings(size=16, positives=2), steps=20, seed=1):
        parts = [step.slice_for(rank, world) for rank in range(world)]
        assert {(part.kind, part.source) for part in parts} == {(step.kind, step.source)}
        for field in ("rows", "query_lang", "passage_lang"):
            np.testing.assert_array_equal(
                np.concatenate([getattr(part, field) for part in parts]), getattr(step, field)
            )
    with pytest.raises(ValueError, match="no rank"):
        rank_slice(3, world, world)


@given(st.lists(st.floats(0.001, 1), min_size=1, max_size=8), st.integers(0, 300))
@settings(max_examples=150, deadline=None)
def test_sources_have_their_share_to_within_a_step(shares: list[float], steps: int):
    source, nth = interleave(shares, steps)
    had = np.cumsum(source[:, None] == np.arange(len(shares)), axis=0)
    due = np.arange(1, steps + 1)[:, None] * np.array(shares) / sum(shares)
    assert (np.abs(had - due) < 1).all()
    assert (nth == had[np.arange(steps), source] - 1).all()


def test_sources_by_weight_and_by_size():
    rows = some_rows(900)
    run = plan_run(rows, BatchSettings(size=16), steps=600, seed=1, weights=[0, 3, 1])
    assert np.bincount(run.source).tolist() == [0, 450, 150]
    assert run.shares == {1: 0.75, 2: 0.25}
    by_size = plan_run(rows, BatchSettings(size=16, sources="size"), steps=600, seed=1, weights=[1, 3, 1])
    once = plan_run(rows, BatchSettings(size=16, sources="size"), steps=sum(by_size.epochs.values()), seed=1)
    assert {step.epoch for step in once} == {0}
    seen = np.concatenate([step.rows for step in once])
    assert (
        len(seen)
        == len(set(seen.tolist()))
        == len(rows) - sum(sum(reasons.values()) for reasons in once.unusable.values())
    )


@pytest.mark.parametrize(
    ("weights", "message"),
    [
        ([1, 1], "3 numbers"),
        ([1, -1, 1], "at least 0"),
        ([1, float("nan"), 1], "at least 0"),
        ([0, 0, 0], "weight 0"),
        ([1, 1, 1, 1], "source 3"),
    ],
)
def test_weights_that_do_not_fit(weights: list[float], message: str):
    with pytest.raises(InputError, match=message):
        plan_run(some_rows(), BatchSettings(), steps=5, seed=1, weights=weights)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"kind": "hybird"}, "^kind: 'hybird' is unknown; did you mean 'hybrid'"),
        ({"by": "rows"}, "did you mean 'row'"),
        ({"language_sampling": "equals"}, "did you mean 'equal'"),
        ({"sources": "sizes"}, "did you mean 'size'"),
        ({"alpha": 1.1}, "^alpha"),
        ({"alpha": float("nan")}, "^alpha"),
        ({"size": 0}, "^size"),
        ({"positives": 0}, "^positives"),
        ({"temperature": 0.0}, "^temperature"),
    ],
)
def test_settings_that_are_not_understood(change: dict, message: str):
    with pytest.raises(InputError, match=message):
        BatchSettings(**change)


def test_columns_that_do_not_fit():
    with pytest.raises(ValueError, match="lengths"):
        Rows(np.zeros(3, int), np.zeros(2, np.uint64), np.zeros(3, np.uint64), np.zeros(3, int))
    with pytest.raises(ValueError, match="from 0"):
        Rows(np.array([-1]), np.ones(1, np.uint64), np.ones(1, np.uint64), np.zeros(1, int))


def test_empty_and_negative_runs():
    assert len(plan_run(some_rows(), BatchSettings(), steps=0, seed=1)) == 0
    with pytest.raises(InputError, match="negative"):
        plan_run(some_rows(), BatchSettings(), steps=-1, seed=1)
    with pytest.raises(InputError, match="no training rows"):
        plan_run(
            some_rows(2).__class__(*[np.zeros(0, t) for t in (np.int32, np.uint64, np.uint64, np.int16)]),
            BatchSettings(),
            steps=1,
            seed=1,
        )


def test_counts():
    run = plan_run(some_rows(), BatchSettings(size=16, positives=2), steps=30, seed=1)
    total = describe(run)
    assert sum(total.values()) == sum(int((step.passage_lang >= 0).sum()) for step in run)
    step = run[3]
    pairs = [
        (step.source, int(q), int(p))
        for q, ps in zip(step.query_lang, step.passage_lang, strict=True)
        for p in ps
        if p >= 0
    ]
    assert counts_of(step) == {pair: pairs.count(pair) for pair in pairs} == describe(run, 3, 4)


@pytest.mark.slow
def test_rows_of_a_corpus():
    builder = CorpusBuilder("test")
    for key, langs in (("q1", ["de", "en"]), ("q2", ["en"]), ("p1", ["de", "en"]), ("p2", ["en", "fr"])):
        for lang in langs:
            builder.text(key, lang, f"{key} {lang}")
    for query, passage in (("q1", "p1"), ("q1", "p2"), ("q2", "p2"), ("p1", "p1")):
        builder.row(query, passage)
    rows = rows_of(builder.build())
    assert rows.query_languages.tolist() == [3, 3, 2, 3]
    assert rows.passage_languages.tolist() == [3, 6, 6, 3]
    assert len(set(rows.family.tolist())) == 1  # q1 has both passages as answers
    assert rows.same is not None
    assert rows.same.tolist() == [False, False, False, True]
    assert rows_of(builder.build(), query_languages=np.full(4, 7, np.uint64)).query_languages.tolist() == [7] * 4


DIGEST = """
import hashlib, numpy as np
from triglot.batches import BatchSettings, Rows, plan_run
n = 500
mask = np.where(np.arange(n) % 3 == 0, 7, 2047).astype(np.uint64)
rows = Rows((np.arange(n) // 3).astype(np.int32), mask, mask, (np.arange(n) % 2).astype(np.int16))
digest = hashlib.sha256()
settings = BatchSettings(size=16, positives=2, language_sampling="size")
for step in plan_run(rows, settings, steps=64, seed=11, weights=[2, 1]):
    for array in (step.rows, step.query_lang, step.passage_lang):
        digest.update(array.astype("<i8").tobytes())
assert not {"torch", "pyarrow", "scipy"} & set(__import__("sys").modules), "NumPy alone"
print(digest.hexdigest())
"""


def test_another_process_makes_the_same_plan():
    """And so does the next version: a run that is resumed after an upgrade goes on as it began.

    A change here is a breaking one.
    """
    done = [
        subprocess.run([sys.executable, "-c", DIGEST], capture_output=True, text=True, check=True).stdout.strip()
        for _ in range(2)
    ]
    assert done[0] == done[1] == "ce8aa634388f03d62bf5d7ff7df04990328b01886bb84238e0b7225fb835088d"


@pytest.mark.slow
@pytest.mark.data
def test_real_questions_have_texts_and_no_false_negatives(data: Path):
    """MLQA: questions in two to six languages, several on one paragraph, several paragraphs to one question."""
    corpus, _ = read_training(data / "mlqa", format="mlqa")
    answers = defaultdict(set)
    for query, passage in zip(corpus.query.tolist(), corpus.passage.tolist(), strict=True):
        answers[query].add(passage)
    rows = rows_of(corpus)
    for batches in (
        BatchSettings(size=128, every_row=True),
        BatchSettings(kind="xy", comparable=False, size=128, every_row=True),
    ):
        plan = plan_epoch(rows, batches, seed=1)
        assert sum(map(len, plan)) + sum(plan.unusable.values()) == len(corpus)
        assert plan.lonely == 0
        for step in plan:
            query, passage = corpus.query[step.rows], corpus.passage[step.rows]
            assert (corpus.text_of[query, step.query_lang] >= 0).all()
            assert (corpus.text_of[passage, step.passage_lang[:, 0]] >= 0).all()
            inside = set(passage.tolist())
            assert len(inside) == len(step)
            assert all(len(answers[q] & inside) == 1 for q in query.tolist())


def test_a_source_is_called_by_its_name_where_it_is_known():
    first_is_empty = replace(some_rows(), source=np.ones(400, np.int16))
    with pytest.raises(InputError, match=r"^source 'clicks': "):
        plan_run(first_is_empty, BatchSettings(), steps=5, seed=1, names=["clicks", "other"])
    with pytest.raises(InputError, match=r"^source 0: "):
        plan_run(first_is_empty, BatchSettings(), steps=5, seed=1)


@pytest.mark.parametrize(("ends", "total"), [((1.0, 0.0), 400), ((0.2, 0.8), 400), ((0.0, 1.0), 37)])
def test_alpha_goes_from_one_end_to_the_other(ends: tuple[float, float], total: int):
    batches = BatchSettings(size=16, alpha=ends[0], alpha_end=ends[1])
    kinds = [step.kind for step in plan_run(some_rows(sources=1), batches, steps=total, seed=5)]
    due = np.cumsum([ends[0] + (ends[1] - ends[0]) * step / (total - 1) for step in range(total)])
    had = np.cumsum([kind == "xx" for kind in kinds])
    assert np.abs(had - due).max() <= 1 + 1e-9  # after any number of steps
    assert set(kinds) == {"xx", "xy"}


def test_a_changing_alpha_leaves_the_rows_and_the_order_of_asking_alone():
    rows = some_rows()
    settings = {"size": 16, "positives": 2}
    plain = plan_run(rows, BatchSettings(**settings), steps=90, seed=5)
    changing = plan_run(rows, BatchSettings(alpha=0.9, alpha_end=0.1, **settings), steps=90, seed=5)
    run = list(changing)
    assert all((a.rows == b.rows).all() for a, b in zip(plain, run, strict=True))
    fresh = plan_run(rows, BatchSettings(alpha=0.9, alpha_end=0.1, **settings), steps=90, seed=5)
    for step in (89, 0, 60, 7):
        assert equal(fresh[step], run[step])
    longer = fresh.lasting(150)
    assert all(equal(longer[step], run[step]) for step in range(90))
    still = plan_run(rows, BatchSettings(alpha=0.5, alpha_end=0.5, **settings), steps=90, seed=5)
    assert all(equal(a, b) for a, b in zip(plain, still, strict=True))


def test_a_kind_without_parts_has_no_alpha_to_change():
    with pytest.raises(InputError, match=r"^alpha_end: goes with kinds that mix others, such as hybrid; xy does not"):
        BatchSettings(kind="xy", alpha_end=0.1)


def with_lines() -> Rows:
    """Source 0 has questions and passages, source 1 parallel lines."""
    mask = np.full(200, 15, np.uint64)
    source = np.repeat([0, 1], 100).astype(np.int16)
    return Rows(np.arange(200, dtype=np.int32), mask, mask, source, same=source == 1)


@pytest.mark.parametrize("kind", ["xx", "xy", "hybrid", "independent"])
def test_parallel_lines_are_shown_in_two_languages_beside_any_kind(kind: str):
    batches = BatchSettings(kind=kind, size=10, bitext="xy")
    plan = plan_run(with_lines(), batches, steps=80, seed=3, weights=[3, 1], names=["questions", "lines"])
    assert plan.batches == batches
    kinds: dict[int, set[str]] = {0: set(), 1: set()}
    for step in plan:
        kinds[step.source].add(step.kind)
        assert step.source == 0 or (step.query_lang != step.passage_lang[:, 0]).all()
    assert kinds[1] == {"xy"}
    assert kinds[0] == ({"xx", "xy"} if kind == "hybrid" else {kind})
    assert (plan.source == 1).sum() == 20
    alone = plan_run(with_lines(), replace(batches, bitext="kind"), steps=80, seed=3, weights=[1, 0])
    questions = [step for step in plan if step.source == 0]
    assert all(equal(a, b) for a, b in zip(questions, alone, strict=False))


@pytest.mark.parametrize("kind", ["xx", "independent"])
def test_a_line_may_stand_beside_itself_for_losses_that_ask_for_no_answer(kind: str):
    languages = np.repeat([0b001, 0b011], [30, 30]).astype(np.uint64)
    rows = Rows(np.arange(60), languages, languages, np.zeros(60, np.int16), np.ones(60, bool))
    batches = BatchSettings(kind=kind, size=10, comparable=False, allow_small=True, bitext="itself")
    plan = plan_run(rows, batches, steps=60, seed=3)
    seen = Counter(int(row) for step in plan for row in step.rows)
    assert set(seen) == set(range(60))
    pairs = {pair for step in plan for pair in zip(step.query_lang.tolist(), step.passage_lang[:, 0].tolist())}
    assert pairs == ({(0, 0), (1, 1)} if kind == "xx" else {(0, 0), (0, 1), (1, 0), (1, 1)})
    with pytest.raises(InputError, match="one language only, and X-Y needs two"):
        few = Rows(*(column[:30] for column in (rows.family, languages, languages, rows.source)), np.ones(30, bool))
        plan_run(few, replace(batches, bitext="kind", kind="independent"), steps=6, seed=3)


def test_lines_that_x_x_cannot_use_say_how_they_could_be():
    with pytest.raises(
        InputError, match=r"source 'lines': no row .*; batches\.bitext: xy shows them in two languages$"
    ):
        plan_run(with_lines(), BatchSettings(size=10), steps=8, seed=3, names=["questions", "lines"])


def test_hybrid_shows_rows_that_one_of_its_kinds_alone_can_show():
    """A question in one language with an answer in another alone is trained on in X-Y batches."""
    query = np.repeat([0b001, 0b001, 0b010], [200, 60, 4]).astype(np.uint64)
    passage = np.repeat([0b011, 0b100, 0b010], [200, 60, 4]).astype(np.uint64)
    rows = Rows(np.arange(264), query, passage, np.zeros(264, np.int16))
    batches = BatchSettings(size=32, comparable=False)
    plan = plan_run(rows, batches, steps=400, seed=1, names=["log"])
    seen = Counter(int(row) for step in plan for row in step.rows)
    assert set(seen) == set(range(260))
    assert {step.kind for step in plan if (step.rows >= 200).any()} == {"xy"}
    assert all((step.rows >= 200).all() or (step.rows < 200).all() for step in plan)
    assert plan.unusable == {0: {"one language only, and X-Y needs two": 4}}
    assert plan.shares == {0: 1.0}
    assert plan.epochs[0] == len(plan_epoch(rows, batches, seed=1)) + 2
    assert "source 'log': 60 rows that only xy batches can show have such batches of their own" in plan.warnings[-1]
    assert [step.rows.tolist() for step in plan.lasting(7)] == [step.rows.tolist() for step in list(plan)[:7]]
    again = plan_run(rows, replace(batches, kind="xx"), steps=4, seed=1)
    assert again.unusable == {0: {"no language on both sides": 60}}


def test_a_source_that_one_kind_alone_can_show_has_such_batches_among_hybrid_ones():
    """Comments in two languages have X-Y batches, texts in one language X-X batches; both were refused."""
    query = np.repeat([0b011, 0b001, 0b001], [60, 60, 60]).astype(np.uint64)
    passage = np.repeat([0b011, 0b010, 0b001], [60, 60, 60]).astype(np.uint64)
    source = np.repeat([0, 1, 2], 60).astype(np.int16)
    rows = Rows(np.arange(180), query, passage, source)
    plan = plan_run(rows, BatchSettings(size=16, comparable=False), steps=120, seed=1)
    kinds = {number: {step.kind for step in plan if (source[step.rows] == number).all()} for number in range(3)}
    assert kinds == {0: {"xx", "xy"}, 1: {"xy"}, 2: {"xx"}}
    with pytest.raises(InputError, match="source 1: no row can be used"):
        plan_run(rows, BatchSettings(size=16), steps=8, seed=1)
    with pytest.raises(InputError, match="source 1: no row can be used"):
        plan_run(rows, BatchSettings(kind="xx", size=16, comparable=False), steps=8, seed=1)


def test_a_curriculum_over_rows_that_it_leaves_out_names_what_could_use_them():
    """The cure was looked for with the other kinds, which take no `alpha_end`."""
    query = np.repeat([0b011, 0b001], [40, 8]).astype(np.uint64)
    rows = Rows(np.arange(48), query, query, np.zeros(48, np.int16))
    plan = plan_run(rows, BatchSettings(size=8, alpha=1.0, alpha_end=0.0), steps=6, seed=1)
    assert sum(plan.unusable[0].values()) == 8
    assert plan.cures[0] == "batches.comparable: false can use 8 more"
