"""What a person sees of a result, and what pandas gets of it."""

from __future__ import annotations

import builtins
from dataclasses import replace

import numpy as np
import pytest

from tests.plugins.test_measures import parallel
from tests.report.test_classification import Noisy, task
from triglot.evaluate import Evaluation, evaluate_embeddings, evaluate_task
from triglot.evaluate.ranked import evaluate_run, judged
from triglot.evaluate.topruns import parts_of_vectors


@pytest.fixture(scope="module")
def evaluation() -> Evaluation:
    benchmark, queries, passages = parallel()
    return evaluate_embeddings(queries, passages + queries, replace(benchmark, name="a <b>"))


def test_it_is_a_small_table(evaluation: Evaluation) -> None:
    lines = repr(evaluation).splitlines()
    assert lines[0].startswith("Evaluation: a <b>: 24 queries, 24 passages")
    assert lines[1].split() == ["mAP", "mAP@20", "MRR", "R@1", "R@10", "hit@1", "nDCG@20"]
    assert lines[4].split()[:2] == ["Multilingual", f"{evaluation.summary['multi']['map']:.3f}"]
    assert lines[5].startswith(
        f"Language bias: Rank distance {evaluation.summary['bias']['rank_distance']:.1f}; Max@R "
    )
    assert len(lines) == 6


def test_a_notebook_gets_html_whose_names_are_escaped(evaluation: Evaluation) -> None:
    page = evaluation._repr_html_()
    assert "<caption>Evaluation: a &lt;b&gt;: 24 queries" in page
    assert page.count("<tr>") == 4
    assert "<b>" not in page


def test_pandas_gets_rows_languages_or_settings(evaluation: Evaluation) -> None:
    pytest.importorskip("pandas")
    rows = evaluation.to_pandas()
    assert list(rows.columns) == list(evaluation.queries)
    macro = rows[rows["setting"] == "cross"].groupby(["query_lang", "passage_lang"])["map"].mean()
    assert macro.mean() == pytest.approx(evaluation.summary["cross"]["map"])
    by_language = evaluation.to_pandas(by="language").set_index(["setting", "query_lang", "passage_lang"])["map"]
    np.testing.assert_allclose(by_language["cross"].sort_index(), macro.sort_index())
    assert by_language["multi", "de", ""] == evaluation.by_language["multi"]["de"]["map"]
    settings = evaluation.to_pandas(by="setting")
    assert list(settings.index) == ["mono", "cross", "multi"]
    assert settings.loc["mono", "r@10"] == evaluation.summary["mono"]["r@10"]


def test_without_pandas_the_error_says_how_to_get_it(evaluation: Evaluation, monkeypatch: pytest.MonkeyPatch) -> None:
    real = builtins.__import__

    def refuse(name: str, *more, **options):
        if name == "pandas":
            raise ModuleNotFoundError(name, name=name)
        return real(name, *more, **options)

    monkeypatch.setattr(builtins, "__import__", refuse)
    with pytest.raises(ImportError, match=r"triglot\[report\]"):
        evaluation.to_pandas()


def test_runs_and_classifications_have_the_same_shape() -> None:
    benchmark, queries, passages = parallel()
    run, _ = parts_of_vectors(queries, passages, benchmark, 10).whole()
    outcome = evaluate_run(run, judged(benchmark))
    assert "Top-k run" in repr(outcome)
    assert "nDCG@10" in repr(outcome)
    found = evaluate_task(Noisy(1.0, 1), replace(task(30), train=task(60, first=30).test))
    assert "Macro F1" in repr(found)
    assert "In two languages" in found._repr_html_()
    for result, unit, parts in ((outcome, "queries", set()), (found, "items", {"head"})):
        assert (result.unit, set(result.parts)) == (unit, parts)
        assert len({len(column) for column in result.table.values()}) == 1
