"""The command `attack`: what it writes."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.classify.test_judge import inference_folder
from tests.writing import inputs
from triglot.attack import AttackSettings
from triglot.attack.poison import PoisonSettings
from triglot.commands.attack import attack_model
from triglot.files import InputError, read_json


def test_plants_of_one_method_have_entries_of_their_own(tmp_path: Path) -> None:
    root = inputs(tmp_path)
    plants = [
        PoisonSettings(targets=3, k=2),
        PoisonSettings(method="greedy", targets=3, k=2, budget=4),
        PoisonSettings(targets=3, k=5),
    ]
    attack_model(
        str(root / "model"),
        {"b": f"{root / 'squad'}"},
        tmp_path / "out",
        plants=plants,
        options={"candidate_text": "sentence"},
    )
    planted = read_json(tmp_path / "out" / "plants.json")["b"]
    assert list(planted) == ["echo", "greedy", "echo-2"]
    assert {"success@2"} <= set(planted["echo"])
    assert {"success@5"} <= set(planted["echo-2"])


def test_a_classification_is_attacked_through_its_second_texts(tmp_path: Path) -> None:
    root, folder = inputs(tmp_path), inference_folder(tmp_path / "nli", premises=10)
    attack_model(
        str(root / "model"),
        {"n": str(folder)},
        tmp_path / "out",
        attacks=[AttackSettings(name="casing", kinds=("casing",), rate=1.0), AttackSettings(search="embedding")],
    )
    told = read_json(tmp_path / "out" / "results.json")["benchmarks"]
    assert list(told) == ["n", "n+casing", "n+pgd-0.1"]
    assert told["n+casing"]["robustness"]["changed"] == 1
    assert set(told["n+pgd-0.1"]["robustness"]["drop"]) <= {"classification", "generalised"}
    assert (tmp_path / "out" / "attacks" / "n+casing.jsonl").is_file()
    assert not (tmp_path / "out" / "attacks" / "n+pgd-0.1.jsonl").exists()
    with pytest.raises(InputError, match="no passages among which"):
        attack_model(str(root / "model"), {"n": str(folder)}, tmp_path / "planted", plants=[PoisonSettings(targets=3)])
