"""`--dry-run` of `train` and `study`."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests import help_centre
from tests.command import triglot
from triglot.commands.data import prepare_data

RECIPE = """
encoder: {kind: pretrained, model: ./models/mine}
sources:
  - {format: prepared, path: prepared}
batches: {size: 32, kind: xx, comparable: false}
train: {steps: 20}
evaluate:
  - {name: help, format: prepared, path: prepare}
arms:
  x-x: {}
  hybrid: {batches.kind: hybrid}
  noisy: {augment.lists: lists, augment.parts: [{kinds: [codeswitch]}]}
baselines: [bm25]
seeds: [1, 2]
"""


@pytest.fixture
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    monkeypatch.chdir(help_centre.write(tmp_path / "here"))
    prepare_data(["articles.csv", "searchlog.csv"], "prepared")
    return Path()


def test_all_that_is_missing_is_named_before_anything_runs(here: Path) -> None:
    Path("r.yaml").write_text(RECIPE, "utf-8")
    done = triglot("study", "r.yaml", "--dry-run")
    assert done.code == 2
    lines = [line.strip() for line in done.out.splitlines()]
    assert "there    source 'prepared': prepared" in lines
    for missing in ("benchmark 'help': prepare", "encoder.model: models/mine", "augment.lists: lists"):
        assert f"MISSING  {missing}" in lines
    assert "kind: pretrained" in lines
    assert "cost" not in lines
    done = triglot("study", "r.yaml", "--out", "runs")
    assert done.code == 2
    assert "benchmark 'help': prepare: no such file or folder; did you mean 'prepared'?" in done.err
    assert "encoder.model: models/mine: no such file or folder" in done.err
    assert not list(Path("runs").rglob("results.json"))  # no baseline either


def test_cost_and_what_an_arm_leaves_out(here: Path) -> None:
    text = RECIPE.replace("prepare}", "prepared}").replace("{kind: pretrained, model: ./models/mine}", "{dim: 8}")
    Path("r.yaml").write_text("\n".join(line for line in text.splitlines() if "noisy" not in line), "utf-8")
    done = triglot("study", "r.yaml", "--dry-run")
    assert done.code == 0, done.err
    assert "4 runs: 2 arms with 2 seeds" in done.out
    assert "batches.kind: independent can use" in done.out
    left_out = [line for line in done.out.splitlines() if "left out" in line]
    assert {line.split(":")[0].strip() for line in left_out} == {"x-x", "hybrid"}
    assert max(int(line.split(":")[2].split()[0]) for line in left_out if "hybrid" in line) < 10  # too few for a batch
    assert "benchmark help:" in done.out
    done = triglot("train", "r.yaml", "--dry-run", "batches.kind=hybrid")
    assert (done.code, "such batches of their own" in done.out) == (0, True)
    assert sorted(path.name for path in Path().iterdir()) == [
        *("articles.csv", "articles.jsonl", "prepared", "r.yaml", "searchlog.csv", "searchlog.jsonl")
    ]
