"""What tables claim: corrected for many comparisons, undecided with few seeds, not below by a margin, and the same in
every format."""

from __future__ import annotations

import csv
import io
import json
import re
import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from tests.report.synthetic import benchmark, embeddings, write_run, write_study
from triglot.evaluate import evaluate_embeddings, write_results
from triglot.files import write_text
from triglot.report import compare, find_arms, render, write_report
from triglot.report.resampling import Contest, figures_of, read_arms
from triglot.report.tables import Cell, Table
from triglot.report.verdicts import decide, margin_of, points
from triglot.stats import Interval, bootstrap, bootstrap_unpaired, holm, permutation_test


def row(table: Table, name: str) -> dict[tuple[str, str], Cell]:
    found = next(one for one in table.rows if one.name == name)
    return {
        (column.setting, column.measure): cell
        for column, cell in zip(table.columns, found.cells, strict=True)
        if cell is not None
    }


def contest_of(difference: float, p: float, p_margin: float = 1.0, few: bool = False) -> Contest:
    return Contest(Interval(difference, difference, difference, 0.95, 3, 9), p, p_margin, few)


def test_every_comparison_of_a_table_counts() -> None:
    contests = {("a", n): contest_of(0.1, 0.01, 0.04) for n in range(4)} | {
        ("b", n): contest_of(-0.1, 0.02, 0.001) for n in range(2)
    }
    lower = dict.fromkeys(contests, False) | {("b", 1): True}
    shares = dict.fromkeys(contests, True) | {("a", 3): False, ("b", 1): False}
    decisions = decide(contests, lower, shares, 0.005)
    assert [decisions["a", n].p for n in range(4)] == pytest.approx([0.06] * 4)
    assert [one.versus for one in decisions.values()] == [0] * 6
    fewer = decide({key: one for key, one in contests.items() if key[0] == "a"}, lower, shares, 0.005)
    assert [fewer["a", n].p for n in range(4)] == pytest.approx([0.04] * 4)
    assert [one.versus for one in fewer.values()] == [1] * 4
    # Four of them: 0.001 * 4, 0.04 * 3.
    assert [decisions[key].not_below for key in contests] == ["undecided"] * 3 + [
        "",
        "no",
        "",
    ]
    assert decide({}, {}, {}, 0.005) == {}


def test_the_table_s_p_values_are_those_of_the_statistics(study: Path) -> None:
    arms = find_arms([study])
    table = compare(arms, "toy", resamples=100, reference="x-x")
    read = read_arms(arms, "toy")
    base = {column.setting: figures_of(read["x-x"], column.setting, column.measure) for column in table.columns[:3]}
    raw, shown = [], []
    for name in ("bm25", "alignment", "x-y", "hybrid"):
        for column in table.columns:
            own, other = (figures_of(read[one], column.setting, column.measure) for one in (name, "x-x"))
            if own is not None and other is not None and name != "bm25":
                raw.append(bootstrap(own.sums(own.values - other.values), samples=100).p())
                shown.append(row(table, name)[column.setting, column.measure].p)
    raw.append(float("nan"))
    cell = row(table, "bm25")["mono", "map"]  # one set of weights against three seeds
    own, other = figures_of(read["bm25"], "mono", "map"), base["mono"]
    assert own is not None
    assert other is not None
    raw[-1] = bootstrap_unpaired(own.sums(), other.sums(), samples=100).p()
    shown.append(cell.p)
    assert shown == pytest.approx(holm(raw))
    assert f"for the {len(raw)} comparisons of this table" in " ".join(table.notes)


def test_a_baseline_without_seeds_is_judged_against_seeded_arms(study: Path) -> None:
    table = compare(find_arms([study]), "toy", resamples=200)
    found = row(table, "bm25")
    assert list(found) == [("mono", "map")]
    cell = found["mono", "map"]
    assert cell.verdict in ("better", "worse", "undecided")
    assert cell.p is not None
    turned = compare(find_arms([study]), "toy", resamples=200, reference="bm25")
    against = row(turned, "x-y")
    assert against["mono", "map"].verdict
    assert against["multi", "map"].verdict == ""
    assert not any("fewer than 3 seeds" in note for note in (*table.notes, *turned.notes))


