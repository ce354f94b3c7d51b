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
