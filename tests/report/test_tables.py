from __future__ import annotations

import csv
import io
import shutil
from pathlib import Path
from typing import Any

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.report.synthetic import write_run
from triglot.files import InputError, read_json
from triglot.report import compare, find_arms, render, to_csv, to_latex, to_markdown
from triglot.report.tables import Cell, Column, Row, Table, number
from triglot.report.terminal import print_table


def test_values_are_means_over_seeds_of_the_results(study: Path) -> None:
    table = compare(find_arms([study]), "toy", resamples=0)
    for row in table.rows:
        folders = sorted((study / "arms" / row.name).glob("seed-*")) or [study / "baselines" / row.name]
        entries = [read_json(folder / "results.json")["benchmarks"]["toy"] for folder in folders]
        assert row.seeds == len(folders)
        for cell, column in zip(row.cells, table.columns, strict=True):
            values = [entry.get(column.setting, {}).get(column.measure) for entry in entries]
            assert (cell is None) == (None in values)
            if cell is not None:
                assert cell.value == pytest.approx(np.mean(values))
                assert cell.low is None


def test_order_is_baselines_alignment_then_the_arms_of_the_recipe(study: Path) -> None:
    assert [arm.name for arm in find_arms([study])] == ["bm25", "alignment", "x-x", "x-y", "hybrid"]


def test_intervals_hold_the_value_and_the_resampled_mean_is_the_macro_average(study: Path) -> None:
    table = compare(find_arms([study]), "toy", resamples=400)
    for row in table.rows:
        for cell in row.cells:
            if cell is not None:
                assert cell.low is not None
                assert cell.high is not None
                assert cell.low <= cell.value <= cell.high
    per_query = pq.read_table(study / "arms" / "x-x" / "seed-1" / "toy.queries.parquet").to_pylist()
    cells: dict[tuple[str, str], list[float]] = {}
    for line in per_query:
        if line["setting"] == "cross":
            cells.setdefault((line["query_lang"], line["passage_lang"]), []).append(line["map"])
    one = compare(find_arms([study / "arms" / "x-x" / "seed-1"]), "toy", resamples=0)
    assert one.rows[0].cells[1].value == pytest.approx(np.mean([np.mean(values) for values in cells.values()]))


def test_a_clear_difference_is_marked_in_the_direction_of_the_measure(study: Path) -> None:
    table = compare(find_arms([study]), "toy", resamples=400)
    assert table.reference == "x-x"
    rows = {row.name: row for row in table.rows}
    titles = [column.measure for column in table.columns]
    distance = titles.index("rank_distance")
    assert rows["x-y"].cells[distance].value < rows["x-x"].cells[distance].value
    assert rows["x-y"].cells[distance].versus == 1  # a lower rank distance is better
    assert rows["x-y"].cells[1].versus == 1
    assert [cell.versus for cell in rows["x-x"].cells] == [0] * len(table.columns)
    turned = compare(find_arms([study]), "toy", resamples=400, reference="x-y")
    assert {row.name: row for row in turned.rows}["x-x"].cells[distance].versus == -1


def test_an_arm_is_not_told_apart_from_itself(study: Path, tmp_path: Path) -> None:
    for name in ("first", "second"):
        shutil.copytree(study / "arms" / "hybrid", tmp_path / name)
    table = compare(find_arms([tmp_path / "first", tmp_path / "second"]), "toy", resamples=100)
    assert [cell.versus for row in table.rows for cell in row.cells] == [0] * 2 * len(table.columns)
    assert all(not table.best(index) for index in range(len(table.columns)))


def test_best_goes_by_what_is_printed_and_knows_which_way_is_better() -> None:
    columns = (Column("mono", "map", "mAP"), Column("bias", "rank_distance", "RD", lower_is_better=True, ranks=True))
    rows = tuple(
        Row(name, 1, (Cell(a), Cell(b)))
        for name, a, b in (("a", 0.5004, 120.4), ("b", 0.5001, 120.1), ("c", 0.4, 300.0))
    )
    table = Table("toy", columns, (*rows, Row("d", 1, (None, None))))
    assert table.best(0) == {"a", "b"}
    assert table.best(1) == {"a", "b"}


@pytest.mark.parametrize(
    ("value", "ranks", "text"),
    [(0.71949, False, "0.719"), (5497.4, True, "5,497"), (12.34, True, "12.3"), (1.0, False, "1.000")],
)
def test_numbers(value: float, ranks: bool, text: str) -> None:
    assert number(value, Column("", "", "", ranks=ranks)) == text


def test_a_missing_benchmark_is_named(study: Path, tmp_path: Path) -> None:
    other = write_run(tmp_path / "other", "x-y", name="second")
    arms = find_arms([study / "arms" / "x-x", other])
    table = compare(arms, "second", resamples=0)
    assert [row.name for row in table.rows] == ["other"]
    assert "Not evaluated on second: x-x." in table.notes


def test_notes_of_the_data_are_kept(study: Path) -> None:
    assert "candidate text: sentence" in compare(find_arms([study]), "toy", resamples=0).notes


