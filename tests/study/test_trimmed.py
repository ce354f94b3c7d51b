"""A run with a trimmed vocabulary and frozen layers, from its recipe to its model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file

from triglot.encoder import EncoderSettings, init_encoder, load_encoder
from triglot.files import InputError, read_json
from triglot.recipe import load_recipe
from triglot.study.run import run

RECIPE = """
encoder: {kind: pretrained, model: MODEL, trim: true, freeze: 1}
sources: [{format: pairs, path: log.jsonl}]
batches: {kind: xx, size: 8, comparable: false, allow_small: true}
train: {steps: 6, lr: 0.01, log_every: 0, checkpoint_every: 0}
"""
WORDS = {"en": {f"{a}{b}": 9 for a in ("ba", "co", "di", "fu") for b in ("n", "rs", "tal", "k")}}


@pytest.mark.parametrize(("kind", "restore"), [("transformer", True), ("transformer", False), ("static", True)])
def test_a_model_is_trimmed_frozen_and_put_back(tmp_path: Path, kind: str, restore: bool) -> None:
    init_encoder(EncoderSettings(kind=kind, dim=8, vocab=300, layers=2, heads=2), WORDS, seed=1).save(
        tmp_path / "fresh"
    )
    lines = [{"query": f"ban {i} cotal", "positive": f"dik fun {i} bars"} for i in range(20)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (tmp_path / "r.yaml").write_text(RECIPE.replace("MODEL", str(tmp_path / "fresh")), encoding="utf-8")
    recipe = load_recipe(str(tmp_path / "r.yaml"), [f"data={tmp_path}", f"encoder.restore={str(restore).lower()}"])
    if kind == "static":
        with pytest.raises(InputError, match="goes with"):
            run(recipe, tmp_path / "run")
        return
    run(recipe, tmp_path / "run")
    summary = read_json(tmp_path / "run" / "summary.json")
    begun, now = (
        load_file(folder / "model.safetensors") for folder in (tmp_path / "fresh", tmp_path / "run" / "model")
    )
    table = next(key for key in begun if key.endswith("word_embeddings.weight"))
    told = summary["trimmed"]
    assert told["tokens"] < told["of"] == len(begun[table])
    assert len(now[table]) == told["of" if restore else "tokens"]
    assert summary["stages"]["fine-tuning"]["frozen_outputs"].startswith("kept: 40 texts")
    if restore:
        assert np.array_equal(now[table], begun[table])
        moved = {
            key.split("layer.")[1][0] for key in begun if "layer." in key and not np.array_equal(begun[key], now[key])
        }
        assert moved == {"1"}
    assert load_encoder(tmp_path / "run" / "model").encode(["ban 3"], side="query").shape == (1, 8)


def begun(tmp_path: Path, *words: str, layers: int = 2):
    """The recipe above on a fresh transformer and a log of twenty pairs."""
    init_encoder(EncoderSettings(kind="transformer", dim=8, vocab=300, layers=layers, heads=2), WORDS, seed=1).save(
        tmp_path / "fresh"
    )
    lines = [{"query": f"ban {i} cotal", "positive": f"dik fun {i} bars"} for i in range(20)]
    (tmp_path / "log.jsonl").write_text("".join(json.dumps(line) + "\n" for line in lines), encoding="utf-8")
    (tmp_path / "r.yaml").write_text(RECIPE.replace("MODEL", str(tmp_path / "fresh")), encoding="utf-8")
    return load_recipe(str(tmp_path / "r.yaml"), [f"data={tmp_path}", *words])


def test_tokens_of_further_files_are_kept(tmp_path: Path) -> None:
    (tmp_path / "later.txt").write_text("dirs cok 7\nfutal\n", encoding="utf-8")
    trims = {"alone": "true", "further": "[later.txt]"}
    for name, trim in trims.items():
        recipe = begun(tmp_path, f"encoder.trim={trim}", "encoder.restore=false")
        run(recipe, tmp_path / name)
    sizes = {name: read_json(tmp_path / name / "summary.json")["trimmed"]["tokens"] for name in trims}
    assert sizes["further"] > sizes["alone"]
    whole = load_encoder(tmp_path / "fresh")
    made = load_encoder(tmp_path / "further" / "model")
    for text in ("dirs cok 7", "futal", "ban 3 cotal"):
        tokens = [encoder.tokenizer.encode(text, add_special_tokens=False).tokens for encoder in (whole, made)]
        assert tokens[0] == tokens[1]


def test_what_is_wrong_with_the_files_is_said(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"encoder\.trim: files are for a model that stays trimmed"):
        begun(tmp_path, "encoder.trim=[later.txt]")
    recipe = begun(tmp_path, "encoder.trim=[later.txt]", "encoder.restore=false")
    with pytest.raises(InputError, match=r"encoder\.trim: .*later\.txt: no such file"):
        run(recipe, tmp_path / "run")
    for wrong in ("encoder.trim=7", "encoder.trim=[7]", "encoder.keep_layers=six", "encoder.keep_layers=[1,x]"):
        with pytest.raises(InputError, match=wrong.partition("=")[0].replace(".", r"\.")):
            begun(tmp_path, wrong, "encoder.restore=false")


@pytest.mark.slow
def test_a_stage_after_another_knows_the_tokens_of_its_texts(tmp_path: Path) -> None:
    (tmp_path / "first.jsonl").write_text(
        "".join(json.dumps({"query": f"coba {i}", "positive": f"coba fu {i}"}) + "\n" for i in range(20)), "utf-8"
    )
    batches = "{kind: xx, size: 8, comparable: false, allow_small: true}"
    alignment = f"{{sources: [{{format: pairs, path: first.jsonl}}], train: {{steps: 2}}, batches: {batches}}}"
    recipe = begun(tmp_path, "encoder.restore=false", f"alignment={alignment}")
    run(recipe, tmp_path / "run")
    whole, made = load_encoder(tmp_path / "fresh"), load_encoder(tmp_path / "run" / "model")
    tokens = [one.tokenizer.encode("dik fun 7 bars", add_special_tokens=False).tokens for one in (whole, made)]
    assert tokens[0] == tokens[1]


def test_a_study_begins_with_some_layers_and_adapters(tmp_path: Path) -> None:
    words = ["encoder.keep_layers=[1,3,4]", "encoder.lora.rank=2", "encoder.freeze=1"]
    recipe = begun(tmp_path, *words, layers=4)
    run(recipe, tmp_path / "run")
    begins, now = (
        load_file(folder / "model.safetensors") for folder in (tmp_path / "fresh", tmp_path / "run" / "model")
    )
    layers = {key.split("layer.")[1][0] for key in now if "layer." in key}
    assert layers == {"0", "1", "2"}
    assert not any("lora" in key for key in now)
    numbers = {"0": "0", "1": "2", "2": "3"}
    moved = set()
    for key, value in now.items():
        before, layer, after = key.partition("layer.")
        whole = begins[f"{before}{layer}{numbers[after[0]]}{after[1:]}" if layer else key]
        if not np.array_equal(value, whole):
            moved.add(after)
    assert {name[0] for name in moved} == {"1", "2"}
    assert all(name.endswith("weight") and "LayerNorm" not in name for name in moved)
    summary = read_json(tmp_path / "run" / "summary.json")
    assert summary["trained"] == 2 * 2 * sum(8 + 8 for _ in range(4)) + 2 * 2 * 2 * (8 + 32)
    assert summary["parameters"] == load_encoder(tmp_path / "run" / "model").parameters