@pytest.mark.parametrize("seeds", [(1,), (1, 2)])
def test_with_too_few_seeds_models_are_judged_and_methods_are_not(tmp_path: Path, seeds: tuple[int, ...]) -> None:
    table = compare(find_arms([write_study(tmp_path / "study", seeds=seeds)]), "toy", resamples=200)
    cells = [cell for one in table.rows if one.name != table.reference for cell in one.cells if cell is not None]
    assert min(cell.p for cell in cells if cell.p is not None) < 0.05 or len(seeds) == 2
    assert {cell.verdict for cell in cells} == {"undecided"}
    assert {cell.not_below for cell in cells} == {"undecided", ""}
    assert {cell.models_verdict for cell in cells if cell.verdict} >= {"better"}
    assert {cell.mark for cell in cells} <= {"△", "▽", "?", ""}
    listed = ", ".join(f"{name} ({len(seeds)})" for name in ("alignment", "x-x", "x-y", "hybrid"))
    said = "What that says of how they were trained is undecided with fewer than 3 seeds: "
    assert any(note.endswith(f"{said}{listed}.") for note in table.notes)


def test_where_seeds_differ_too_much_models_are_judged_all_the_same(study: Path) -> None:
    arms = find_arms([study])
    table = compare(arms, "toy", resamples=200)
    read = read_arms(arms, "toy")
    p, shown = [], []
    for name in ("bm25", "alignment", "x-y", "hybrid"):
        for column in table.columns:
            own, other = (figures_of(read[one], column.setting, column.measure) for one in (name, "x-x"))
            if own is not None and other is not None:
                p.append(permutation_test(own.sums((own.values.mean(0) - other.values.mean(0))[None])))
                shown.append(row(table, name)[column.setting, column.measure])
    for cell, corrected in zip(shown, holm(p), strict=True):
        assert (cell.models != 0) == (cell.versus != 0 or corrected <= 0.05)
    alone = [cell for cell in shown if cell.models and not cell.versus]
    assert {cell.mark for cell in alone} == {"△"}
    assert any("undecided where seeds differ too much to tell: hybrid." in note for note in table.notes)


def test_what_is_decided_of_a_method_is_decided_of_its_models() -> None:
    contests = {
        ("a", 0): replace(contest_of(0.1, 0.001), p_models=0.9),
        ("a", 1): replace(contest_of(0.1, 0.9), p_models=0.001),
        ("a", 2): replace(contest_of(-0.1, 0.001, few=True), p_models=0.002),
        ("a", 3): replace(contest_of(-0.1, 0.9), p_models=0.04),
    }
    no = dict.fromkeys(contests, False)
    found = decide(contests, no, no, 0.005)
    assert [(one.versus, one.models) for one in found.values()] == [(1, 1), (0, 1), (0, -1), (0, 0)]


def test_a_model_compared_with_itself_does_not_differ(tmp_path: Path) -> None:
    arms = find_arms([write_run(tmp_path / name / "x", "x-x", trained=True) for name in ("one", "two")])
    cells = [cell for cell in compare(arms, "toy", resamples=100).rows[1].cells if cell]
    assert {cell.models_verdict for cell in cells} == {"undecided"}


def test_models_evaluated_as_they_are_go_by_the_permutation_test(tmp_path: Path) -> None:
    arms = find_arms([write_run(tmp_path / name, name, trained=False) for name in ("x-x", "x-y")])
    table = compare(arms, "toy", resamples=200)
    assert table.reference == "x-x"
    read = read_arms(arms, "toy")
    raw = []
    for column in table.columns:
        own, other = (figures_of(read[name], column.setting, column.measure) for name in ("x-y", "x-x"))
        assert own is not None
        assert other is not None
        raw.append(permutation_test(own.sums(own.values - other.values)))
    assert [cell.p for cell in table.rows[1].cells if cell] == pytest.approx(holm(raw))
    assert row(table, "x-y")["bias", "rank_distance"].verdict == "better"


