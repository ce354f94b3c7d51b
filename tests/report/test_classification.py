"""Classification benchmarks in tables and pages, beside retrieval."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from sklearn.metrics import f1_score

from triglot.classify.heads import HeadSettings
from triglot.classify.judge import Classification, evaluate_task
from triglot.classify.tasks import ClassifySettings, Task
from triglot.corpus.labelled import Labelled
from triglot.evaluate import write_results
from triglot.evaluate.results import read_items
from triglot.files import read_json
from triglot.report import compare, find_arms, render, to_csv, write_report

CODES, LABELS = ("de", "en", "fr"), ("AGAINST", "FAVOR")


class Noisy:
    """Vectors that tell the label of a text, with as much noise as asked for."""

    def __init__(self, noise: float, seed: int):
        self.noise, self.draw = noise, np.random.default_rng(seed)

    def encode(self, texts, *, side, progress=False):
        told = np.array([[1.0, -1.0][int(text[-1])] for text in texts])
        return np.column_stack([np.ones(len(texts)), told + self.noise * self.draw.standard_normal(len(texts))]).astype(
            np.float32
        )


def task(items: int, first: int = 0) -> Task:
    """Parallel items, three a group, whose second text ends in the label."""
    numbers = np.arange(items)
    at = np.stack([numbers + n * items for n in range(3)])
    target = (numbers * 7 % 3 > 0).astype(np.int8)
    texts = [f"{code} {first + n} {label}" for code in CODES for n, label in enumerate(target)]
    ids = [str(first + n) for n in numbers]
    part = Labelled(CODES, LABELS, texts, texts, at, at, target, first + numbers // 3, ids, first + numbers)
    settings = ClassifySettings(head=HeadSettings(penalties=(0.1,)))
    return Task(
        "stances",
        "stance",
        settings,
        part,
        CODES,
        None,
        None,
        None,
        ("a note",),
        "CC0",
        {},
        {"items": items, "questions": items // 3},
        sides=("query", "passage"),
        majority_by_group=True,
    )


@pytest.fixture
def study(tmp_path: Path) -> Path:
    test, train = task(90), task(150, first=90)
    whole = replace(test, train=train.test)
    for arm, noise in (("sharp", 0.4), ("dull", 3.0)):
        for seed in (1, 2, 3):
            folder = tmp_path / "study" / "arms" / arm / f"seed-{seed}"
            write_results(folder, {"stances": evaluate_task(Noisy(noise, seed), whole)}, model=arm)
            (folder / "recipe.yaml").write_text(f"noise: {noise}\n")
    return tmp_path / "study"


def test_items_come_back(study: Path) -> None:
    folder = study / "arms" / "sharp" / "seed-1"
    items = read_items(folder, "stances")
    assert len(items["label"]) == 9 * 90
    told = read_json(folder / "results.json")["benchmarks"]["stances"]
    cells = read_json(folder / "stances.languages.json")
    rows = (items["first_lang"] == "de") & (items["second_lang"] == "fr")
    assert cells["cross"]["de"]["fr"]["accuracy"] == pytest.approx(items["correct"][rows].mean())
    mono = items["setting"] == "classification"
    f1 = [
        f1_score(*(items[key][mono & (items["first_lang"] == code)] for key in ("label", "predicted")), average="macro")
        for code in CODES
    ]
    assert told["classification"]["macro_f1"] == pytest.approx(np.mean(f1))
    assert (folder / "stances.head" / "head.json").is_file()


def test_tables_have_intervals_over_questions(study: Path) -> None:
    table = compare(find_arms([study]), "stances", resamples=400)
    titles = [column.title for column in table.columns]
    assert titles[:4] == ["Accuracy", "Macro F1", "Accuracy, two languages", "Macro F1, two languages"]
    assert titles[4:] == ["Accuracy of the commonest label", "of the question's commonest label"]
    rows = {row.name: row.cells for row in table.rows}
    for cells in rows.values():
        for cell in cells[:4]:
            assert cell is not None
            assert cell.low is not None
            assert cell.high is not None
            assert cell.low < cell.value < cell.high
        assert cells[4] is not None
        assert cells[4].low is None
    sharp, dull = rows["sharp"], rows["dull"]
    for index in range(4):
        assert sharp[index].value > dull[index].value + 0.1  # type: ignore[union-attr]
    assert any("over seeds and questions" in note for note in table.notes)
    assert "a note" in table.notes
    for output in ("markdown", "csv", "latex", "json"):
        assert "stances" in render(find_arms([study]), output)
    assert "generalised,macro_f1," in to_csv([table])


def test_the_page_shows_the_matrix(study: Path, tmp_path: Path) -> None:
    page = write_report(find_arms([study]), tmp_path / "report", title="Stances").path.read_text("utf-8")
    assert "Accuracy on stances by the language of the first text" in page
    assert page.count('<table class="heat">') == 2
    assert "90 items" in page
    assert "Highest: sharp (accuracy" in page
    assert "sharp" in (tmp_path / "report" / "report.md").read_text("utf-8")


def test_one_language_alone_has_no_second_test(tmp_path: Path) -> None:
    part = replace(task(60), train=task(60, first=60).test, codes=("de",))
    found = evaluate_task(Noisy(0.1, 1), part)
    assert isinstance(found, Classification)
    assert "generalised" not in found.summary
    write_results(tmp_path / "run", {"stances": found}, model="one")
    columns = compare(find_arms([tmp_path / "run"]), "stances", resamples=50).columns
    assert {column.setting for column in columns} == {"classification", "majority", "majority_by_question"}
