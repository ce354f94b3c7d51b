"""A figure of a table is the mean that its interval is drawn about: results.json and the per-query files say the
same."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
import pytest

from tests.report.test_classification import CODES, Noisy, task
from triglot.evaluate import evaluate_task, read_queries, write_results
from triglot.files import InputError
from triglot.report import Arm, find_arms
from triglot.report.resampling import figures_of, read_arms
from triglot.stats import bootstrap


def agree(arms: list[Arm], benchmark: str) -> set[tuple[str, str]]:
    """Hold every mean in results.json against that of the per-query file; returns the (setting, measure) pairs that
    both have.
    """
    found = set()
    read = read_arms(arms, benchmark)
    for arm in arms:
        entries = [run.benchmarks[benchmark] for run in arm.runs]
        for setting in ("mono", "cross", "multi", "ranked", "bias", "classification", "generalised"):
            for measure in entries[0].get(setting, {}):
                figures = figures_of(read[arm.name], setting, measure)
                assert figures is not None, (arm.name, setting, measure)
                told = np.mean([entry[setting][measure] for entry in entries])
                assert bootstrap(figures.sums(), samples=2).value == pytest.approx(told, rel=1e-12), (
                    arm.name,
                    setting,
                    measure,
                )
                found.add((setting, measure))
    return found


def test_means_in_the_results_are_those_of_the_queries(study: Path) -> None:
    found = agree(find_arms([study]), "toy")
    assert {
        ("mono", "map"),
        ("cross", "mrr"),
        ("multi", "r@10"),
        ("bias", "rank_distance"),
        ("bias", "removal"),
    } <= found


def test_means_in_the_results_are_those_of_the_classified_items(tmp_path: Path) -> None:
    whole = replace(task(30), train=task(60, first=30).test)
    write_results(tmp_path / "sharp", {"stances": evaluate_task(Noisy(1.0, 1), whole)}, model="sharp")
    assert agree(find_arms([tmp_path / "sharp"]), "stances") == {
        (setting, measure) for setting in ("classification", "generalised") for measure in ("accuracy", "macro_f1")
    }
    assert len(CODES) > 1


def test_arms_of_one_name_are_called_by_the_folders_that_differ(study: Path, tmp_path: Path) -> None:
    run = study / "arms" / "x-x" / "seed-1"
    folders = [tmp_path / name / "runs" / "x" for name in ("e1", "e2")]
    for folder in folders:
        shutil.copytree(run, folder)
    assert [arm.name for arm in find_arms([*folders, study / "arms" / "x-y"])] == ["e1/runs/x", "e2/runs/x", "x-y"]
    shutil.copytree(run, tmp_path / "e1" / "runs" / "arms" / "x")
    assert len({arm.name for arm in find_arms([folders[0], tmp_path / "e1" / "runs" / "arms" / "x"])}) == 2


def test_a_file_of_an_earlier_version_is_read_by_the_names_of_today(study: Path, tmp_path: Path) -> None:
    run = study / "arms" / "x-x" / "seed-1"
    table = pq.read_table(run / "toy.queries.parquet")
    former = {"map": "ap", "map@20": "ap@20", "mrr": "rr"}
    pq.write_table(
        table.rename_columns([former.get(name, name) for name in table.column_names]), tmp_path / "toy.queries.parquet"
    )
    (tmp_path / "results.json").write_bytes((run / "results.json").read_bytes())
    assert ("mono", "map@20") in agree(find_arms([tmp_path]), "toy")
    for columns in (None, ["map@20", "query_id", "r@1"]):
        before, now = (read_queries(folder, "toy", columns) for folder in (tmp_path, run))
        assert list(before) == list(now) == (columns or table.column_names)
        for name, column in before.items():
            np.testing.assert_array_equal(column, now[name])
    with pytest.raises(InputError, match="no column 'map@30'; did you mean 'map@20'"):
        read_queries(tmp_path, "toy", ["map@30"])