def test_markdown_escapes_and_has_a_cell_a_column() -> None:
    table = Table(
        "toy", (Column("mono", "map", "mAP"),), (Row("a|b<c", 3, (Cell(0.5, 0.4, 0.6, 1),)), Row("d", 1, (None,)))
    )
    lines = to_markdown(table).splitlines()
    assert lines[2] == "| a\\|b&lt;c (3 seeds) | 0.500 [0.400, 0.600] ▲ |"
    assert lines[3] == "| d | — |"


def test_csv_has_full_precision(study: Path) -> None:
    table = compare(find_arms([study]), "toy", resamples=50)
    rows = list(csv.DictReader(io.StringIO(to_csv([table]))))
    cell = next(row.cells[0] for row in table.rows if row.name == "hybrid")
    line = next(r for r in rows if r["arm"] == "hybrid" and r["setting"] == "mono")
    assert float(line["value"]) == cell.value
    assert float(line["low"]) == cell.low
    assert len(rows) == sum(cell is not None for row in table.rows for cell in row.cells)


def test_latex_escapes_and_marks() -> None:
    column = Column("bias", "rank_distance", "RD 100%", lower_is_better=True, ranks=True)
    rows = (
        Row("a_b", 3, (Cell(1200.0, 900.0, 1500.0, 1, 0.01),)),
        Row("c<d", 1, (Cell(2400.0, 2000.0, 2800.0, 0, 0.4),)),
        Row("e", 1, (None,)),
    )
    text = to_latex(Table("toy", (column,), rows, notes=("▲ better\nthan c",)))
    assert r"arm & RD 100\% \\" in text
    assert r"a\_b (3 seeds) & \textbf{1\,200}$^{+}$ {\scriptsize [900, 1\,500]} \\" in text
    assert r"c\textless{}d & 2\,400$^{?}$ {\scriptsize [2\,000, 2\,800]} \\" in text
    assert "e & -- \\\\" in text
    assert text.endswith("\\end{tabular}\n% + better than c\n")


@pytest.mark.parametrize("output", ["markdown", "csv", "latex", "json"])
def test_render(study: Path, output: str) -> None:
    assert "hybrid" in render(find_arms([study]), output)


def test_unknown_names_are_mended(study: Path) -> None:
    arms = find_arms([study])
    with pytest.raises(InputError, match="did you mean 'markdown'"):
        render(arms, "markdwon")
    with pytest.raises(InputError, match="did you mean 'map@20'"):
        compare(arms, "toy", measure="map@2O")
    with pytest.raises(InputError, match="did you mean 'hybrid'"):
        compare(arms, "toy", reference="hybird")


def test_terminal_table_is_plain_in_a_pipe(study: Path) -> None:
    out = io.StringIO()
    print_table(compare(find_arms([study]), "toy", resamples=50), out)
    text = out.getvalue()
    assert "\x1b" not in text
    assert "hybrid x3" in text
    assert "crossed bootstrap" in text


def test_runs_of_one_arm_are_one_row(study: Path) -> None:
    seeds = [study / "arms" / "x-x" / f"seed-{n}" for n in (1, 2)]
    (arm,) = find_arms(seeds)
    assert (arm.name, [run.seed for run in arm.runs]) == ("x-x", [1, 2])
    with pytest.raises(InputError, match="named twice"):
        find_arms([seeds[0], seeds[0]])


def test_equal_names_are_told_apart(tmp_path: Path) -> None:
    paths = [write_run(tmp_path / parent / "x-x", "x-x", groups=4) for parent in ("before", "after")]
    assert [arm.name for arm in find_arms(paths)] == ["before/x-x", "after/x-x"]


def test_folders_that_are_no_runs(study: Path, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"no such folder; did you mean 'arms'"):
        find_arms([study / "armz"])
    with pytest.raises(InputError, match=r"no results\.json here"):
        find_arms([tmp_path])
    (tmp_path / "results.json").write_text('{"schema": 7}')
    with pytest.raises(InputError, match="schema 1"):
        find_arms([tmp_path])


def test_a_broken_per_query_file_is_named(study: Path, tmp_path: Path) -> None:
    shutil.copytree(study / "arms" / "x-x" / "seed-1", tmp_path / "run")
    (tmp_path / "run" / "toy.queries.parquet").write_bytes(b"not parquet")
    with pytest.raises(InputError, match=r"toy\.queries\.parquet: not a Parquet file"):
        compare(find_arms([tmp_path / "run"]), "toy")


def test_tables_of_arms_are_shown_likewise(study: Path) -> None:
    table = compare(find_arms([study]), "toy", resamples=50)
    assert repr(table).splitlines()[0] == "toy"
    assert "x-y (3 seeds)" in repr(table)
    assert "<td>" in table._repr_html_()


def test_an_interval_ends_where_its_measure_does(study: Path) -> None:
    table = compare([arm for arm in find_arms([study]) if arm.name == "x-x"], "toy", measure="bias", resamples=200)
    cells: dict[str, Any] = dict(zip((one.measure for one in table.columns), table.rows[0].cells, strict=True))
    correlation, share = cells["mrc@10"], cells["complete@10"]
    assert -1 <= correlation.low < correlation.value < 0
    assert share.low >= 0
