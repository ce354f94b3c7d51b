"""A run folder that somebody changed: the file and the key are named, before anything is written."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tests.report.synthetic import write_run
from triglot.files import InputError
from triglot.report import find_arms, render, write_mteb, write_report


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return write_run(tmp_path_factory.mktemp("runs") / "x-y", "x-y", groups=4)


def put(*path: str | int, value: Any) -> Callable[[Any], Any]:
    def change(document: Any) -> Any:
        here = document
        for name in path[:-1]:
            here = here[name]
        here[path[-1]] = value
        return document

    return change


@pytest.mark.parametrize(
    ("name", "change", "message"),
    [
        ("results.json", lambda _: [], "not results of schema 1"),
        ("results.json", put("benchmarks", value=[]), "not results of schema 1"),
        ("results.json", put("benchmarks", "toy", value=3), "benchmarks.toy: 3"),
        ("results.json", put("benchmarks", "toy", "mono", value=[]), "benchmarks.toy.mono: "),
        ("results.json", put("benchmarks", "toy", "mono", "map", value="high"), "benchmarks.toy.mono.map: 'high'"),
        ("results.json", put("benchmarks", "toy", "multi", "map", value=True), "benchmarks.toy.multi.map: True"),
        ("results.json", put("benchmarks", "toy", "notes", value="none"), "benchmarks.toy.notes: 'none'"),
        ("results.json", put("benchmarks", "toy", "counts", "queries", value={}), "benchmarks.toy.counts.queries"),
        ("results.json", put("benchmarks", "toy", "licence", value=7), "benchmarks.toy.licence: 7"),
        ("results.json", put("versions", value=["1"]), "versions: "),
        ("results.json", put("benchmarks", "../../evil", value={}), "cannot be the name of a benchmark"),
        ("results.json", put("benchmarks", "a\n\\input{x}", value={}), "cannot be the name of a benchmark"),
        ("toy.languages.json", lambda _: 3, "3"),
        ("toy.languages.json", put("languages", value={"a": 1}), "languages: "),
        ("toy.languages.json", put("mono", "de", value=[1]), "mono.de: "),
        ("toy.languages.json", put("cross", "de", value=None), "cross.de: None"),
        ("toy.languages.json", put("multi", "de", "map", value="x"), "multi.de.map: 'x'"),
        ("summary.json", put("stages", value=[]), "stages: "),
        ("summary.json", put("stages", "fine-tuning", "steps", value="many"), "stages.fine-tuning.steps: 'many'"),
        (
            "summary.json",
            put("stages", "fine-tuning", "counts", 0, value=["qa", "de"]),
            "stages.fine-tuning.counts.0: ",
        ),
        (
            "summary.json",
            put("stages", "fine-tuning", "counts", 0, value=[1, 2, 3, 4]),
            "stages.fine-tuning.counts.0: ",
        ),
        ("summary.json", put("warnings", value="careful"), "warnings: 'careful'"),
        ("summary.json", put("licences", "qa", value=None), "licences.qa: None"),
    ],
)
def test_what_is_wrong_is_named(
    run: Path, tmp_path: Path, name: str, change: Callable[[Any], Any], message: str
) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "x-y"))
    (folder / name).write_text(json.dumps(change(json.loads((folder / name).read_text()))))
    with pytest.raises(InputError) as caught:
        find_arms([folder])
    assert str(caught.value).startswith(f"{folder / name}: ")
    assert message in str(caught.value)


@pytest.mark.parametrize(
    ("name", "text", "message"),
    [
        ("metrics.jsonl", '{"stage": "a", "step": 1}\n[1]\n', "metrics.jsonl:2: "),
        ("metrics.jsonl", '{"stage": "a"}\n', "metrics.jsonl:1: step: is missing"),
        ("metrics.jsonl", '{"stage": [], "step": 1}\n', "metrics.jsonl:1: stage: []"),
        (
            "metrics.jsonl",
            '{"stage": "a", "step": 1, "validation": {"v": {"mono": {"map": "x"}}}}\n',
            "metrics.jsonl:1: validation.v.mono: map",
        ),
        ("recipe.yaml", "a: &a [*a]", "recipe.yaml:1: not YAML (anchors"),
        ("recipe.yaml", "- a", "recipe.yaml: settings are `key: value` lines"),
        ("recipe.yaml", "margin: much", "recipe.yaml: margin: 'much'"),
        ("recipe.yaml", "languages: de", "recipe.yaml: languages: 'de'"),
    ],
)
def test_lines_and_settings(run: Path, tmp_path: Path, name: str, text: str, message: str) -> None:
    folder = Path(shutil.copytree(run, tmp_path / "x-y"))
    (folder / name).write_text(text)
    with pytest.raises(InputError) as caught:
        find_arms([folder])
    assert message in str(caught.value)


def test_a_dollar_in_a_name_is_a_dollar(run: Path, tmp_path: Path) -> None:
    folder = Path(shutil.copytree(run, tmp_path / r"$\frac{x$ =1`<b>[a](javascript:x)"))
    arms = find_arms([folder])
    page = write_report(arms, tmp_path / "report", title="x").path.read_text("utf-8")
    assert "<b>[a]" not in page
    assert "[a](" not in (tmp_path / "report" / "report.md").read_text("utf-8").replace("\\[a\\](", "")
    assert "\\frac" not in render(arms, "latex").replace("\\textbackslash{}frac", "")


def test_mteb_writes_nothing_where_a_file_is_missing(run: Path, tmp_path: Path) -> None:
    one, two = (Path(shutil.copytree(run, tmp_path / name)) for name in ("one", "two"))
    (two / "toy.languages.json").unlink()
    with pytest.raises(InputError, match=r"no toy\.languages\.json"):
        write_mteb(find_arms([one, two]), tmp_path / "out")
    assert not list(tmp_path.glob("out/**/*.json"))
