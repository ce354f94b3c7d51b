"""`--force` of train and study: what an earlier run left is removed, and nothing else."""

from __future__ import annotations

import shutil
from dataclasses import replace
from pathlib import Path

import pytest

from tests.study.small import small_recipe
from triglot.commands.demo import index_of
from triglot.files import InputError, read_json, write_json
from triglot.recipe import to_yaml
from triglot.study.anew import begin_anew
from triglot.study.arms import study
from triglot.study.folder import RECIPE, STUDY
from triglot.study.run import run

ARMS = "\n  x-x: {batches.kind: xx}\n"


@pytest.fixture(scope="module")
def finished(tmp_path_factory) -> Path:
    """A finished study of one arm with an alignment; its arm is a finished run."""
    place = tmp_path_factory.mktemp("finished")
    study(small_recipe(place, ARMS, "\nbaselines: [bm25]\n"), place / "study")
    return place / "study"


@pytest.fixture
def copy(finished, tmp_path) -> Path:
    shutil.copytree(finished, tmp_path / "study")
    return tmp_path / "study"


def left(folder: Path) -> set[str]:
    return {path.relative_to(folder).as_posix() for path in folder.rglob("*") if path.is_file()}


@pytest.mark.slow
def test_all_that_runs_write_is_known(copy: Path) -> None:
    arm = copy / "arms" / "x-x" / "seed-1"
    begin_anew(arm, RECIPE, ())
    assert not arm.exists()
    begin_anew(copy, STUDY, ())
    assert left(copy) == {"study.json", "evaluations.jsonl"}


@pytest.mark.slow
def test_what_a_demo_adds_and_heads_of_classes_are_known(copy: Path, tmp_path: Path) -> None:
    head = copy / "arms" / "x-x" / "seed-1" / "stance.head"
    head.mkdir()
    for name in ("head.json", "head.safetensors"):
        (head / name).write_text("{}")
    index_of(copy / "arms" / "x-x" / "seed-1" / "model", small_recipe(tmp_path, ARMS), copy)
    with pytest.raises(InputError, match=r"holds index/index\.json, which no run has written there"):
        begin_anew(copy, STUDY, ())
    facts = read_json(copy / STUDY)
    write_json(copy / STUDY, facts | {"command": "triglot demo --out runs/demo"})
    (copy / "index" / "notes.txt").write_text("mine")
    with pytest.raises(InputError, match=r"holds index/notes\.txt, which no run has written there"):
        begin_anew(copy, STUDY, ())
    (copy / "index" / "notes.txt").unlink()
    begin_anew(copy, STUDY, ())
    assert left(copy) == {"study.json", "evaluations.jsonl"}


@pytest.mark.slow
@pytest.mark.parametrize("name", ["notes.txt", "arms/x-x/seed-1/model/mine.bin", "arms/mine.json", "data/en.json"])
def test_what_no_run_wrote_stops_it_before_anything_is_removed(copy: Path, name: str) -> None:
    (copy / name).parent.mkdir(exist_ok=True)
    (copy / name).write_text("mine")
    before = left(copy)
    with pytest.raises(InputError, match=f"holds {name}, which no run has written there"):
        begin_anew(copy, STUDY, ())
    assert left(copy) == before


@pytest.mark.slow
def test_what_is_read_is_not_removed(copy: Path, tmp_path: Path) -> None:
    arm = copy / "arms" / "x-x" / "seed-1"
    before = left(arm)
    with pytest.raises(InputError, match=r"it would replace .*model, which is read"):
        begin_anew(arm, RECIPE, [tmp_path, arm / "model"])
    assert left(arm) == before


@pytest.mark.slow
def test_a_run_of_other_settings_takes_the_place(copy: Path, tmp_path: Path) -> None:
    out = copy / "arms" / "x-x" / "seed-1"
    shutil.move(out, tmp_path / "run")
    recipe = small_recipe(tmp_path, ARMS)
    other = replace(recipe, train=replace(recipe.train, lr=0.1))
    with pytest.raises(InputError, match="or begin anew with --force"):
        run(other, tmp_path / "run")
    missing = replace(other, sources=(replace(other.sources[0], path="nosuch"),))
    with pytest.raises(InputError, match="no such file or folder"):
        run(missing, tmp_path / "run", force=True)
    assert (tmp_path / "run" / "model").exists()
    assert run(other, tmp_path / "run", force=True)["benchmarks"]
    assert "lr: 0.1" in (tmp_path / "run" / RECIPE).read_text()


def test_a_folder_of_something_else_is_left_alone(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("mine")
    for mark in (RECIPE, STUDY):
        begin_anew(tmp_path, mark, ())
        begin_anew(tmp_path / "nowhere", mark, ())
    assert left(tmp_path) == {"notes.txt"}


def test_a_run_that_was_killed_while_it_saved(tmp_path: Path) -> None:
    out = tmp_path / "run"
    for name in (
        RECIPE,
        "model/model.safetensors",
        "checkpoints/fine-tuning-step-00000002/state.json",
        "metrics.jsonl",
    ):
        (out / name).parent.mkdir(parents=True, exist_ok=True)
        (out / name).write_text(to_yaml(small_recipe(tmp_path, ARMS)))
    begin_anew(out, RECIPE, ())
    assert not out.exists()
