"""Odd benchmarks, vectors and runs: right figures or one clear line, never a traceback, and what cannot be is said
before the work."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.evaluate.evaluation_sets import make_set
from triglot.corpus.collection import Collection, Part
from triglot.corpus.formats import runs
from triglot.corpus.formats.trec import Qrels
from triglot.evaluate.bias.scope import check_subsets
from triglot.evaluate.evaluator import evaluate_scores
from triglot.evaluate.ranked import evaluate_run, judged
from triglot.evaluate.retrievers import Bm25, RunFile, Vectors, evaluate
from triglot.files import InputError

TWO = ([0, 1], [0, 1, 0, 1], [(q, p, 1) for q in (0, 1) for p in (0, 1)])


def pool_of(tmp_path: Path, vector: list[float], passages: int) -> str:
    """A query and passages, all with this vector, as files."""
    for side, ids in (("queries", ["q0"]), ("passages", [f"p{i}" for i in range(passages)])):
        np.save(tmp_path / f"{side}.npy", np.tile(np.array(vector, np.float32), (len(ids), 1)))
        (tmp_path / f"{side}.ids.txt").write_text("".join(f"{one}\n" for one in ids))
    return str(tmp_path)


@pytest.mark.parametrize("vector", [[1, 0], [0, 0], [1e-42, 0], [1e15, 1e15]])
@pytest.mark.parametrize("passages", [1, 3])
@pytest.mark.parametrize("depth", [1, 1000])
def test_equal_vectors_tie_whatever_they_are(tmp_path: Path, vector: list[float], passages: int, depth: int) -> None:
    benchmark = make_set([0], [0] * passages, [(0, 0, 1)], languages=1)
    found = evaluate(Vectors(pool_of(tmp_path, vector, passages)), benchmark, ranked=True, depth=depth).summary
    expected = np.mean([1 / rank for rank in range(1, passages + 1)])
    assert found["mono"]["mrr"] == pytest.approx(expected)
    json.dumps(found, allow_nan=False)


@pytest.mark.parametrize("number", [np.nan, np.inf, -np.inf])
def test_vectors_that_are_no_numbers_are_refused(tmp_path: Path, number: float) -> None:
    benchmark = make_set([0], [0], [(0, 0, 1)], languages=1)
    with pytest.raises(InputError, match=r"queries\.npy: 1 query embeddings are not finite"):
        evaluate(Vectors(pool_of(tmp_path, [number, 0], 1)), benchmark)


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("", "no result in it can be read"),
        ("\n\n", "no result in it can be read"),
        ("q0 Q0 p0 1 nan t\n", "score is not a finite number"),
        ("q0 Q0 p0 1 inf t\n", "score is not a finite number"),
        ("other Q0 p0 1 1.0 t\n", "share no query"),
        ("q0 Q0 other 1 1.0 t\n", "none of the run's documents is in the benchmark"),
    ],
)
def test_runs_without_a_usable_result_are_refused(tmp_path: Path, text: str, complaint: str) -> None:
    (tmp_path / "odd.run").write_text(text)
    benchmark = make_set([0], [0, 0], [(0, 0, 1)], languages=1)
    with pytest.raises(InputError, match=complaint):
        evaluate(RunFile(tmp_path / "odd.run"), benchmark)


def test_scores_too_large_for_32_bits_keep_their_order() -> None:
    benchmark = make_set([0], [0, 0], [(0, 0, 1)], languages=1)
    run = runs.build(["q0"], ["p0", "p1"], np.zeros(2, int), np.array([0, 1]), np.array([2e300, 1e300]))
    assert evaluate_run(run, judged(benchmark)).summary["ranked"]["mrr@10"] == 1


def test_a_subset_where_the_pool_is_not_ranked_has_the_settings_that_are() -> None:
    benchmark = make_set(*TWO, languages=2)
    score = np.eye(2, 4, dtype=np.float32)
    whole = evaluate_scores(lambda rows: score[rows], benchmark, settings=("mono",), subsets=[("de", "el")])
    part = whole.summary["subsets"]["de+el"]
    assert part["mono"] == whole.summary["mono"]
    assert "bias" not in part
    assert "subsets" in evaluate(Bm25(), benchmark, subsets=[("de", "el")]).summary


@pytest.mark.parametrize(
    ("subsets", "complaint"),
    [
        ([("de", "fr")], "no language 'fr'"),
        ([("de",)], "two languages or more"),
        ([("de", "de", "el")], "each once"),
        ([("de", "el"), ("el", "de")], r"de\+el is given twice"),
        ([("de", "el")] * 5000, "5000 is too large"),
        ([("de",) * 100_000], "two languages or more"),
    ],
)
def test_subsets_are_checked_before_the_work(subsets: list[tuple[str, ...]], complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        evaluate(Bm25(lambda codes: pytest.fail("work was begun")), make_set(*TWO, languages=2), subsets=subsets)
    assert len(str(caught.value)) < 300
    with pytest.raises(InputError, match=complaint):
        check_subsets("set", subsets, ("de", "el"))


def test_subsets_that_a_run_cannot_have_are_said(tmp_path: Path, caplog: pytest.LogCaptureFixture) -> None:
    (tmp_path / "one.run").write_text("q0 Q0 p0 1 1.0 t\n")
    evaluate(RunFile(tmp_path / "one.run"), make_set(*TWO, languages=2), subsets=[("de", "el")])
    assert "no subsets" in caplog.text


def test_a_language_in_which_bm25_finds_nothing_scores_0_beside_the_others(tmp_path: Path) -> None:
    part = Part({"1": "river"}, Qrels(["1"], ["a"], np.array([1])), (tmp_path / "one.jsonl",))
    other = Part({"1": "nothing alike"}, Qrels(["1"], ["a"], np.array([1])), (tmp_path / "one.jsonl",))
    (tmp_path / "one.jsonl").write_text('{"docid": "a", "text": "a river"}\n')
    found = evaluate(Bm25(), Collection("toy", {"de": part, "en": other}))
    assert [found.by_language["ranked"][code]["mrr@10"] for code in ("de", "en")] == [1, 0]
    with pytest.raises(InputError, match="toy: run: no results"):
        evaluate(Bm25(), Collection("toy", {"en": other}))
