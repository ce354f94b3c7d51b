"""A package adds measures by entry points: they are in results, per-query files, tables, figures of trainers, MTEB's
layout and help.
"""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.command import triglot as command
from tests.evaluate.evaluation_sets import make_set
from tests.plugins import install
from tests.report.test_classification import Noisy, task
from tools import measures as page
from triglot.corpus.retrieval import RetrievalSet
from triglot.evaluate import evaluate_embeddings, evaluate_task, read_queries, write_results
from triglot.files import InputError, read_json
from triglot.measures import Measure, find, known, reported
from triglot.report import compare, find_arms, write_mteb

LANGUAGES = 3


@pytest.fixture
def logrank(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The example package, installed."""
    place = tmp_path / "site-packages"
    place.mkdir()
    install("triglot_logrank", place, monkeypatch)


def parallel() -> tuple[RetrievalSet, np.ndarray, np.ndarray]:
    """Eight groups with one question and one answer a language, and vectors."""
    lang = [i % LANGUAGES for i in range(8 * LANGUAGES)]
    judged = [(q, p, 1) for q in range(len(lang)) for p in range(len(lang)) if q // LANGUAGES == p // LANGUAGES]
    made = make_set(lang, lang, judged, languages=LANGUAGES)
    group = np.array([i // LANGUAGES for i in range(len(lang))], np.int32)
    queries, passages = np.random.default_rng(0).normal(size=(2, len(lang), 6)).astype(np.float32)
    return replace(made, queries=replace(made.queries, group=group, cluster=group)), queries, passages


def write(folder: Path, shift: float, **options) -> Path:
    benchmark, queries, passages = parallel()
    passages = passages + shift * queries
    return write_results(
        folder, {"toy": evaluate_embeddings(queries, passages, benchmark, **options)}, model=folder.name
    )


@pytest.mark.usefixtures("logrank")
def test_they_go_the_whole_way_by_their_own_names(tmp_path: Path) -> None:
    for name, shift in (("weak", 0.2), ("strong", 2.0)):
        write(tmp_path / name, shift)
    results = read_json(tmp_path / "strong" / "results.json")["benchmarks"]["toy"]
    rows = read_queries(tmp_path / "strong", "toy")
    multi = rows["setting"] == "multi"
    assert results["multi"]["log_rank"] == pytest.approx(rows["log_rank"][multi].mean())
    assert results["bias"]["pivot_first"] == pytest.approx(np.nanmean(rows["pivot_first"]))
    assert np.isnan(rows["pivot_first"][~multi]).all()
    arms = find_arms([tmp_path / "weak", tmp_path / "strong"])
    table = compare(arms, "toy", measure="log_rank", resamples=50)
    assert [column.title for column in table.columns][:3] == [
        f"{s} log rank" for s in ("Monolingual", "Cross-lingual", "Multilingual")
    ]
    cell = table.rows[1].cells[2]
    assert cell is not None
    assert cell.low is not None
    assert cell.low <= cell.value == pytest.approx(results["multi"]["log_rank"])
    assert table.best(2) == {"strong"}  # less is better
    assert "Pivot first" in [column.title for column in compare(arms, "toy", measure="bias", resamples=0).columns]
    scores = read_json(next(path for path in write_mteb(arms, tmp_path / "mteb") if path.name == "toy-multi.json"))[
        "scores"
    ]["test"]
    assert {"log_rank", "pivot_first", "map", "recall_at_10"} <= scores[0].keys()


@pytest.mark.usefixtures("logrank")
def test_commands_know_them(tmp_path: Path) -> None:
    write(tmp_path / "one", 1.0)
    done = command("compare", tmp_path / "one", "--measure", "log_rank")
    assert done.code == 0, done.err
    assert "Multilingual log rank" in done.out
    shown = command("compare", "--help")
    assert "log_rank" in shown.out
    assert "map@20" in shown.out


def test_without_the_package_they_are_unknown(tmp_path: Path) -> None:
    write(tmp_path / "one", 1.0)
    done = command("compare", tmp_path / "one", "--measure", "log_rank")
    assert done.code == 2
    assert "no measure 'log_rank'" in done.err


def test_a_row_may_be_passed_in() -> None:
    benchmark, queries, passages = parallel()
    own = Measure("halves", "Halves", "half of what it is", lambda blocks: blocks.total / 2, where=())
    share = Measure(
        "always", "Always", "1", lambda pool: np.ones(len(pool.benchmark.queries)), of="pool", where=("bias",)
    )
    found = evaluate_embeddings(queries, passages, benchmark, extra=[own, share, "ndcg@5"])
    assert found.summary["mono"]["halves"] == 0.5
    assert found.summary["multi"]["halves"] == LANGUAGES / 2
    assert found.summary["bias"]["always"] == 1
    assert 0 < found.summary["multi"]["ndcg@5"] < 1
    with pytest.raises(InputError, match="measure 'accuracy' is none of rankings"):
        evaluate_embeddings(queries, passages, benchmark, extra=["accuracy"])


def test_a_row_may_be_added_to_this_process() -> None:
    row = known().add(Measure("halves", "Halves", "half of what it is", lambda blocks: blocks.total / 2))
    try:
        benchmark, queries, passages = parallel()
        assert evaluate_embeddings(queries, passages, benchmark).summary["multi"]["halves"] == LANGUAGES / 2
        assert row in reported("settings")
    finally:
        known().remove("halves")


@pytest.mark.parametrize("row", list(known()), ids=lambda row: row.name)
def test_every_row_of_the_table_is_whole(row: Measure) -> None:
    assert row.title
    assert row.help
    assert row.where
    assert (row.function is None) == (row.of == "attack")
    assert find(row.name) is row
    assert (row.cut is not None) == (row.cut_off != "none" and "@" in row.name)


@pytest.mark.parametrize(
    ("name", "now"), [("ap", "map"), ("ap@20", "map@20"), ("rr@7", "mrr@7"), ("r@50", "r@50"), ("ndcg", "ndcg")]
)
def test_a_name_may_have_any_cut_off_and_be_a_former_one(name: str, now: str) -> None:
    assert find(name).name == now


@pytest.mark.parametrize("name", ["r", "r@0", "r@", "map@x", "bleu", "rank_distance@3", "hit"])
def test_what_is_no_measure(name: str) -> None:
    with pytest.raises(InputError, match=f"no measure '{name}'"):
        find(name)


def balanced(confusion: np.ndarray) -> np.ndarray:
    """Mean over classes of the share that was found."""
    right = np.einsum("...ii->...i", confusion)
    return (right / np.maximum(confusion.sum(-1), 1)).mean(-1)


def test_classification_has_room_for_more(tmp_path: Path) -> None:
    known().add(
        Measure("balanced", "Balanced accuracy", "mean share found", balanced, of="classes", where=("classification",))
    )
    try:
        found = evaluate_task(Noisy(1.0, 1), replace(task(30), train=task(60, first=30).test))
        write_results(tmp_path / "one", {"stances": found}, model="one")
        table = compare(find_arms([tmp_path / "one"]), "stances", resamples=50)
    finally:
        known().remove("balanced")
    column = [column.title for column in table.columns].index("Balanced accuracy")
    cell = table.rows[0].cells[column]
    assert cell is not None
    assert cell.value == found.summary["classification"]["balanced"]
    assert cell.low is None  # without `shares` there is nothing to resample


def test_the_page_has_the_table_of_today() -> None:
    text = page.PAGE.read_text("utf-8")
    assert page.placed(text) == text, "python -m tools.measures --write"