def nearly(folder: Path, shift: float) -> Path:
    """Arms `base` and `other` of three seeds, whose figures differ by `shift` and hardly vary."""
    found = benchmark(groups=60)
    for seed in (1, 2, 3):
        evaluation = evaluate_embeddings(*embeddings("x-y", 1, found), found, threads=1)
        for arm, move in (("base", 0.0), ("other", shift)):
            noise = np.random.default_rng([seed, int(move != 0)]).normal(0, 0.001, len(evaluation.rows["map"]))
            rows = {**evaluation.rows, "map": evaluation.rows["map"] + move + noise}
            out = folder / "arms" / arm / f"seed-{seed}"
            write_results(out, {"toy": replace(evaluation, rows=rows)}, model=arm)
            write_text(out / "recipe.yaml", "margin: 0.02\n")
    return folder


@pytest.mark.parametrize(
    ("shift", "verdict", "answer"), [(-0.01, "worse", "yes"), (-0.05, "worse", "no"), (0.01, "better", "yes")]
)
def test_not_below_by_the_margin_of_the_recipe(tmp_path: Path, shift: float, verdict: str, answer: str) -> None:
    arms = find_arms([nearly(tmp_path / "study", shift)])
    assert margin_of(arms, "base") == 0.02
    table = compare(arms, "toy", resamples=200)
    assert table.margin == 0.02
    cell = row(table, "other")["cross", "map"]
    assert (cell.verdict, cell.not_below) == (verdict, answer)
    said = "Not below base by more than 2 points (the recipe's margin, Holm's correction for 3): other: "
    assert f"{said}{answer} (monolingual, cross-lingual, multilingual)." in table.notes


def test_the_margin_comes_from_the_recipe_of_the_reference(study: Path) -> None:
    assert margin_of(find_arms([study]), "x-x") == 0.005
    assert margin_of(find_arms([study]), "bm25") == 0.005
    assert [points(margin) for margin in (0.005, 0.01, 0.025)] == ["0.5 points", "1 point", "2.5 points"]


@pytest.mark.slow
def test_formats_say_the_same(study: Path) -> None:
    arms = find_arms([study])
    cells = {
        (name, *key): cell
        for name in ("x-x", "x-y", "hybrid", "bm25")
        for key, cell in row(compare(arms, "toy"), name).items()
    }
    lines = {
        (one["arm"], one["setting"], one["measure"]): one for one in csv.DictReader(io.StringIO(render(arms, "csv")))
    }
    rows = {one["arm"]: one for one in json.loads(render(arms, "json"))["toy"]["rows"]}
    for key, cell in cells.items():
        line, value = lines[key], rows[key[0]][key[1]][key[2]]
        assert (line["verdict"], line["not_below"]) == (cell.verdict, cell.not_below)
        assert (value.get("verdict", ""), value.get("not_below", "")) == (cell.verdict, cell.not_below)
        assert value.get("p") == cell.p == (float(line["p"]) if line["p"] else None)
    markdown, latex = render(arms, "markdown"), render(arms, "latex")
    for text in (markdown, latex):
        assert "Not below x-x by more than 0.5 points" in text
    every = [cell for one in compare(arms, "toy").rows for cell in one.cells if cell is not None]
    better = sum(cell.verdict == "better" for cell in every)
    assert markdown.count(" ▲ |") == latex.count("$^{+}$") == better > 0
    assert latex.count(r"scriptsize [") == sum(cell.low is not None for cell in every)


@pytest.mark.slow
def test_every_table_of_the_report_has_intervals_and_marks(study: Path, tmp_path: Path) -> None:
    page = write_report(find_arms([study]), tmp_path, title="All").path.read_text("utf-8")
    others = page[page.index("Other measures on toy") : page.index("Micro averages on toy")]
    assert others.count('class="interval"') == others.count('class="value"') > 0
    assert 'aria-label="undecided against x-x"' in page
    text = (tmp_path / "report.md").read_text("utf-8")
    assert "R@10" in text
    for line in text.splitlines():
        if line.startswith("| hybrid") and "**" in line:
            assert re.search(r"\[\d", line)


def test_a_run_without_figures_of_queries_has_values_alone(study: Path, tmp_path: Path) -> None:
    for name in ("x-x", "x-y"):
        shutil.copytree(study / "arms" / name / "seed-1", tmp_path / name)
    (tmp_path / "x-y" / "toy.queries.parquet").unlink()
    table = compare(find_arms([tmp_path / "x-x", tmp_path / "x-y"]), "toy", resamples=50)
    assert {(cell.low, cell.verdict) for cell in table.rows[1].cells if cell} == {(None, "")}
