"""Tables of attacks: what was lost, by the same queries, with the verdicts of every other table."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tests.report.synthetic import write_attacked
from triglot.files import read_json, write_text
from triglot.report import find_arms, tables_of, write_report
from triglot.report.robustness import attacks_of, compare_attacks


@pytest.fixture
def attacked(tmp_path: Path) -> Path:
    """Three seeds of two arms; noise on the queries costs `frail` more."""
    return write_attacked(tmp_path)


def test_what_is_lost_and_by_how_much_less(attacked: Path) -> None:
    arms = find_arms([attacked])
    assert attacks_of(arms) == {"toy": ["toy+typos"]}
    (table,) = compare_attacks(arms, "toy", reference="frail", resamples=300)
    rows = {
        row.name: dict(zip([(c.setting, c.measure) for c in table.columns], row.cells, strict=True))
        for row in table.rows
    }
    for name in ("frail", "firm"):
        runs = next(arm.runs for arm in arms if arm.name == name)
        for setting in ("mono", "cross", "multi"):
            lost = np.mean(
                [run.benchmarks["toy"][setting]["map"] - run.benchmarks["toy+typos"][setting]["map"] for run in runs]
            )
            cell = rows[name][setting, "lost"]
            assert cell is not None
            assert cell.low is not None
            assert cell.value == pytest.approx(lost)
            assert cell.low <= cell.value
    assert {key: cell.verdict for key, cell in rows["firm"].items() if cell and cell.p is not None} == {
        (setting, measure): "better" for setting in ("mono", "cross", "multi") for measure in ("map", "lost")
    }
    shown = rows["firm"]["mono", "success@10"]
    assert shown is not None
    assert (shown.value, shown.verdict) == (pytest.approx(0.1), "")
    assert any(note.startswith("firm loses, as a share of what frail loses: monolingual 0.") for note in table.notes)
    assert any("for the 6 comparisons" in note for note in table.notes)


@pytest.mark.slow
def test_attacked_forms_stand_in_tables_of_attacks_alone(attacked: Path) -> None:
    arms = find_arms([attacked])
    assert [table.benchmark for table in tables_of(arms, reference="frail")] == ["toy", "toy+typos"]
    assert [table.benchmark for table in tables_of(arms, measure="r@1")] == ["toy"]
    path = write_report(arms, attacked / "report", title="x", reference="frail").path
    page = path.read_text(encoding="utf-8")
    assert 'id="robustness"' in page
    assert "Lost by language, toy+typos" in page
    assert "### toy+typos" in path.with_name("report.md").read_text(encoding="utf-8")
    told = read_json(path.with_name("report.json"))
    assert list(told["benchmarks"]) == ["toy"]
    assert {row["arm"] for row in told["attacks"]["toy+typos"]["rows"]} == {"frail", "firm"}


def test_attacked_results_without_clean_ones_are_a_benchmark(attacked: Path) -> None:
    for path in attacked.rglob("results.json"):
        results = read_json(path)
        del results["benchmarks"]["toy"]
        write_text(path, json.dumps(results))
    assert [table.benchmark for table in tables_of(find_arms([attacked]))] == ["toy+typos"]
