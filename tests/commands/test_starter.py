"""`triglot init-recipe`, and `triglot train DATA --model MODEL`."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tests import help_centre
from tests.command import triglot
from triglot.commands.data import prepare_data
from triglot.commands.starter import KINDS, kind_of, recipe_text
from triglot.document import parse_yaml
from triglot.encoder import EncoderSettings, init_encoder
from triglot.files import InputError
from triglot.recipe import parse_recipe

COUNTS = {"en": {"password": 5, "invoice": 5}, "de": {"Passwort": 5, "Rechnung": 5}}


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A prepared help centre and two models."""
    root = help_centre.write(tmp_path_factory.mktemp("help"))
    prepare_data([root / "articles.csv", root / "searchlog.csv"], root / "prepared")
    init_encoder(EncoderSettings(kind="static", dim=16, vocab=200), COUNTS, seed=1).save(root / "static-model")
    return root


def test_a_recipe_suits_the_kind_of_model(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    (tmp_path / "bert").mkdir()
    (tmp_path / "bert" / "config.json").write_text("{}", "utf-8")
    models = {"static": "static", "transformer": "transformer", "static-model": "pretrained static"}
    for model, kind in (models | {str(tmp_path / "bert"): "pretrained", "some/name": "pretrained"}).items():
        assert kind_of(model) == kind
        text = recipe_text("prepared", model)
        recipe = parse_recipe(parse_yaml(text, "made"))
        assert (recipe.encoder.kind, recipe.encoder.model) == (
            (model, "") if model in ("static", "transformer") else ("pretrained", model)
        )
        assert recipe.train.lr == KINDS[kind].train["lr"][0]
        assert (recipe.batches.kind, recipe.batches.comparable) == ("hybrid", False)
        assert 4 * recipe.batches.size <= 400
        assert recipe.languages == ("de", "en", "es")
        assert (recipe.sources[0].format, recipe.evaluate[0].path, recipe.data) == ("prepared", "prepared", ".")
        assert max(map(len, text.replace(str(tmp_path), "").splitlines())) <= 90


def test_data_without_a_benchmark_and_with_others(root: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    bare = recipe_text("prepared/train.jsonl", "static")
    assert "# No benchmark" in bare
    assert parse_recipe(parse_yaml(bare, "made")).evaluate == ()
    both = parse_recipe(parse_yaml(recipe_text("prepared", "static", on={"own": "prepared/benchmark"}), "made"))
    assert [(one.name, one.format) for one in both.evaluate] == [("own", "beir")]


def test_data_are_trained_on_without_a_recipe(root: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(root)
    small = ["encoder.dim=16", "encoder.vocab=400", "train.steps=12", "-q"]
    done = triglot("train", "prepared", "--model", "static", "--out", tmp_path / "run", *small)
    assert done.code == 0, done.err
    found = json.loads((tmp_path / "run" / "results.json").read_text("utf-8"))
    assert 0 < found["benchmarks"]["prepared"]["multi"]["map"] <= 1
    text = triglot("init-recipe", "prepared", "-q").out
    (tmp_path / "r.yaml").write_text(text, "utf-8")
    again = triglot("train", tmp_path / "r.yaml", "--out", tmp_path / "again", *small, "name=prepared")
    assert again.code == 0, again.err
    assert json.loads((tmp_path / "again" / "results.json").read_text("utf-8"))["benchmarks"] == found["benchmarks"]
    log = (tmp_path / "run" / "summary.json").read_text("utf-8")
    assert "no language on both sides" not in log
    assert "batches can show have such batches of their own" in log


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["prepared"], "prepared: is data; --model says what to train: a folder, a name on the hub, or static or"),
        (["prepared", "--model", "./nothing"], "--model ./nothing: no such model folder; static and transformer start"),
        (["prepared", "--model", "prepared"], "--model prepared: is no model"),
        (["demo", "--model", "static"], "--model: goes with data, and demo is a recipe"),
        (["demo", "--on", "a=prepared"], "--on: goes with data"),
        (["demo"], "Missing option '--out'"),
    ],
)
def test_what_does_not_go_together_is_said(
    root: Path, monkeypatch: pytest.MonkeyPatch, words: list[str], message: str
) -> None:
    monkeypatch.chdir(root)
    done = triglot("train", *words)
    assert (done.code, message in done.err) == (2, True), done.err


def test_a_source_without_pairs_is_refused(root: Path, tmp_path: Path) -> None:
    (tmp_path / "texts.csv").write_text("lang,text\nde,eins\n", "utf-8")
    with pytest.raises(InputError, match="has no pairs to train on"):
        recipe_text(str(tmp_path / "texts.csv"), "static")
