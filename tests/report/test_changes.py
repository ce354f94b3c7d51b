"""Before and after in plain words."""

from __future__ import annotations

import json
import shutil
from pathlib import Path

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from tests.command import triglot
from tests.report.synthetic import write_run
from triglot.evaluate.results import read_figures
from triglot.report import changes, changes_of, find_arms
from triglot.report.changes import EXAMPLES, Change, Changes, name_of


@pytest.fixture
def two(tmp_path: Path) -> tuple[Path, Path]:
    """Two runs of one model; in the second German questions find nothing among the first ten any more."""
    before = write_run(tmp_path / "before", "x-x", trained=False)
    after = tmp_path / "after"
    shutil.copytree(before, after)
    path = after / "toy.queries.parquet"
    table = pq.read_table(path)
    multi = np.array(table["setting"].to_pylist()) == "multi"
    german = multi & (np.array(table["query_lang"].to_pylist()) == "de")
    for name, (low, high) in {"r@10": (0.0, 1.0), "mrr": (1 / 50, 1.0)}.items():
        for file, value in ((path, low), (before / "toy.queries.parquet", high)):
            table = pq.read_table(file)
            column = np.where(german, value, table[name].to_numpy())
            place = table.column_names.index(name)
            pq.write_table(table.set_column(place, name, pa.array(column)), file)
    return before, after


def test_the_first_line_says_what_changed_for_whom(two: tuple[Path, Path]) -> None:
    found = changes_of(find_arms(two))["toy"]
    german = next(one for one in found.languages if one.language == "de")
    assert (german.before, german.after, german.verdict) == (1.0, 0.0, -1)
    assert {one.verdict for one in found.languages if one.language != "de"} == {0}
    assert found.sentences[0] == "Worse: German searchers find the article in the first ten in 0% instead of 100%."
    assert found.sentences[1].startswith("No difference beyond chance: ")
    assert not found.won
    assert len(found.lost) == EXAMPLES
    assert {(one.language, one.before, one.after) for one in found.lost} == {("de", 1, 50)}
    texts = json.loads((two[0] / "toy.questions.json").read_text("utf-8"))
    assert {one.text for one in found.lost} <= {" ".join(text.split()) for text in texts.values()}
    turned = changes_of(find_arms(two[::-1]))["toy"]
    assert turned.sentences[0] == "German searchers find the article in the first ten in 100% instead of 0%."
    assert [one.before for one in turned.won] == [50] * EXAMPLES


def test_the_command_and_the_report_say_it_too(two: tuple[Path, Path], tmp_path: Path) -> None:
    done = triglot("compare", *two, "--report", tmp_path / "report")
    assert done.code == 0, done.err
    lines = done.out.splitlines()
    assert lines[0] == "toy: after after before"
    assert lines[1] == "  Worse: German searchers find the article in the first ten in 0% instead of"
    assert max(map(len, lines[: lines.index("")])) <= 80
    sentence = "Worse: German searchers find the article in the first ten in 0% instead of 100%."
    for name in ("report.html", "report.md", "report.json"):
        assert sentence in (tmp_path / "report" / name).read_text("utf-8"), name


def test_a_model_compared_with_itself(two: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(two[0], tmp_path / "again")
    found = changes_of(find_arms([two[0], tmp_path / "again"]))["toy"]
    assert found.sentences == ["Nothing changed: every question finds its answers where it found them before."]
    assert not found.won
    assert not found.lost


def test_no_more_is_read_than_is_shown(two: tuple[Path, Path], monkeypatch: pytest.MonkeyPatch) -> None:
    asked = []

    def reading(path: Path, columns: list[str], **options: str) -> pa.Table:
        asked.append(list(columns))
        return read_figures(path, columns, **options)

    monkeypatch.setattr(changes, "read_figures", reading)
    assert changes_of(find_arms(two))
    assert len(asked) == 2
    assert all(len(columns) < len(pq.read_schema(two[0] / "toy.queries.parquet").names) / 2 for columns in asked)
    table = pq.read_table(two[0] / "toy.queries.parquet").drop_columns(["r@10"])
    pq.write_table(table, two[0] / "toy.queries.parquet")
    assert changes_of(find_arms(two)) == {}


def test_there_are_none_for_one_arm_or_three(two: tuple[Path, Path], tmp_path: Path) -> None:
    shutil.copytree(two[0], tmp_path / "third")
    assert changes_of(find_arms(two[:1])) == {}
    assert changes_of(find_arms([*two, tmp_path / "third"])) == {}


def test_better_stands_before_worse_and_the_largest_first() -> None:
    told = [("de", 0.4, 0.5, 1), ("tr", 0.2, 0.6, 1), ("es", 0.9, 0.7, -1), ("pt-BR", 0.5, 0.52, 0)]
    found = Changes("b", "old", "new", tuple(Change(code, 9, a, b, sign) for code, a, b, sign in told), (), ())
    assert found.sentences == [
        "Turkish searchers find the article in the first ten in 60% instead of 20%; German in 50% instead of 40%.",
        "Worse: Spanish searchers find the article in the first ten in 70% instead of 90%.",
        "No difference beyond chance: Brazilian Portuguese (50%, now 52%).",
        "Over all languages: in 58% instead of 50%.",
    ]
    assert (name_of("und"), name_of("xx-YY")) == ("Unknown language", "xx-YY")


def test_what_changed_is_said_first_where_every_searcher_found_something_before(two: tuple[Path, Path]) -> None:
    told = tuple(Change(code, 9, 1.0, 1.0, 0) for code in ("de", "tr"))
    found = Changes("b", "old", "new", told, (), (), False, (0.65, 0.85, 1))
    said = "Of all versions of an article, in any language, 85% are among the first ten instead of 65%"
    assert found.sentences[0] == f"{said}."
    assert found.sentences[1].startswith("No difference beyond chance: ")
    chance = Changes("b", "old", "new", told, (), (), False, (0.65, 0.85, 0))
    assert chance.sentences[-1] == f"{said}, no more than chance."
    better = Changes("b", "old", "new", (Change("de", 9, 0.4, 0.5, 1),), (), (), False, (0.65, 0.85, 1))
    assert better.sentences[-1] == f"{said}."
    measured = changes_of(find_arms(two))["toy"].versions
    assert measured is not None
    shares = []
    for folder in two:
        table = pq.read_table(folder / "toy.queries.parquet").to_pylist()
        rows = [row for row in table if row["setting"] == "multi"]
        codes = sorted({row["query_lang"] for row in rows})
        shares.append(np.mean([np.mean([row["r@10"] for row in rows if row["query_lang"] == code]) for code in codes]))
    assert measured[:2] == pytest.approx(tuple(shares))
    assert measured[2] == -1
